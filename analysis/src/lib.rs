//! Questions asked of traces: text, statistics; pure, no terminal, no driver.

pub mod json_lines;
