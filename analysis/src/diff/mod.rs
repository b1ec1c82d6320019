//! Comparing two traces.

mod class;
mod fingerprint;
mod fold;
mod judging;
mod lane_alignment;
mod layout;
mod myers;
mod normal_form;
mod pairing;
mod plan;
mod rows;
mod scan;
mod sequence;
mod symbols;
mod volatile;
mod watch;
mod word_lists;
