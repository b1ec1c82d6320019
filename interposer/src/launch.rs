//! The way of a launch where all is as usual: the kernel's layout is known, or nobody can know it, and structure, attributes and arguments
//! lie on the thread's stack, as compilers put them. Nothing is allocated, and nothing asked.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::Ordering;

use cutape_trace_format::capture_number::KERNEL_ARGUMENTS as ARGUMENTS_OF;
use cutape_trace_format::ring::MAX_CAPTURE;

use crate::call::{Dispatch, begin_slowly};
use crate::capture::Stack;
use crate::clock;
use crate::fixed_capture::{fixed_words, put_fixed, read_one};
use crate::frame::Frame;
use crate::hook::HEADER_WORDS;
use crate::kernel_table::{Entry, KnownLayout};
use crate::more::{Belonging, Kernel, RegionPlace, Regions};
use crate::payload_switch::KERNEL_ARGUMENTS;
use crate::process::Process;
use crate::record::Record;
use crate::thread::ThreadState;

/// [`begin`](crate::call::begin) for launches.
///
/// # Safety
/// As for `begin`.
pub unsafe extern "sysv64" fn begin_launch(frame: &mut Frame) -> Dispatch {
    let thread = ThreadState::current();
    // SAFETY: the caller's promise; the state is the calling thread's.
    unsafe {
        match begin_as_usual(frame, thread) {
            Some(dispatch) => dispatch,
            None => begin_slowly(frame, thread),
        }
    }
}

/// The same for functions that take `WORDS` words and nothing else: what word `FUNCTION` names is launched with the arguments that word
/// `PARAMS`, which is also the number of that parameter, points to. What is not as usual is for [`begin_launch`].
///
/// # Safety
/// As for `begin`, of such a function.
pub unsafe extern "sysv64" fn begin_launch_of_words<
    const WORDS: usize,
    const FUNCTION: usize,
    const PARAMS: usize,
>(
    frame: &mut Frame,
) -> Dispatch {
    // SAFETY: the caller's promises.
    unsafe {
        match begin_words_as_usual::<WORDS, FUNCTION, PARAMS>(frame, ThreadState::current()) {
            Some(dispatch) => dispatch,
            None => begin_launch(frame),
        }
    }
}

