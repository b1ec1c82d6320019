//! The terminal user interface over traces.
