//! The `cutape` command.

fn main() {}
