//! What the CUDA runtime in a process asked for beyond the API.

use crate::doctor::answers::Asked;

/// An export table that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAsked {
    /// Its id, as it lies in memory.
    pub guid: [u8; 16],
    /// The call.
    pub seq: u64,
    /// What it returned.
    pub code: u32,
}

/// Tables kept of a process; there are a dozen, and each runtime in the process asks for its own.
const MAX_TABLES: usize = 256;

/// INTEGRITY_CHECK: what the runtime asks for last.
const INTEGRITY_CHECK: [u8; 16] = [
    0xd4, 0x08, 0x20, 0x55, 0xbd, 0xe6, 0x70, 0x4b, 0x8d, 0x34, 0xba, 0x12, 0x3c, 0x66, 0xe1, 0xf2,
];

/// What a process's CUDA runtime did.
#[derive(Clone, Debug, Default)]
pub struct Runtime {
    /// The tables that it asked for.
    pub tables: Vec<TableAsked>,
    /// Newest CUDA version for which functions were looked up, 0 without look-ups.
    pub newest_look_up: u32,
    /// The last call that asked for the table INTEGRITY_CHECK, with which the start of a runtime ends.
    pub integrity_check: Asked<()>,
    /// Calls after that which are no part of the check itself.
    pub calls_after_check: u64,
}

impl Runtime {
    /// Takes in that a table was asked for.
    pub fn table(&mut self, asked: TableAsked) {
        if self.tables.len() < MAX_TABLES {
            self.tables.push(asked);
        }
        if asked.guid == INTEGRITY_CHECK {
            self.integrity_check = Asked::default();
            self.integrity_check
                .take(asked.seq, asked.code, || Some(()));
            self.calls_after_check = 0;
        }
    }
}
