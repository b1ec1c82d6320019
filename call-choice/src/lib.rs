//! Which calls are meant: rules of `--inject` and `--override` and faults of the simulated driver say it in the same words.

pub mod calls;
pub mod pattern;
pub mod time;
