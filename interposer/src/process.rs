//! The recording of one process: its folder, its rings, its flusher.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutape_trace_format::ring::{Anchor, FileHeader, RingHeader};

use crate::clock;
use crate::failure::Failure;
use crate::flusher::{self, Control, Timebase};
use crate::fork_page::{self, OFF, fork_page};
use crate::futex;
use crate::image_layouts::ImageLayouts;
use crate::introduction;
use crate::kernel_table::KernelTable;
use crate::later_copies::LaterCopies;
use crate::payload_store::PayloadStore;
use crate::payload_switch;
use crate::ring_file::{FIRST_CAPACITY, LARGE_CAPACITY, Ring, RingFile};
use crate::settings::{OnFull, PayloadMode, Settings};
use crate::stack;
use crate::thread::ThreadState;
use crate::thread_exit;
use crate::thread_record;

/// Room that is never promised to the fast path: a signal handler's records may come between a check and the reservation.
const MARGIN: u64 = 8 << 10;
/// Room that only ends of calls may take: a call whose begin is on record must not look as if it never returned.
const END_ROOM: u64 = 8 << 10;

/// What room in a ring is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A call's begin, or something else that stands for itself.
    Begin,
    /// The end of a call whose begin is on record.
    End,
}

impl Purpose {
    /// Bytes of a ring that stay free.
    fn kept_free(self) -> u64 {
        match self {
            Self::Begin => MARGIN + END_ROOM,
            Self::End => MARGIN,
        }
    }
}

/// State of the recording that goes on in this process. Lives for ever; a forked child makes one of its own.
pub struct Process {
    epoch: u64,
    settings: Settings,
    rings: Mutex<Rings>,
    /// Threads so far.
    threads: AtomicU64,
    kernels: KernelTable,
    image_layouts: ImageLayouts,
    payloads: PayloadStore,
    later_copies: LaterCopies,
    /// Calls without a ring to go to.
    header: &'static FileHeader,
    control: crossbeam_channel::Sender<Control>,
    /// Futex word: raised to wake the flusher.
    pub wake: AtomicU32,
    /// Futex word: raised when the flusher has freed room.
    pub freed: AtomicU32,
    /// Somebody waits for room.
    pub waiting: AtomicBool,
    /// The flusher has gone, so that waiting for room would be for ever.
    pub unattended: AtomicBool,
}

struct Rings {
    file: RingFile,
    /// Rings whose thread has gone or moved on, the larger ones last.
    free: Vec<&'static Ring>,
}

