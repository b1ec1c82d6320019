//! Functions that the recording's filter leaves out: their calls go straight to the driver. A call costs a few nanoseconds, no time stamp
//! and no room in a ring.

use std::sync::OnceLock;

use crate::function_set::FunctionSet;

/// Whether `CUTAPE_UNRECORDED` names a function. Where that was made for another table everything is recorded, and sealing applies the filter.
pub fn is_left_out(id: u32) -> bool {
    static LEFT_OUT: OnceLock<FunctionSet> = OnceLock::new();
    LEFT_OUT
        .get_or_init(|| FunctionSet::of_variable("CUTAPE_UNRECORDED"))
        .has(id)
}
