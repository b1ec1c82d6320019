//! The way of a launch where all is as usual: the kernel's layout is known, or nobody can know it, and structure, attributes and arguments
//! lie on the thread's stack, as compilers put them. Nothing is allocated, and nothing asked.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::Ordering;

use cutape_trace_format::ring::MAX_CAPTURE;

use crate::call::{Dispatch, begin_slowly};
use crate::capture::is_on_stack;
use crate::clock;
use crate::fixed_capture::{begin_with_fixed_ins, fixed_words, put_fixed};
use crate::frame::{Frame, REGISTERS};
use crate::kernel_table::{Entry, KnownLayout};
use crate::more::{Belonging, Kernel, RegionPlace, Regions};
use crate::payload_switch::KERNEL_ARGUMENTS;
use crate::process::Process;
use crate::record::Record;
use crate::thread::ThreadState;

/// Parameters of a kernel that are looked at here; the general way has no such limit.
const FEW_PARAMS: usize = 64;

/// [`begin`](crate::call::begin) for launches.
///
/// # Safety
/// As for `begin`.
pub unsafe extern "sysv64" fn begin_launch(frame: &mut Frame) -> Dispatch {
    let thread = ThreadState::current();
    // SAFETY: the caller's promise; the state is the calling thread's.
    unsafe {
        // Nothing belongs to the call but what others have, too; those that come here have all their words in registers.
        let in_registers = usize::from(frame.hook.arg_words()) <= REGISTERS;
        let wanted = KERNEL_ARGUMENTS.load(Ordering::Relaxed) != 0;
        if in_registers && !wanted && leads_nowhere(frame, thread) {
            return begin_with_fixed_ins(frame, thread);
        }
        match begin_as_usual(frame, thread) {
            Some(dispatch) => dispatch,
            None => begin_slowly(frame, thread),
        }
    }
}

/// Whether there is nothing behind the pointers in the launch's structure, as far as can be seen at once.
///
/// # Safety
/// As for [`begin_launch`]; `thread` is the calling thread's state.
#[inline(always)]
unsafe fn leads_nowhere(frame: &Frame, thread: *const ThreadState) -> bool {
    frame.hook.detail.more.before.iter().all(|belonging| {
        let Belonging::Regions(regions) = belonging else {
            return true;
        };
        // SAFETY: the caller's promise.
        let found = unsafe { FastRegion::find(frame, thread, regions) };
        matches!(found, Some(None))
    })
}

/// `None` where the general way is needed, and nothing has happened.
///
/// # Safety
/// As for [`begin_launch`]; `thread` is the calling thread's state.
#[inline(always)]
unsafe fn begin_as_usual(frame: &mut Frame, thread: *mut ThreadState) -> Option<Dispatch> {
    let hook = frame.hook;
    let real: *const c_void = hook.real.load(Ordering::Relaxed);
    if real.is_null() {
        return None;
    }
    // SAFETY: the caller's promises; as many words are written as are reserved.
    unsafe {
        let (mut region, mut arguments) = (None, None);
        for belonging in hook.detail.more.before {
            match belonging {
                Belonging::Regions(regions) => region = FastRegion::find(frame, thread, regions)?,
                Belonging::Kernel(kernel) => {
                    arguments = FastArguments::find(frame, thread, kernel)?;
                }
                _ => return None,
            }
        }
        let captured = fixed_words(frame, thread)?
            + region.as_ref().map_or(0, FastRegion::words)
            + arguments.as_ref().map_or(0, FastArguments::words);
        let words = hook.begin.words() + captured;
        let mut record = Record::reserve_fast(thread, words)?;
        record.prefetch(8 * words);
        record.put(hook.begin.longer_by(captured).0);
        let stamp = record.skip();
        record.put(frame.caller());
        record.put_arguments(frame);
        put_fixed(&mut record, frame);
        if let Some(region) = region {
            region.write(&mut record);
        }
        if let Some(arguments) = arguments {
            arguments.write(&mut record);
        }
        record.name_call(frame);
        stamp.write(clock::tsc());
        record.commit();
    }
    Some(Dispatch {
        real,
        mode: hook.mode.into(),
    })
}

/// What the one counted pointer of one structure leads to.
struct FastRegion {
    number: u8,
    at: usize,
    bytes: usize,
}

impl FastRegion {
    /// The outer `None` where the general way is needed, the inner one where there is nothing.
    ///
    /// # Safety
    /// `thread` is the calling thread's state.
    #[inline(always)]
    unsafe fn find(
        frame: &Frame,
        thread: *const ThreadState,
        regions: &Regions,
    ) -> Option<Option<Self>> {
        let [place] = regions.places else {
            return None;
        };
        let structure = frame.straight_word(regions.word) as usize;
        if structure == 0 {
            return Some(None);
        }
        let size = regions.size as usize;
        if place.when.is_some() || !is_on_stack(frame, thread, structure, size) {
            return None;
        }
        // SAFETY: the structure lies on the stack above our frame.
        let (at, bytes) = unsafe { Self::place_of(structure, place) };
        if at == 0 || bytes == 0 {
            return Some(None);
        }
        let fits = bytes <= MAX_CAPTURE - 8 && is_on_stack(frame, thread, at, bytes);
        fits.then_some(Some(Self {
            number: regions.number,
            at,
            bytes,
        }))
    }

