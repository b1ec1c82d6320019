//! The last point of an event that several processes record and wait for: numbers in memory that they share.

use std::fs::File;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::memory::pages;
use crate::shared_file;

/// How long a waiter sleeps before it looks whether the process that it waits for still lives.
const LOOK_AGAIN_NS: libc::c_long = 100_000_000;

/// What lies at the start of the shared memory.
#[repr(C)]
struct Numbers {
    /// How often the event was recorded, over all processes.
    announced: AtomicU64,
    /// The latest of these records that its stream has come to.
    reached: AtomicU64,
    /// Process of the latest record.
    recorder: AtomicU32,
    /// Changes whenever a point is reached; waiters sleep on it.
    changes: AtomicU32,
}

/// The shared memory, mapped as long as this lives.
pub struct SharedPoint {
    file: File,
    address: u64,
}

impl SharedPoint {
    /// New, and never recorded.
    pub fn make() -> Option<Self> {
        Self::of_file(shared_file::make(pages::PAGE_BYTES)?)
    }

    /// Of a file that another process made so.
    pub fn of_file(file: File) -> Option<Self> {
        let bytes = file.metadata().ok()?.len();
        let address = (bytes == pages::PAGE_BYTES)
            .then(|| pages::map_file(&file, pages::PAGE_BYTES))
            .flatten()?;
        Some(Self { file, address })
    }

    /// The file that other processes open.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Takes the number of a new record.
    pub fn announce(&self) -> u64 {
        let numbers = self.numbers();
        numbers
            .recorder
            .store(std::process::id(), Ordering::Release);
        1 + numbers.announced.fetch_add(1, Ordering::AcqRel)
    }

    /// The number of the latest record; 0 for none.
    pub fn announced(&self) -> u64 {
        self.numbers().announced.load(Ordering::Acquire)
    }

    /// The stream has come to a record.
    pub fn reach(&self, number: u64) {
        let numbers = self.numbers();
        numbers.reached.fetch_max(number, Ordering::AcqRel);
        numbers.changes.fetch_add(1, Ordering::AcqRel);
        // SAFETY: wakes whoever sleeps on this word, in any process; it is mapped as long as `self` lives.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                numbers.changes.as_ptr(),
                libc::FUTEX_WAKE,
                libc::c_int::MAX,
            )
        };
    }

    /// Whether that record has been reached. What was recorded by a process that has ended never will be, and holds nobody up.
    pub fn has_reached(&self, number: u64) -> bool {
        let numbers = self.numbers();
        numbers.reached.load(Ordering::Acquire) >= number
            || !is_alive(numbers.recorder.load(Ordering::Acquire))
    }

    /// Waits until it has been.
    pub fn wait(&self, number: u64) {
        let changes = &self.numbers().changes;
        loop {
            let seen = changes.load(Ordering::Acquire);
            if self.has_reached(number) {
                return;
            }
            let limit = libc::timespec {
                tv_sec: 0,
                tv_nsec: LOOK_AGAIN_NS,
            };
            // SAFETY: sleeps on a mapped word unless it has changed, for a limited time that is a local variable.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    changes.as_ptr(),
                    libc::FUTEX_WAIT,
                    seen,
                    &raw const limit,
                )
            };
        }
    }

    fn numbers(&self) -> &Numbers {
        // SAFETY: a shared mapping of a whole page, which is aligned, lives as long as `self`, and is only ever used as these atomics.
        unsafe { &*(self.address as usize as *const Numbers) }
    }
}

impl Drop for SharedPoint {
    fn drop(&mut self) {
        pages::unmap(self.address, pages::PAGE_BYTES);
    }
}

/// Whether a process is there that may still do what it announced.
fn is_alive(process: u32) -> bool {
    let Ok(process) = libc::pid_t::try_from(process) else {
        return false;
    };
    // SAFETY: signal 0 only asks.
    let asked = unsafe { libc::kill(process, 0) };
    asked == 0 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_record_counts_whoever_made_it_and_in_whatever_order_they_are_reached() {
        let here = SharedPoint::make().expect("shared memory");
        assert!(here.has_reached(here.announced()));
        let copy = here.file().try_clone().expect("a descriptor");
        let there = SharedPoint::of_file(copy).expect("the same memory");
        let (first, second) = (here.announce(), there.announce());
        assert_eq!((first, second), (1, 2));
        assert!(!here.has_reached(second));
        there.reach(second);
        assert!(here.has_reached(second));
        here.reach(first);
        assert!(there.has_reached(there.announced()));
    }

    #[test]
    fn a_waiter_is_woken_when_the_point_is_reached() {
        let point = SharedPoint::make().expect("shared memory");
        let number = point.announce();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| point.wait(number));
            point.reach(number);
            waiter.join().expect("it comes back");
        });
    }

    #[test]
    fn what_a_process_that_is_gone_recorded_holds_nobody_up() {
        let point = SharedPoint::make().expect("shared memory");
        let number = point.announce();
        assert!(!point.has_reached(number));
        // No process has this id: it is above the largest that Linux gives.
        point
            .numbers()
            .recorder
            .store(1 << 22 | 1, Ordering::Release);
        point.wait(number);
    }
}
