//! What all playing threads share.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::plan::{Kind, Plan};
use crate::wire::board::Board;
use crate::worker::driver::Driver;
use crate::worker::handles::{Handles, Known};
use crate::worker::host_memory::CopyMemory;
use crate::worker::instructions::Instructions;
use crate::worker::refusal::Refusal;

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
    /// Devices whose primary context was retained in place of a call through an export table, until the program retains it itself.
    borrowed: Mutex<Vec<i32>>,
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
            borrowed: Mutex::new(Vec::new()),
            instructions,
        })
    }

    /// Learns what a recorded context stands for that no recorded call has answered so far, if it is known to be a primary context.
    ///
    /// libcudart gets it through an export table and makes it current before it retains it. Here it is retained at once, and given back
    /// when the program has retained it.
    ///
    /// # Errors
    /// It is no primary context, or can't be retained: then the program's own call that retains it will say why.
    pub fn find_primary_context(&self, recorded: u64) -> Result<(), Refusal> {
        let mut known = self.instructions.primary_contexts.iter();
        let known = known.find(|context| context.handle == recorded);
        let known = known.ok_or(Refusal::unknown(recorded))?;
        let kinds = &self.instructions.plans.kinds;
        let kind = kinds.iter().position(|kind| kind == "CUcontext");
        let kind = kind.ok_or(Refusal::unknown(recorded))?;
        let standing_in = &self.board.control().standing_in_for;
        standing_in.store(known.retained_by, Ordering::Release);
        let context = self.driver.retain_primary_context(known.device);
        standing_in.store(0, Ordering::Release);
        let context = context.ok_or(Refusal::consequence_of(known.retained_by))?;
        self.borrowed().push(known.device);
        self.handles()
            .learn(kind as Kind, recorded, Known::Here(context));
        Ok(())
    }

    /// The program has retained a device's primary context itself.
    pub fn has_retained(&self, device: i32) {
        let place = self.borrowed().iter().position(|own| *own == device);
        if let Some(place) = place {
            self.borrowed().remove(place);
            self.driver.release_primary_context(device);
        }
    }

    fn borrowed(&self) -> MutexGuard<'_, Vec<i32>> {
        self.borrowed.lock().unwrap_or_else(PoisonError::into_inner)
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