/// `None` where the general way is needed, and nothing has happened.
///
/// # Safety
/// As for [`begin_launch_of_words`]; `thread` is the calling thread's state.
#[inline(always)]
unsafe fn begin_words_as_usual<const WORDS: usize, const FUNCTION: usize, const PARAMS: usize>(
    frame: &mut Frame,
    thread: *mut ThreadState,
) -> Option<Dispatch> {
    let hook = frame.hook;
    let real: *const c_void = hook.real.load(Ordering::Relaxed);
    let params = frame.straight_word(PARAMS as u8);
    if real.is_null() || params == 0 || KERNEL_ARGUMENTS.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let kernels = Process::get()?.kernels();
    let Entry::Known(known) = kernels.find(frame.straight_word(FUNCTION as u8)) else {
        return None;
    };
    // SAFETY: the caller's promises; as many words are written as are reserved.
    unsafe {
        let stack = Stack::above(frame, thread);
        let number = PARAMS as u8 | ARGUMENTS_OF;
        let arguments = FastArguments::at(stack, known, params, number)?;
        let words = HEADER_WORDS + WORDS + arguments.words();
        let mut record = Record::reserve_fast(thread, words)?;
        record.prefetch(8 * words);
        record.put(hook.begin.longer_by(arguments.words()).0);
        let stamp = record.skip();
        record.put(frame.caller());
        record.put_words::<WORDS>(frame);
        arguments.write(&mut record);
        record.name_call(frame);
        stamp.write(clock::tsc());
        record.commit();
    }
    Some(Dispatch {
        real,
        mode: hook.mode.into(),
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
    let (regions, kernel) = match hook.detail.more.before {
        [Belonging::Kernel(kernel)] => (None, kernel),
        [Belonging::Regions(regions), Belonging::Kernel(kernel)] => (Some(regions), kernel),
        _ => return None,
    };
    // SAFETY: the caller's promises; as many words are written as are reserved.
    unsafe {
        let stack = Stack::above(frame, thread);
        let region = match regions {
            Some(regions) => FastRegion::find(frame, stack, regions)?,
            None => None,
        };
        let arguments = FastArguments::find(frame, stack, kernel)?;
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
    /// `stack` is the calling thread's.
    #[inline(always)]
    unsafe fn find(frame: &Frame, stack: Stack, regions: &Regions) -> Option<Option<Self>> {
        let [place] = regions.places else {
            return None;
        };
        let structure = frame.straight_word(regions.word) as usize;
        if structure == 0 {
            return Some(None);
        }
        let size = regions.size as usize;
        if place.when.is_some() || !stack.holds(structure, size) {
            return None;
        }
        // SAFETY: the structure lies on the stack above our frame.
        let (at, bytes) = unsafe { Self::place_of(structure, place) };
        if at == 0 || bytes == 0 {
            return Some(None);
        }
        let fits = bytes <= MAX_CAPTURE - 8 && stack.holds(at, bytes);
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
    /// `stack` is the calling thread's, and `frame` that of a call of a function with this launch.
    #[inline(always)]
    unsafe fn find(frame: &Frame, stack: Stack, kernel: &Kernel) -> Option<Option<Self>> {
        let params = frame.straight_word(kernel.params);
        let extra = kernel.extra.map_or(0, |extra| frame.straight_word(extra));
        if KERNEL_ARGUMENTS.load(Ordering::Relaxed) == 0 || (params == 0 && extra == 0) {
            return Some(None);
        }
        if params == 0 {
            return None;
        }
        match Process::get()?
            .kernels()
            .find(frame.straight_word(kernel.function))
        {
            Entry::Known(known) => {
                // SAFETY: the caller's promise.
                unsafe { Self::at(stack, known, params, kernel.number) }.map(Some)
            }
            Entry::Unasked(_) => None,
            Entry::Unknown => Some(None),
        }
    }

    /// The arguments that `params` points to; `None` where the general way is needed.
    ///
    /// # Safety
    /// `stack` is the calling thread's.
    #[inline(always)]
    unsafe fn at(
        stack: Stack,
        known: &'static KnownLayout,
        params: u64,
        number: u8,
    ) -> Option<Self> {
        let places = known.layout.params.as_slice();
        if !known.is_usual || !stack.holds(params as usize, 8 * places.len()) {
            return None;
        }
        let pointers: *const u64 = ptr::with_exposed_provenance(params as usize);
        let mut at = pointers;
        for place in places {
            // SAFETY: the pointers lie on the stack above our frame.
            let pointer = unsafe { at.read_unaligned() };
            if !stack.holds(pointer as usize, place.size.into()) {
                return None;
            }
            at = at.wrapping_add(1);
        }
        Some(Self {
            known,
            number,
            pointers,
        })
    }

    /// Words that they take in a record.
    #[inline(always)]
    fn words(&self) -> usize {
        self.known.record_words
    }

    /// # Safety
    /// The record has [`Self::words`] words left, and the thread has not returned from the call.
    #[inline(always)]
    unsafe fn write(&self, record: &mut Record) {
        let known = self.known;
        let number = u64::from(self.number) << 32;
        // SAFETY: the caller's promise; `at` has seen that all pointers lead to the stack above our frame.
        unsafe {
            let (&head, rest) = known.capture.split_first().unwrap_unchecked();
            record.put(head | number);
            for word in rest {
                record.put(read_one(word));
            }
            record.put(known.buffer_bytes as u64 | number);
            let buffer = if known.is_dense {
                record.room_to_fill(known.buffer_words)
            } else {
                record.room(known.buffer_words)
            };
            let buffer = buffer.cast::<u8>();
            let mut at = self.pointers;
            for place in &known.layout.params {
                let from: *const u8 = ptr::with_exposed_provenance(at.read_unaligned() as usize);
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
                at = at.wrapping_add(1);
            }
        }
    }
}
