//! What went wrong, and why: rules that know what drivers do wrong and what clients make of it.
//!
//! [`diagnosis::Diagnosis`] is the answer to one trace, as data; [`report`] makes text of it, [`json`] JSON. [`rules::RULES`] are what is known.
//! docs/doctor.md describes the command, and how to add a rule.

pub mod answers;
pub mod checklist;
pub mod client;
pub mod closing;
pub mod diagnosing;
pub mod diagnosis;
pub mod driver_exports;
mod evidence;
pub mod explain;
pub mod facts;
pub mod finding;
pub mod folding;
mod gathering;
pub mod json;
pub mod look_up;
pub mod moment;
pub mod page;
pub mod report;
pub mod rule;
pub mod rules;
pub mod seen_call;
pub mod story;

pub use diagnosing::Diagnosing;
pub use diagnosis::Diagnosis;
pub use finding::Finding;
