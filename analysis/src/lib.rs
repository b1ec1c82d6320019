//! Questions asked of traces: text, statistics; pure, no terminal, no driver.
