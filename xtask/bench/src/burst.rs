//! What a recorded call costs its caller, while the recorder works beside it.

use std::path::Path;

use crate::client::{Samples, median, minimum};
use crate::error::BenchError;
use crate::lttng::Lttng;
use crate::workbench::{Driver, Workbench};

/// Calls of one burst: what a program makes between two pauses.
pub const CALLS: &str = "250000";
/// Client processes for each library, in turn.
pub const ROUNDS: usize = 3;
/// Bursts of each kind of call in one process.
const REPEATS: &str = "11";

/// One kind of call.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As the client names its samples.
    pub key: &'static str,
    /// As people read it.
    pub name: &'static str,
    /// It holds only numbers; nothing is copied from memory.
    pub is_scalar: bool,
}

/// The kinds that the client times.
pub const KINDS: [Kind; 7] = [
    Kind {
        key: "scalars3",
        name: "3 scalar arguments (cuMemsetD8_v2)",
        is_scalar: true,
    },
    Kind {
        key: "scalars11",
        name: "11 scalar arguments (cuLaunchKernel)",
        is_scalar: true,
    },
    Kind {
        key: "out1",
        name: "1 out-parameter (cuCtxGetCurrent)",
        is_scalar: false,
    },
    Kind {
        key: "outs2",
        name: "2 out-parameters (cuMemGetInfo_v2)",
        is_scalar: false,
    },
    Kind {
        key: "struct56",
        name: "56-byte struct (cuLaunchKernelEx)",
        is_scalar: false,
    },
    Kind {
        key: "struct128",
        name: "128-byte struct (cuMemcpy2D_v2)",
        is_scalar: false,
    },
    Kind {
        key: "arguments4",
        name: "launch with its 4 arguments (cuLaunchKernel)",
        is_scalar: false,
    },
];

/// What one kind of call costs through one library. Nanoseconds of the calling thread's CPU time unless named otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Two rdtsc and nothing else, in the same process, just before; median.
    pub floor_ns: f64,
    /// Straight to the driver; median.
    pub bare_ns: f64,
    /// What the library adds; median and least.
    pub added_ns: f64,
    /// Least time through the library, less the least straight to the driver.
    pub added_min_ns: f64,
    /// What it adds of the wall clock's time; median. It has waiting in it: for a core, and for room in the ring.
    pub added_wall_ns: f64,
    /// Added against the floor of the same repetition; median.
    pub ratio: f64,
    /// The least added against the least floor.
    pub ratio_min: f64,
}

impl Cost {
    /// From the samples of a kind.
    fn of(samples: &Samples, kind: &Kind) -> Result<Self, BenchError> {
        let series = |way: &str, clock: &str| samples.named(&format!("{}.{way}.{clock}", kind.key));
        let (floor, bare, wrapped) = (
            series("floor", "cpu")?,
            series("bare", "cpu")?,
            series("wrapped", "cpu")?,
        );
        let less =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let added = less(wrapped, bare);
        let added_min_ns = minimum(wrapped) - minimum(bare);
        let ratios: Vec<f64> = added
            .iter()
            .zip(floor)
            .map(|(added, floor)| added / floor)
            .collect();
        Ok(Self {
            floor_ns: median(floor),
            bare_ns: median(bare),
            added_ns: median(&added),
            added_min_ns,
            added_wall_ns: median(&less(series("wrapped", "wall")?, series("bare", "wall")?)),
            ratio: median(&ratios),
            ratio_min: added_min_ns / minimum(floor),
        })
    }
}

/// The costs of all kinds, in the order of [`KINDS`].
pub struct Costs {
    /// Recorded.
    pub cutape: Result<[Cost; KINDS.len()], BenchError>,
    /// Traced with LTTng-UST.
    pub lttng: Result<[Cost; KINDS.len()], BenchError>,
}

/// Times bursts through the interposer and through the LTTng library in turn.
pub fn measure(bench: &Workbench, lttng: Option<&Lttng>) -> Costs {
    let (mut cutape, mut other) = (Ok(Samples::default()), Ok(Samples::default()));
    for _ in 0..ROUNDS {
        add(&mut cutape, || recorded(bench));
        if let Some(lttng) = lttng {
            add(&mut other, || lttng.trace(|library| run(bench, library)));
        }
    }
    Costs {
        cutape: cutape.and_then(|samples| all(&samples)),
        lttng: other.and_then(|samples| all(&samples)),
    }
}

fn add(to: &mut Result<Samples, BenchError>, more: impl FnOnce() -> Result<Samples, BenchError>) {
    if let Ok(samples) = to {
        match more() {
            Ok(more) => samples.append(more),
            Err(error) => *to = Err(error),
        }
    }
}

fn recorded(bench: &Workbench) -> Result<Samples, BenchError> {
    let (samples, recording) = bench.record(Driver::Idle, &["burst", REPEATS, CALLS])?;
    recording.expect_calls(samples.count("calls")?)?;
    let launches = ["arguments", REPEATS, CALLS];
    let (arguments, recording) = bench.record_with("modules", Driver::Idle, &launches)?;
    recording.expect_calls(arguments.count("calls")?)?;
    let mut samples = samples;
    samples.append(arguments);
    Ok(samples)
}

fn run(bench: &Workbench, library: &Path) -> Result<Samples, BenchError> {
    let mut samples = bench.measure(library, Driver::Idle, &["burst", REPEATS, CALLS])?;
    samples.append(bench.measure(library, Driver::Idle, &["arguments", REPEATS, CALLS])?);
    Ok(samples)
}

fn all(samples: &Samples) -> Result<[Cost; KINDS.len()], BenchError> {
    let mut costs = Vec::new();
    for kind in &KINDS {
        costs.push(Cost::of(samples, kind)?);
    }
    Ok(costs.try_into().expect("one cost was pushed for each kind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_cost_is_compared_with_the_floor_of_the_same_repetition() {
        // The second repetition ran on a core of half the speed.
        let text = "scalars3.floor.cpu 10\nscalars3.bare.cpu 1\nscalars3.wrapped.cpu 16\n\
                    scalars3.floor.cpu 20\nscalars3.bare.cpu 2\nscalars3.wrapped.cpu 32\n\
                    scalars3.floor.wall 10\nscalars3.bare.wall 1\nscalars3.wrapped.wall 101\n\
                    scalars3.floor.wall 10\nscalars3.bare.wall 1\nscalars3.wrapped.wall 301";
        let cost = Cost::of(&Samples::parse(text).unwrap(), &KINDS[0]).unwrap();
        assert_eq!(cost.ratio, 1.5);
        assert_eq!(cost.ratio_min, 1.5);
        assert_eq!(cost.added_min_ns, 15.0);
        assert_eq!(cost.added_wall_ns, 200.0);
    }
}