    /// Address and length of what the pointer leads to.
    ///
    /// # Safety
    /// There is such a structure at `structure`.
    unsafe fn place_of(structure: usize, place: &RegionPlace) -> (usize, usize) {
        let structure: *const u8 = ptr::with_exposed_provenance(structure);
        // SAFETY: the caller's promise; the build script's offsets lie in the structure.
        unsafe {
            let at = structure.add(place.pointer as usize).cast::<usize>();
            let count = structure.add(place.count.offset as usize);
            let count = match place.count.bytes {
                8 => count.cast::<usize>().read_unaligned(),
                _ => count.cast::<u32>().read_unaligned() as usize,
            };
            (
                at.read_unaligned(),
                count.saturating_mul(place.size as usize),
            )
        }
    }

    fn words(&self) -> usize {
        2 + self.bytes.div_ceil(8)
    }

    /// # Safety
    /// The record has [`Self::words`] words left, and the thread has not returned from the call.
    #[inline(always)]
    unsafe fn write(&self, record: &mut Record) {
        // SAFETY: the caller's promise; `find` has seen that the memory is on the stack above our frame.
        unsafe {
            record.put((self.bytes + 8) as u64 | u64::from(self.number) << 32);
            record.put(self.at as u64);
            record.put_bytes(ptr::with_exposed_provenance(self.at), self.bytes);
        }
    }
}

/// The arguments of a kernel whose layout is known.
struct FastArguments {
    known: &'static KnownLayout,
    number: u8,
    pointers: *const u64,
}

impl FastArguments {
    /// The outer `None` where the general way is needed, the inner one where there is nothing to record.
    ///
    /// # Safety
    /// `thread` is the calling thread's state, and `frame` that of a call of a function with this launch.
    #[inline(always)]
    unsafe fn find(
        frame: &Frame,
        thread: *const ThreadState,
        kernel: &Kernel,
    ) -> Option<Option<Self>> {
        let params = frame.straight_word(kernel.params);
        let extra = kernel.extra.map_or(0, |extra| frame.straight_word(extra));
        if KERNEL_ARGUMENTS.load(Ordering::Relaxed) == 0 || (params == 0 && extra == 0) {
            return Some(None);
        }
        if params == 0 {
            return None;
        }
        let known = match Process::get()?
            .kernels()
            .find(frame.straight_word(kernel.function))
        {
            Entry::Known(known) => known,
            Entry::Unasked(_) => return None,
            Entry::Unknown => return Some(None),
        };
        let places = &known.layout.params;
        if places.len() > FEW_PARAMS
            || known.buffer_bytes > MAX_CAPTURE
            || !is_on_stack(frame, thread, params as usize, 8 * places.len())
        {
            return None;
        }
        let pointers: *const u64 = ptr::with_exposed_provenance(params as usize);
        for (index, place) in places.iter().enumerate() {
            // SAFETY: the pointers lie on the stack above our frame.
            let pointer = unsafe { pointers.add(index).read_unaligned() };
            if !is_on_stack(frame, thread, pointer as usize, place.size.into()) {
                return None;
            }
        }
        Some(Some(Self {
            known,
            number: kernel.number,
            pointers,
        }))
    }

    /// Words that they take in a record.
    fn words(&self) -> usize {
        self.known.capture.len() + 1 + self.known.buffer_bytes.div_ceil(8)
    }

    /// # Safety
    /// The record has [`Self::words`] words left, and the thread has not returned from the call.
    #[inline(always)]
    unsafe fn write(&self, record: &mut Record) {
        let bytes = self.known.buffer_bytes;
        let number = u64::from(self.number) << 32;
        // SAFETY: the caller's promise; `find` has seen that all pointers lead to the stack above our frame.
        unsafe {
            record.put(self.known.capture[0] | number);
            for &word in &self.known.capture[1..] {
                record.put(word);
            }
            record.put(bytes as u64 | number);
            let buffer = record.room(bytes.div_ceil(8)).cast::<u8>();
            for (index, place) in self.known.layout.params.iter().enumerate() {
                let from = self.pointers.add(index).read_unaligned() as usize;
                let from: *const u8 = ptr::with_exposed_provenance(from);
                let to = buffer.add(place.offset.into());
                match place.size {
                    8 => to
                        .cast::<u64>()
                        .write_unaligned(from.cast::<u64>().read_unaligned()),
                    4 => to
                        .cast::<u32>()
                        .write_unaligned(from.cast::<u32>().read_unaligned()),
                    size => ptr::copy_nonoverlapping(from, to, size.into()),
                }
            }
        }
    }
}
