//! Questions asked of traces: text, statistics; pure, no terminal, no driver.

pub mod benign;
pub mod caller;
pub mod csv;
pub mod filter;
pub mod following;
pub mod histogram;
pub mod index;
pub mod info;
pub mod info_text;
pub mod json;
pub mod json_lines;
pub mod line;
pub mod objects;
pub mod objects_info;
pub mod outcome;
pub(crate) mod parallel;
pub mod printable;
pub mod quantity;
pub mod stats;
pub mod stats_comparison;
pub mod stats_group;
pub mod stats_text;
pub mod suggestion;
pub mod summary;
pub mod survey;
pub mod text;
