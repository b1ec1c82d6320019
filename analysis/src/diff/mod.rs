//! Comparing two traces: call by call if they are runs of one program, by what is asked and answered if they are of two.
//!
//! [`Comparison::of`] does it. For two runs it has a [`Sequence`]: processes and threads side by side, each with its rows; [`Sequence::hunks`]
//! are the differences among them, and a [`Describer`] puts calls into words. For two programs it has a [`Profile`]. docs/diff.md describes
//! both.

mod aligning;
mod anchors;
mod argument_texts;
mod budget;
mod by_stream;
mod candidates;
mod changes;
mod choice;
mod class;
mod compare;
mod described;
mod fetching;
mod fingerprint;
pub(crate) mod fold;
mod frontier;
mod hunks;
mod judging;
mod kernel_values;
mod lane_alignment;
mod layout;
mod moved;
mod myers;
mod normal_form;
mod pairing;
mod plan;
mod process_pair;
pub mod profile;
pub mod report;
mod rows;
mod scan;
mod sequence;
mod shared_symbols;
mod stream_order;
mod symbols;
pub mod volatile;
mod watch;
mod word_lists;

pub use changes::{ArgumentChange, CallChange, Describer, Side};
pub use choice::{Choice, Mode};
pub use compare::{Comparison, Options, Outcome, SideCounts, Verdict};
pub use described::described_otherwise;
pub use fetching::calls_by_number;
pub use hunks::{Again, Hunk, Unit};
pub use pairing::Match;
pub use process_pair::ProcessPair;
pub use profile::Profile;
pub use rows::{Row, RowCounts, RowKind, Run, ThreadPair};
pub use scan::Hole;
pub use sequence::Sequence;
pub use watch::{DiffError, Report};
