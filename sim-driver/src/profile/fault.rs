//! A fault: calls of a function that do something else than the simulated GPU would.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::latency::{self, Latency};
use super::{Pattern, When, harm};

/// One `[[fault]]` of a profile, for one function.
#[derive(Debug)]
pub struct Fault {
    /// The exported name of the function that it applies to.
    pub function: &'static str,
    /// What the calls do.
    pub effect: Effect,
    /// Which calls.
    pub when: When,
    /// Which programs make them; `None` for all.
    pub process: Option<Pattern>,
    calls: AtomicU64,
}

/// What a call does that a fault hits, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// Time passes.
    pub latency: Option<Latency>,
    /// Text that goes to standard output.
    pub prints: Option<String>,
    /// The program's descriptors are closed.
    pub closes_descriptors: bool,
    /// The heap is corrupted.
    pub scribbles: bool,
    /// The call does not come back.
    pub end: Option<End>,
    /// The code that is returned without doing the work; `None` if the work is done.
    pub error: Option<u32>,
    /// What is then written through out parameters, by the parameter's place, with the bytes of the value.
    pub set: Vec<(usize, Vec<u8>)>,
}

/// How a call ends that does not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It waits for ever.
    Hang,
    /// It ends the process by `exit`, with this code.
    Exit(u8),
    /// The process gets the signal of this number, as from a crash inside the driver.
    Crash(i32),
}

impl Fault {
    /// A fault that has not seen a call yet.
    pub fn new(
        function: &'static str,
        effect: Effect,
        when: When,
        process: Option<Pattern>,
    ) -> Self {
        Self {
            function,
            effect,
            when,
            process,
            calls: AtomicU64::new(0),
        }
    }

    /// Counts a call; gives its number if it is hit. `elapsed` tells how long ago the process's first call was.
    pub fn count_call(&self, elapsed: impl Fn() -> Duration) -> Option<u64> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.when.hits(call, elapsed).then_some(call)
    }
}

impl Effect {
    /// Whether nothing would be different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What happens before the call does its work, if it ever does.
    pub fn before_the_work(&self, function: &str, call: u64) {
        if let Some(latency) = self.latency {
            let seed = function.bytes().fold(0, |seed: u64, byte| {
                seed.wrapping_mul(31).wrapping_add(u64::from(byte))
            });
            latency::pass(latency.of_call(seed, call));
        }
        if let Some(text) = &self.prints {
            harm::print(text);
        }
        if self.closes_descriptors {
            harm::close_descriptors();
        }
        if self.scribbles {
            harm::scribble();
        }
        match self.end {
            None => {}
            Some(End::Hang) => harm::hang(),
            Some(End::Exit(code)) => harm::exit(code.into()),
            Some(End::Crash(signal)) => harm::crash(signal),
        }
    }
}

impl Clone for Fault {
    fn clone(&self) -> Self {
        Self::new(
            self.function,
            self.effect.clone(),
            self.when.clone(),
            self.process.clone(),
        )
    }
}