impl Process {
    /// The process's recording, if it has started.
    pub fn get() -> Option<&'static Self> {
        let process = fork_page().process.load(Ordering::Acquire);
        // SAFETY: published once complete, and leaked.
        unsafe { process.as_ref() }
    }

    /// The process's recording, started by the first thread that comes.
    ///
    /// # Errors
    /// Whatever keeps a recording from starting; nobody tries again.
    pub fn get_or_start() -> Result<&'static Self, Failure> {
        fork_page::prepare().map_err(|error| Failure::Resource {
            wanted: "a page of memory",
            error,
        })?;
        let page = fork_page();
        loop {
            if let Some(process) = Self::get() {
                return Ok(process);
            }
            if page.epoch.load(Ordering::Acquire) == OFF {
                return Err(Failure::Bug(
                    "recording was turned off while it started".to_owned(),
                ));
            }
            if page
                .starting
                .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
            {
                let process = Self::start()?;
                page.process
                    .store(std::ptr::from_ref(process).cast_mut(), Ordering::Release);
                page.epoch.store(process.epoch, Ordering::Release);
                return Ok(process);
            }
            std::thread::yield_now();
        }
    }

    fn start() -> Result<&'static Self, Failure> {
        let ticks_are_tsc = clock::choose();
        let first = clock::read_all();
        let settings = Settings::from_environment()?;
        let folder = make_folder(&settings.folder)?;
        introduction::write_schema(&settings.folder)?;
        let file = RingFile::create(&folder.join("rings"), ticks_are_tsc, &first)?;
        let unit_ns = if ticks_are_tsc {
            clock::granularity_ns(&first)
        } else {
            1
        };
        let blocks = introduction::write_blocks(&folder, first, unit_ns)?;
        let (control, orders) = crossbeam_channel::unbounded();
        let header = file.header();
        clock::store(&clock::read_all(), &header.second_anchor);
        let process = Box::leak(Box::new(Self {
            epoch: fork_page::next_epoch(),
            kernels: KernelTable::new(),
            image_layouts: ImageLayouts::default(),
            payloads: PayloadStore::new(&settings, &folder),
            later_copies: LaterCopies::default(),
            settings,
            rings: Mutex::new(Rings {
                file,
                free: Vec::new(),
            }),
            threads: AtomicU64::new(0),
            header,
            control,
            wake: AtomicU32::new(0),
            freed: AtomicU32::new(0),
            waiting: AtomicBool::new(false),
            unattended: AtomicBool::new(false),
        }));
        payload_switch::set(process.settings.payload);
        flusher::start(process, orders, blocks, Timebase { first, unit_ns })?;
        Ok(process)
    }

    /// Gives the thread a ring and introduces it there.
    ///
    /// # Errors
    /// No ring can be made.
    pub fn attach(&'static self, thread: &mut ThreadState) -> Result<bool, Failure> {
        let free = self.rings().free.pop();
        let ring = match free {
            Some(ring) => ring,
            None => self.add_ring(FIRST_CAPACITY)?,
        };
        thread_exit::watch(thread);
        if thread.epoch != 0 && thread.epoch != self.epoch {
            // A forked child's thread still bears what it was in the parent.
            thread.ordinal = 0;
        }
        if thread.ordinal == 0 {
            thread.ordinal = self.threads.fetch_add(1, Ordering::Relaxed) + 1;
            (thread.stack_start, thread.stack_end) = stack::bounds();
        }
        self.adopt(thread, ring)
    }

    /// Makes `ring` the thread's, starting with a record that says so. False when there is no room for that and calls are dropped.
    fn adopt(
        &'static self,
        thread: &mut ThreadState,
        ring: &'static Ring,
    ) -> Result<bool, Failure> {
        let header = ring.header();
        thread.data = ring.data();
        thread.mask = ring.capacity - 1;
        thread.header = std::ptr::from_ref::<RingHeader>(header);
        thread.id_base = u64::from(ring.index) << 48;
        thread.ring = std::ptr::from_ref(ring);
        thread.reserved = header.head.load(Ordering::Acquire);
        thread.set_limit(thread.reserved);
        thread.epoch = self.epoch;
        if !self.make_room(thread, thread_record::BYTES, Purpose::Begin)? {
            // SAFETY: the caller's own state; it keeps its ordinal for the next try.
            unsafe { ThreadState::forget_ring(thread) };
            self.give_back(ring);
            return Ok(false);
        }
        thread_record::write(thread);
        Ok(true)
    }

    /// Takes a new ring into the file and tells the flusher.
    ///
    /// # Errors
    /// As for [`RingFile::add_ring`].
    pub fn add_ring(&self, capacity: u64) -> Result<&'static Ring, Failure> {
        let ring = self.rings().file.add_ring(capacity)?;
        // The flusher is gone only when recording is off; then nobody drains the ring, and nobody writes to it either.
        let _ = self.control.send(Control::Ring(ring));
        self.wake_flusher();
        Ok(ring)
    }

    /// See [`crate::recording::make_room`].
    ///
    /// # Errors
    /// None today; a ring that can't grow stays as it is.
    pub fn make_room(
        &'static self,
        thread: &mut ThreadState,
        bytes: u64,
        purpose: Purpose,
    ) -> Result<bool, Failure> {
        loop {
            // SAFETY: a thread that comes here has a ring, and rings live for ever.
            let Some(ring) = (unsafe { thread.ring.as_ref() }) else {
                return Ok(false);
            };
            let header = ring.header();
            // A record inside another one stays in the outer one's ring.
            let complete = header.head.load(Ordering::Relaxed) == thread.reserved;
            if complete && let Some(larger) = take_larger(ring) {
                self.give_back(ring);
                if !self.adopt(thread, larger)? {
                    return Ok(false);
                }
                continue;
            }
            self.lower_limit(thread, ring);
            if thread.reserved + bytes
                <= header.tail.load(Ordering::Acquire) + ring.capacity - purpose.kept_free()
            {
                let limit = thread.limit.max(thread.reserved + bytes);
                thread.set_limit(limit);
                return Ok(true);
            }
            if self.settings.on_full == OnFull::Drop || self.unattended.load(Ordering::Acquire) {
                header.dropped.fetch_add(1, Ordering::Relaxed);
                self.wake_flusher();
                return Ok(false);
            }
            if fork_page().epoch.load(Ordering::Relaxed) != self.epoch {
                return Ok(false);
            }
            self.wait_for_room(header);
        }
    }

    /// Whether a ring with so many bytes more is still no fuller than one part in so many; at a quarter it is emptied, and found too small.
    ///
    /// # Safety
    /// `thread` is the calling thread's state, and has a ring.
    pub unsafe fn has_room_in(&self, share: u64, thread: *const ThreadState, bytes: u64) -> bool {
        // SAFETY: the caller's promise; rings live for ever.
        unsafe {
            let Some(ring) = (*thread).ring.as_ref() else {
                return false;
            };
            let used = (*thread).reserved - ring.header().tail.load(Ordering::Acquire);
            used + bytes <= ring.capacity / share
        }
    }

    /// The fast path comes back after a quarter of the ring, to wake the flusher in time; at the latest where the room ends.
    fn lower_limit(&self, thread: &mut ThreadState, ring: &Ring) {
        let tail = ring.header().tail.load(Ordering::Acquire);
        let quarter = ring.capacity / 4;
        if thread.reserved.saturating_sub(tail) >= quarter {
            self.wake_flusher();
        }
        let room = ring.capacity - Purpose::Begin.kept_free();
        thread.set_limit((tail + room).min(thread.reserved + quarter));
    }

    fn wait_for_room(&self, header: &RingHeader) {
        let start = clock::nanoseconds(libc::CLOCK_MONOTONIC);
        let seen = self.freed.load(Ordering::Acquire);
        self.waiting.store(true, Ordering::SeqCst);
        self.wake_flusher();
        futex::wait(&self.freed, seen, 20_000_000);
        header.waits.fetch_add(1, Ordering::Relaxed);
        header.waited_ns.fetch_add(
            clock::nanoseconds(libc::CLOCK_MONOTONIC) - start,
            Ordering::Relaxed,
        );
    }

    /// Wakes the flusher.
    pub fn wake_flusher(&self) {
        self.wake.fetch_add(1, Ordering::Release);
        futex::wake(&self.wake);
    }

    /// The thread that had it doesn't write to it any more; somebody else may.
    pub fn give_back(&self, ring: &'static Ring) {
        let mut rings = self.rings();
        let place = rings
            .free
            .partition_point(|other| other.capacity < ring.capacity);
        rings.free.insert(place, ring);
    }

    /// Makes a larger ring for the owner of a ring that fills, once. Where the program has no memory for it the ring stays as it is, and its
    /// owner waits more often.
    ///
    /// # Errors
    /// The disk is full.
    pub fn offer_larger(&self, ring: &'static Ring) -> Result<Option<&'static Ring>, Failure> {
        if ring.capacity >= LARGE_CAPACITY || !ring.larger.load(Ordering::Relaxed).is_null() {
            return Ok(None);
        }
        let larger = match self.rings().file.add_ring(LARGE_CAPACITY) {
            Ok(larger) => larger,
            Err(Failure::Resource { .. }) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        larger.populate();
        ring.larger
            .store(std::ptr::from_ref(larger).cast_mut(), Ordering::Release);
        Ok(Some(larger))
    }

    /// A call passed without a record.
    pub fn count_lost_call(&self) {
        self.header
            .lost_without_ring
            .fetch_add(1, Ordering::Relaxed);
    }

    /// Leaves word in the ring file and lets nobody wait.
    pub fn turned_off(&self) {
        self.header.off.store(1, Ordering::Release);
        self.freed.fetch_add(1, Ordering::Release);
        futex::wake(&self.freed);
        self.wake_flusher();
    }

    /// The reading of the clocks that the flusher renews.
    pub fn second_anchor(&self) -> &Anchor {
        &self.header.second_anchor
    }

    /// When the process's first call came, CLOCK_MONOTONIC nanoseconds.
    pub fn first_call_ns(&self) -> u64 {
        self.header
            .first_anchor
            .monotonic_ns
            .load(Ordering::Relaxed)
    }

    /// Number that marks this recording's threads and frames.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What images say of their kernels.
    pub fn image_layouts(&self) -> &ImageLayouts {
        &self.image_layouts
    }

    /// How the parameters of kernels lie.
    pub fn kernels(&self) -> &KernelTable {
        &self.kernels
    }

    /// Module images and copied data.
    pub fn payloads(&self) -> &PayloadStore {
        &self.payloads
    }

    /// Copies to the host that may not be over yet.
    pub fn later_copies(&self) -> &LaterCopies {
        &self.later_copies
    }

    /// Whether arguments of kernels are recorded.
    pub fn wants_kernel_arguments(&self) -> bool {
        self.settings.payload != PayloadMode::None
    }

    /// Sends word to the flusher.
    pub fn tell_flusher(&self, control: Control) {
        // It is gone only when recording is off.
        let _ = self.control.send(control);
        self.wake_flusher();
    }

    /// The recording's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_larger(ring: &Ring) -> Option<&'static Ring> {
    let larger = ring.larger.swap(std::ptr::null_mut(), Ordering::AcqRel);
    // SAFETY: the flusher published a ring, and rings live for ever.
    unsafe { larger.as_ref() }
}

/// A new folder for this process: process id, start time, and a number that tells programs apart that one process exec'd in turn.
fn make_folder(recording: &Path) -> Result<PathBuf, Failure> {
    make_if_absent(recording)?;
    let (pid, start) = (std::process::id(), start_time());
    for incarnation in 0..u32::MAX {
        let folder = recording.join(format!("{pid}-{start}-{incarnation}"));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Failure::file("make the folder", &folder, error)),
        }
    }
    Err(Failure::Bug(
        "no name is left for the process's folder".to_owned(),
    ))
}

fn make_if_absent(folder: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Failure::file("make the folder", folder, error))
        }
        _ => Ok(()),
    }
}

/// Field 22 of /proc/self/stat: ticks after boot at which the process started. The name in field 2 may hold anything, so count from
/// the last parenthesis.
fn start_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name
        .split_whitespace()
        .nth(19)
        .and_then(|field| field.parse().ok())
        .unwrap_or(0)
}
