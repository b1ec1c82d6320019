//! The thread that turns rings into blocks.
//!
//! It sleeps until a ring is a quarter full or a second has passed, encodes what is there, writes it, and only then frees the ring.
//! So a killed process leaves nothing behind that is in neither place. Nothing waits for this thread at the program's end: what it
//! has not written is in the ring file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use crossbeam_channel::Receiver;
use cutape_trace_format::clock::{AnchorReading, ClockFit};
use cutape_trace_format::encoder::{CallsEncoder, RingSlice};
use cutape_trace_format::metadata::{Note, note};

use crate::clock;
use crate::failure::Failure;
use crate::fork_page::fork_page;
use crate::futex;
use crate::held_file::HeldFile;
use crate::introduction;
use crate::last_thread;
use crate::load_map::LoadMap;
use crate::process::Process;
use crate::recording::{self, BlockedSignals};
use crate::ring_file::Ring;

/// What the flusher is told.
pub enum Control {
    /// A ring was made.
    Ring(&'static Ring),
    /// The trace should say this.
    Note(Box<Note>),
}

/// What ticks are measured against.
pub struct Timebase {
    /// The clocks before the first call.
    pub first: AnchorReading,
    /// Unit of times in blocks, nanoseconds.
    pub unit_ns: u32,
}

/// Stack of the flusher: the encoder's buffers are on the heap.
const STACK_BYTES: usize = 512 << 10;
/// Calls are in a block after this time at the latest; readers of a running program look into the rings.
const FLUSH_AFTER_NS: u64 = 1_000_000_000;
/// With nothing to do, the clocks are still compared this often, and whether the main thread is still there is looked at.
const IDLE_NS: u64 = 1_000_000_000;
/// Once the main thread has ended, the process must not outlive its last thread by more than this.
const WATCH_NS: u64 = 5_000_000;
/// Sleep before the second anchor is renewed for the first time; it doubles from there, so that even a short recording has two
/// readings of its clocks some way apart.
const FIRST_SLEEP_NS: u64 = 2_000_000;

/// Starts the thread.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    process: &'static Process,
    orders: Receiver<Control>,
    blocks: HeldFile,
    timebase: Timebase,
) -> Result<(), Failure> {
    let flusher = Flusher {
        process,
        orders,
        blocks,
        rings: Vec::new(),
        encoder: CallsEncoder::new().map_err(|error| Failure::Bug(error.to_string()))?,
        load_map: LoadMap::default(),
        previous: timebase.first,
        unit_ns: timebase.unit_ns,
        out: Vec::new(),
        flushed_ns: clock::nanoseconds(libc::CLOCK_MONOTONIC),
    };
    // The thread inherits the mask: no handler of the program ever runs on it.
    let _signals = BlockedSignals::new();
    let thread = std::thread::Builder::new()
        .name("cutape-flush".to_owned())
        .stack_size(STACK_BYTES);
    thread
        .spawn(move || flusher.run())
        .map(drop)
        .map_err(|error| Failure::Resource {
            wanted: "a thread to write the trace",
            error,
        })
}

struct Flusher {
    process: &'static Process,
    orders: Receiver<Control>,
    blocks: HeldFile,
    rings: Vec<&'static Ring>,
    encoder: CallsEncoder,
    load_map: LoadMap,
    previous: AnchorReading,
    unit_ns: u32,
    out: Vec<u8>,
    flushed_ns: u64,
}

