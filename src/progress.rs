//! Progress of long work: on a terminal only, and only when it does take long.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A line on standard error that is rewritten a few times a second.
pub struct Progress {
    what: &'static str,
    shown: bool,
    next: Instant,
    terminal: bool,
}

impl Progress {
    /// Work called `what`, "sealing". Nothing is shown in the first half second.
    pub fn new(what: &'static str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            what,
            shown: false,
            next: Instant::now() + Duration::from_millis(500),
            terminal,
        }
    }

    /// `done` of `all` is done.
    pub fn show(&mut self, done: u64, all: u64) {
        if !self.terminal || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + Duration::from_millis(200);
        self.shown = true;
        let percent = done * 100 / all.max(1);
        eprint!("\rcutape: {} {percent} %", self.what);
        let _ = std::io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
