//! Calls blocks: many calls side by side, grouped by function, each group a set of [`crate::column`]s. docs/format.md has the table.

mod read;
mod rows;
mod write;

pub use read::CallsBlock;
pub(crate) use read::{covers_of, read_covers};
pub use rows::{CallRows, GroupRows};
pub(crate) use write::write_covers;
pub use write::{BlobTable, CallsWriter, GroupColumns, RowColumns, Source};

/// Names of the map keys in a Calls block.
pub(crate) mod key {
    pub const COVERS: &str = "covers";
    pub const UNIT: &str = "unit";
    pub const FIRST_CALL: &str = "seq";
    pub const ROWS: &str = "n";
    pub const BEGIN: &str = "begin";
    pub const THREAD: &str = "thread";
    pub const GROUP: &str = "group";
    pub const OPEN: &str = "open";
    pub const GROUPS: &str = "groups";
    pub const BLOBS: &str = "blobs";

    pub const FUNCTION: &str = "f";
    pub const CALLER: &str = "caller";
    pub const DURATION: &str = "dur";
    pub const RETURNED: &str = "ret";
    pub const ARGS: &str = "args";
    pub const CAPTURES: &str = "caps";

    pub const PARAM: &str = "param";
    pub const OUT: &str = "out";
    pub const BYTES: &str = "bytes";
    pub const HAVE: &str = "have";
    pub const DATA: &str = "data";
    pub const CUT: &str = "cut";
}

/// Captures of more bytes than this go to the block's blobs; shorter ones are columns of integers.
pub const MAX_INTEGER_BYTES: usize = 8;

/// Positions of one ring whose records a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The ring's number.
    pub ring: u16,
    /// Position of the first record.
    pub from: u64,
    /// Position after the last record.
    pub to: u64,
}