impl Flusher {
    fn run(mut self) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.work()));
        let failure = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure,
            Err(panic) => Failure::Bug(recording::panic_text(panic.as_ref())),
        };
        self.write_last_words(&failure);
        recording::turn_off(&failure);
    }

    /// Leaves the reason in the trace, if the trace still takes it.
    fn write_last_words(&mut self, failure: &Failure) {
        let note = Note {
            kind: note::OFF.to_owned(),
            text: failure.to_string(),
            at_ns: clock::nanoseconds(libc::CLOCK_MONOTONIC),
            ..Note::default()
        };
        if let Ok(block) = note.to_block() {
            let _ = self.blocks.append(&block);
        }
    }

    fn work(&mut self) -> Result<(), Failure> {
        let mut sleep_ns = FIRST_SLEEP_NS;
        while fork_page().epoch.load(Ordering::Relaxed) == self.process.epoch()
            || self.is_starting()
        {
            let seen = self.process.wake.load(Ordering::Acquire);
            while let Ok(order) = self.orders.try_recv() {
                self.obey(order)?;
            }
            clock::store(&clock::read_all(), self.process.second_anchor());
            let fullest = self
                .rings
                .iter()
                .map(|ring| fill(ring))
                .max()
                .unwrap_or(Fill::Empty);
            self.offer_larger_rings()?;
            let due = clock::nanoseconds(libc::CLOCK_MONOTONIC) - self.flushed_ns >= FLUSH_AFTER_NS;
            let wanted = self.process.waiting.swap(false, Ordering::SeqCst);
            if fullest == Fill::Quarter || (fullest == Fill::Some && (due || wanted)) {
                self.flush()?;
                continue;
            }
            self.note_libraries();
            let longest = if last_thread::main_has_ended() {
                if last_thread::is_alone() {
                    self.leave_to_the_program();
                    return Ok(());
                }
                WATCH_NS
            } else if fullest == Fill::Empty {
                IDLE_NS
            } else {
                FLUSH_AFTER_NS
            };
            futex::wait(&self.process.wake, seen, sleep_ns.min(longest));
            sleep_ns = (sleep_ns * 4).min(IDLE_NS);
        }
        Ok(())
    }

    fn obey(&mut self, order: Control) -> Result<(), Failure> {
        match order {
            Control::Ring(ring) => {
                self.rings.push(ring);
                ring.populate();
            }
            Control::Note(note) => {
                self.out = note
                    .to_block()
                    .map_err(|error| Failure::Bug(error.to_string()))?;
                self.write()?;
            }
        }
        Ok(())
    }

    /// The C library ends the process from this thread now, and runs the program's exit handlers on it: it takes signals as the
    /// program's own would, and calls made from here are left in the rings.
    fn leave_to_the_program(&self) {
        self.process.unattended.store(true, Ordering::Release);
        // SAFETY: the set is ours, and sigemptyset initialises it.
        unsafe {
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        }
    }

    /// The thread that starts the recording publishes it after it has started us.
    fn is_starting(&self) -> bool {
        Process::get().is_none()
    }

    /// A ring that fills is too small.
    fn offer_larger_rings(&mut self) -> Result<(), Failure> {
        let full: Vec<&'static Ring> = self
            .rings
            .iter()
            .copied()
            .filter(|ring| fill(ring) == Fill::Quarter)
            .collect();
        for ring in full {
            if let Some(larger) = self.process.offer_larger(ring)? {
                self.rings.push(larger);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let pending: Vec<(&'static Ring, u64, u64)> = self
            .rings
            .iter()
            .map(|ring| (*ring, ring.pending()))
            .map(|(ring, (from, to))| (ring, from, to))
            .collect();
        let now = clock::read_all();
        let fit = self.fit(&now);
        let slices: Vec<RingSlice<'_>> = pending
            .iter()
            .filter(|(_, from, to)| from < to)
            .map(|&(ring, from, to)| RingSlice {
                ring: ring.index,
                from,
                // SAFETY: this thread is the only consumer, and the positions were just read.
                bytes: unsafe { ring.bytes(from, to) },
            })
            .collect();
        self.out.clear();
        let encoded = self.encoder.encode(&slices, &fit, &mut self.out);
        // Whatever comes before a record that can't be read is in blocks all the same.
        self.write()?;
        encoded.map_err(|error| Failure::Bug(error.to_string()))?;
        for (ring, _, to) in pending {
            ring.header().tail.store(to, Ordering::Release);
        }
        self.process.freed.fetch_add(1, Ordering::Release);
        futex::wake(&self.process.freed);
        self.previous = now;
        self.flushed_ns = now.monotonic_ns;
        Ok(())
    }

    fn fit(&self, now: &AnchorReading) -> ClockFit {
        if clock::uses_tsc() {
            ClockFit::between(&self.previous, now, self.unit_ns)
        } else {
            ClockFit::monotonic(self.unit_ns)
        }
    }

    /// Not being able to say who called is no reason to stop recording calls, and a file that takes no more shows at the next flush.
    fn note_libraries(&mut self) {
        self.out.clear();
        self.load_map.write_news(&mut self.out);
        if !self.out.is_empty() {
            let _ = self.write();
        }
    }

    fn write(&mut self) -> Result<(), Failure> {
        let settings = self.process.settings();
        if let Some(limit) = settings.max_bytes
            && introduction::recorded_bytes(&settings.folder) + self.out.len() as u64 > limit
        {
            return Err(Failure::SizeLimit { bytes: limit });
        }
        self.blocks.append(&self.out)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fill {
    Empty,
    Some,
    Quarter,
}

fn fill(ring: &Ring) -> Fill {
    match ring.pending() {
        (from, to) if from == to => Fill::Empty,
        (from, to) if to - from < ring.capacity / 4 => Fill::Some,
        _ => Fill::Quarter,
    }
}
