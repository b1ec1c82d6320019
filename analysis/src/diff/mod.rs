//! Comparing two traces.

mod fingerprint;
mod fold;
mod myers;
mod word_lists;
