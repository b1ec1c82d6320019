//! The counter that records are stamped with.

use std::arch::x86_64::{__cpuid, _rdtsc, CpuidResult};
use std::sync::atomic::{AtomicBool, Ordering};

use cutape_trace_format::clock::AnchorReading;
use cutape_trace_format::ring::Anchor;

/// False until [`choose`] found a time stamp counter that runs at one rate on all cores.
static USE_TSC: AtomicBool = AtomicBool::new(false);

/// Leaf 0x8000_0007, EDX bit 8: the counter runs at a constant rate in all power states (Intel SDM volume 3, 18.17.1).
const INVARIANT_TSC: u32 = 1 << 8;

/// Decides once, before the first record, which counter this process uses. True for the time stamp counter.
pub fn choose() -> bool {
    let invariant =
        cpuid(0x8000_0000).eax >= 0x8000_0007 && cpuid(0x8000_0007).edx & INVARIANT_TSC != 0;
    USE_TSC.store(invariant, Ordering::Relaxed);
    invariant
}

/// What the processor says of itself.
#[allow(
    unused_unsafe,
    reason = "the intrinsic is safe in newer compilers than the oldest that we promise"
)]
fn cpuid(leaf: u32) -> CpuidResult {
    // SAFETY: every x86-64 has cpuid.
    unsafe { __cpuid(leaf) }
}

/// The counter now.
pub fn ticks() -> u64 {
    if uses_tsc() {
        tsc()
    } else {
        nanoseconds(libc::CLOCK_MONOTONIC)
    }
}

/// The time stamp counter now. Bare `rdtsc`: `rdtscp` costs twice as much, `clock_gettime` three times.
#[inline(always)]
pub fn tsc() -> u64 {
    // SAFETY: every x86-64 has rdtsc; a process that forbade it to itself (PR_SET_TSC) could not run the CUDA driver either.
    unsafe { _rdtsc() }
}

/// A clock of the kernel, in nanoseconds.
pub fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is ours. The clocks used here exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Whether [`ticks`] is the time stamp counter; otherwise it is CLOCK_MONOTONIC.
pub fn uses_tsc() -> bool {
    USE_TSC.load(Ordering::Relaxed)
}

/// Reads counter and clocks at one moment: the counter between two readings of the monotonic clock, the narrowest of three tries.
pub fn read_all() -> AnchorReading {
    let one = || {
        let before = nanoseconds(libc::CLOCK_MONOTONIC);
        let ticks = ticks();
        let after = nanoseconds(libc::CLOCK_MONOTONIC);
        let realtime_ns = nanoseconds(libc::CLOCK_REALTIME);
        (
            after - before,
            AnchorReading {
                ticks,
                monotonic_ns: before + (after - before) / 2,
                realtime_ns,
            },
        )
    };
    let (mut width, mut best) = one();
    for _ in 0..2 {
        let (next_width, next) = one();
        if next_width < width {
            (width, best) = (next_width, next);
        }
    }
    best
}

/// Writes a reading where a reader of the ring file finds it, never half old and half new.
pub fn store(reading: &AnchorReading, anchor: &Anchor) {
    let sequence = anchor.sequence.load(Ordering::Relaxed);
    anchor.sequence.store(sequence + 1, Ordering::Relaxed);
    std::sync::atomic::fence(Ordering::Release);
    anchor.ticks.store(reading.ticks, Ordering::Relaxed);
    anchor
        .monotonic_ns
        .store(reading.monotonic_ns, Ordering::Relaxed);
    anchor
        .realtime_ns
        .store(reading.realtime_ns, Ordering::Relaxed);
    anchor.sequence.store(sequence + 2, Ordering::Release);
}

/// The steps in which the counter moves, in whole nanoseconds, at least 1: some virtual machines' counters move by 10 ns, and times
/// in that unit are smaller on disk and lose nothing. `since` is an earlier reading, some way back.
pub fn granularity_ns(since: &AnchorReading) -> u32 {
    const SAMPLES: usize = 500;
    let mut step = 0;
    let mut previous = ticks();
    for _ in 0..SAMPLES {
        let now = ticks();
        step = greatest_common_divisor(now.wrapping_sub(previous), step);
        previous = now;
    }
    let now = read_all();
    let (elapsed_ns, elapsed) = (
        now.monotonic_ns - since.monotonic_ns,
        now.ticks.wrapping_sub(since.ticks),
    );
    let step_ns = u128::from(step) * u128::from(elapsed_ns) / u128::from(elapsed.max(1));
    u32::try_from(step_ns).map_or(1, |ns| ns.clamp(1, 1000))
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
