//! Plays a trace back against a driver and judges what it answers.
//!
//! What it finds is a [`Report`](report::Report): for each trace, calls by [`Verdict`](verdict::Verdict) and the
//! [`Divergence`](divergence::Divergence)s, each with the parts of the [`Answer`](answer::Answer) that differ.

pub mod answer;
pub mod divergence;
pub mod expectations;
mod judge;
pub mod not_compared;
mod plan;
pub mod policy;
mod primary_contexts;
pub mod replay;
pub mod report;
mod session;
pub mod skip;
pub mod verdict;
mod wire;
pub mod worker;
