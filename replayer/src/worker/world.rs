//! What all playing threads share.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cutape_trace_format::function_name::FunctionName;

use crate::plan::{Kind, Plan};
use crate::wire::board::Board;
use crate::wire::images::ImagePlace;
use crate::wire::slot::Message;
use crate::worker::driver::Driver;
use crate::worker::handles::{Handles, Known};
use crate::worker::host_memory::{CopyMemory, KeptMemory};
use crate::worker::instructions::Instructions;
use crate::worker::later_copies::LaterCopies;
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
    /// Memory of ours in place of the program's, for copies that may go on after their call.
    kept: Mutex<KeptMemory>,
    /// Copies whose data may not have come yet.
    later_copies: Mutex<LaterCopies>,
    /// Device memory may hold something other than when the calls were recorded.
    is_data_unknown: AtomicBool,
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
            kept: Mutex::new(KeptMemory::new(instructions.max_host_bytes)),
            later_copies: Mutex::default(),
            is_data_unknown: AtomicBool::new(false),
            handles: Mutex::new(Handles::new(&instructions.plans.kinds)),
            borrowed: Mutex::new(Vec::new()),
            instructions,
        })
    }

    /// Learns what a recorded handle stands for that the program got past all recorded calls, if the recording says what it was.
    ///
    /// # Errors
    /// It doesn't, or the driver under test has no such thing.
    pub fn find_private(&self, message: &Message<'_>, unknown: Refusal) -> Result<(), Refusal> {
        let name = message.capture(unknown.param as u8, true);
        match name.and_then(|name| FunctionName::read(name.bytes)) {
            Some(name) => self.find_function(message, unknown.detail, &name),
            None => self.find_primary_context(unknown.detail),
        }
    }

    /// A kernel that libcufft found through an export table: the driver under test is asked for the one of that name.
    fn find_function(
        &self,
        message: &Message<'_>,
        recorded: u64,
        name: &FunctionName,
    ) -> Result<(), Refusal> {
        let kind = |name: &str| self.kind(name).ok_or(Refusal::unknown(recorded));
        let module = self.handles().handle(kind("CUmodule")?, name.module);
        let module = match module {
            Known::Here(module) => module,
            Known::Missing(cause) => return Err(Refusal::consequence_of(cause)),
            Known::Unknown => return Err(Refusal::unknown(recorded)),
        };
        let seq = message.order.seq;
        let function = self.stand_in(seq, || self.driver.function_of(module, &name.name));
        let known = function.map_or(Known::Missing(seq), Known::Here);
        self.handles().learn(kind("CUfunction")?, recorded, known);
        function.map(drop).ok_or(Refusal::unknown(recorded))
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        let kinds = &self.instructions.plans.kinds;
        let place = kinds.iter().position(|kind| kind == name)?;
        Some(place as Kind)
    }

    /// Calls the driver in place of a recorded call through an export table; if it ends the process, the report says so.
    fn stand_in<T>(&self, seq: u64, call: impl FnOnce() -> T) -> T {
        let standing_in = &self.board.control().standing_in_for;
        standing_in.store(seq, Ordering::Release);
        let answer = call();
        standing_in.store(0, Ordering::Release);
        answer
    }

    /// Learns what a recorded context stands for that no recorded call has answered so far, if it is known to be a primary context.
    ///
    /// libcudart gets it through an export table and makes it current before it retains it. Here it is retained at once, and given back
    /// when the program has retained it.
    ///
    /// # Errors
    /// It is no primary context, or can't be retained: then the program's own call that retains it will say why.
    fn find_primary_context(&self, recorded: u64) -> Result<(), Refusal> {
        let mut known = self.instructions.primary_contexts.iter();
        let known = known.find(|context| context.handle == recorded);
        let known = known.ok_or(Refusal::unknown(recorded))?;
        let kind = self.kind("CUcontext").ok_or(Refusal::unknown(recorded))?;
        let context = self.stand_in(known.retained_by, || {
            self.driver.retain_primary_context(known.device)
        });
        let context = context.ok_or(Refusal::consequence_of(known.retained_by))?;
        self.borrowed().push(known.device);
        self.handles().learn(kind, recorded, Known::Here(context));
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

    /// From now on it is not known what device memory holds: something was written there that is not on record, or something that is
    /// was not.
    #[inline]
    pub fn data_is_unknown(&self) {
        if !self.is_data_unknown.load(Ordering::Relaxed) {
            self.is_data_unknown.store(true, Ordering::Release);
        }
    }

    /// Whether device memory holds what it held when the calls were recorded, but for what the driver under test did otherwise.
    pub fn is_data_known(&self) -> bool {
        !self.is_data_unknown.load(Ordering::Acquire)
    }

    /// An image or data that the judge has put into the shared memory, by the number of the capture that refers to it.
    pub fn content(&self, message: &Message<'_>, number: u8) -> Option<&[u8]> {
        let capture = message.capture(number, false)?;
        let place = ImagePlace::read(capture.bytes)?;
        let memory = self.board.memory();
        let start = memory.at(place.offset as usize, place.bytes as usize)?;
        // SAFETY: mapped as long as the process lives, and written before the call was posted. The judge puts other data there only when
        // the call is over.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), place.bytes as usize) })
    }

    /// Memory in place of the program's own at a recorded address, the same for each copy that it is for; `None` if that would be too much.
    pub fn kept_memory(&self, recorded: u64, bytes: u64, is_written: bool) -> Option<u64> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.address(recorded, bytes, is_written)
    }

    /// Copies whose data may not have come yet.
    pub fn later_copies(&self) -> MutexGuard<'_, LaterCopies> {
        let copies = self.later_copies.lock();
        copies.unwrap_or_else(PoisonError::into_inner)
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
