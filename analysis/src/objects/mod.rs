//! Objects of the driver: contexts, streams, events, modules, memory, graphs. Which call created each, which destroyed it, what was left
//! behind, and readable names for handles and addresses: `ctx#1`, `stream#2`, `dptr#7+0x40`.
//!
//! [`ObjectTracker`] goes along with the calls; [`Objects`] is what one has after the last call, for questions about any call.

mod all;
mod kind;
mod names;
mod object;
mod plan;
mod process;
mod range_tree;
mod ranges;
mod rules;
mod site;
mod step;
mod store;
mod tracker;

pub use all::{Objects, ReferenceFinder};
pub use kind::{KIND_COUNT, KINDS, Kind, KindInfo};
pub use names::{CallNames, Name, Namer, names_in};
pub use object::{Ending, Label, Object, ObjectId, Origin};
pub(crate) use rules::holds_once_more;
pub use store::Alive;
pub use tracker::{Misuse, Misuses, ObjectTracker, Part, Reference};
