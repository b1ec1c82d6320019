//! What came out of a comparison, for people and for programs.

mod heading;
mod json;
mod line;
mod profile_json;
mod profile_text;
mod sequence_text;
mod stat;

pub use heading::{closing, heading};
pub use json::to_json;
pub use line::{Line, LineKind};
pub use profile_text::profile_lines;
pub use sequence_text::{Extent, SequenceText};
pub use stat::{FunctionStat, function_stats, profile_stat_lines, stat_lines};

use cutape_trace_format::trace::Trace;

use super::compare::Comparison;

/// A comparison with the traces that it was made of.
#[derive(Clone, Copy)]
pub struct Compared<'a> {
    /// The comparison.
    pub comparison: &'a Comparison,
    /// The first trace.
    pub a: &'a Trace,
    /// The second trace.
    pub b: &'a Trace,
}
