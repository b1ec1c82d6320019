//! What all playing threads share.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::plan::Plan;
use crate::wire::board::Board;
use crate::worker::driver::Driver;
use crate::worker::handles::Handles;
use crate::worker::host_memory::CopyMemory;
use crate::worker::instructions::Instructions;

/// What all playing threads share.
pub struct World {
    /// The shared memory.
    pub board: Arc<Board>,
    /// The driver under test.
    pub driver: Driver,
    /// Where data of copies comes from and goes to.
    pub copies: CopyMemory,
    /// Bytes of host memory for one call's data.
    pub max_host_bytes: u64,
    instructions: Instructions,
    handles: Mutex<Handles>,
}

impl World {
    /// With nothing known yet.
    ///
    /// # Errors
    /// The system has no more address space.
    pub fn new(board: Arc<Board>, instructions: Instructions, driver: Driver) -> io::Result<Self> {
        Ok(Self {
            board,
            driver,
            copies: CopyMemory::new(instructions.max_host_bytes)?,
            max_host_bytes: instructions.max_host_bytes,
            handles: Mutex::new(Handles::new(&instructions.plans.kinds)),
            instructions,
        })
    }

    /// A plan.
    #[inline]
    pub fn plan(&self, number: usize) -> Option<&Plan> {
        self.instructions.plans.plans.get(number)
    }

    /// Handles and device pointers. Never held while the driver is called.
    pub fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
