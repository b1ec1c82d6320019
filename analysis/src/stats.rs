//! Which functions were called, how often, how long and with what codes: `strace -c` for the driver.

use std::collections::HashMap;

use cutape_cuda_api::Library;
use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, FunctionId};
use cutape_trace_format::trace::Trace;
use serde::Serialize;

use crate::histogram::Histogram;
use crate::json::{self, integer, optional};
use crate::outcome::code_name;
use crate::survey::{MAX_DAMAGES, code_functions};

/// `schema` of the JSON.
pub const JSON_SCHEMA: &str = "cutape.stats";
/// `version` of the JSON; fields may be added without a new one.
pub const JSON_VERSION: u32 = 1;
/// Different codes counted; a real driver has about a hundred. Later ones are counted under no code.
const MAX_CODES: usize = 4096;

/// Statistics of a trace. Times of a call include the calls that a callback makes inside it.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// [`JSON_SCHEMA`].
    pub schema: &'static str,
    /// [`JSON_VERSION`].
    pub version: u32,
    /// All functions together.
    pub total: FunctionStats,
    /// Each function that was called.
    pub functions: Vec<FunctionStats>,
    /// Each code other than success, the most frequent first.
    pub codes: Vec<CodeCount>,
    /// Calls that are missing because their blocks can't be read.
    #[serde(serialize_with = "integer")]
    pub damaged_calls: u64,
    /// What could not be read on the way, the first of them.
    #[serde(skip)]
    pub damages: Vec<Damage>,
}

/// Calls of a function. Times are nanoseconds, of the calls that returned; none where no call did.
#[derive(Clone, Debug, Serialize)]
pub struct FunctionStats {
    /// Its symbol name.
    pub api: String,
    /// Calls that began.
    #[serde(serialize_with = "integer")]
    pub calls: u64,
    /// Calls that returned a code other than success.
    #[serde(serialize_with = "integer")]
    pub failed: u64,
    /// Calls that never returned.
    #[serde(serialize_with = "integer")]
    pub in_flight: u64,
    /// Sum of times.
    #[serde(serialize_with = "integer")]
    pub total_ns: u64,
    /// Mean time.
    #[serde(serialize_with = "optional")]
    pub mean_ns: Option<u64>,
    /// Median, within 1.6 %.
    #[serde(serialize_with = "optional")]
    pub p50_ns: Option<u64>,
    /// What 99 of 100 calls do not exceed, within 1.6 %.
    #[serde(serialize_with = "optional")]
    pub p99_ns: Option<u64>,
    /// The longest time.
    #[serde(serialize_with = "optional")]
    pub max_ns: Option<u64>,
}

/// How often a code was returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CodeCount {
    /// `cuda` or `nvml`.
    pub library: &'static str,
    /// The number; `None` for all codes beyond the first few thousand different ones.
    pub code: Option<u32>,
    /// Its name, if the trace has one.
    pub name: Option<String>,
    /// Calls that returned it.
    #[serde(serialize_with = "integer")]
    pub calls: u64,
}

/// What functions are sorted by. Where two are equal, the name decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Sum of times, the largest first.
    #[default]
    Total,
    /// Calls, the most first.
    Calls,
    /// Failed calls, the most first.
    Failed,
    /// Mean time, the longest first.
    Mean,
    /// Median, the longest first.
    P50,
    /// 99th percentile, the longest first.
    P99,
    /// Longest time first.
    Max,
    /// Name, A to Z.
    Name,
}

/// Counts of one function while calls are read.
#[derive(Clone, Debug, Default)]
struct Tally {
    calls: u64,
    failed: u64,
    total_ns: u128,
    times: Histogram,
}

impl Tally {
    fn add(&mut self, call: &Call, failed: bool) {
        self.calls += 1;
        self.failed += u64::from(failed);
        // An end before its begin would need a clock that runs backwards; a call that returned has a duration.
        if let Some(ns) = call.duration_ns {
            self.total_ns += u128::from(ns);
            self.times.add(ns);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.total_ns += other.total_ns;
        self.times.merge(&other.times);
    }

    fn finish(&self, api: String) -> FunctionStats {
        let returned = self.times.count();
        let mean = self.total_ns.checked_div(u128::from(returned));
        FunctionStats {
            api,
            calls: self.calls,
            failed: self.failed,
            in_flight: self.calls - returned,
            total_ns: u64::try_from(self.total_ns).unwrap_or(u64::MAX),
            mean_ns: mean.map(|mean| mean as u64),
            p50_ns: self.times.percentile_ns(50),
            p99_ns: self.times.percentile_ns(99),
            max_ns: self.times.most_ns(),
        }
    }
}

impl Stats {
    /// One JSON object with a line feed at the end; docs/reading.md describes it.
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }

    /// Reads all calls. Memory depends on the number of functions, not of calls. `progress` is told now and then how many were read.
    pub fn of(trace: &Trace, sort: SortBy, mut progress: impl FnMut(u64)) -> Self {
        let codes = code_functions(trace.schema());
        let mut tallies: HashMap<FunctionId, Tally> = HashMap::new();
        let mut counts: HashMap<(Library, Option<u32>), u64> = HashMap::new();
        let mut damaged_calls = trace.losses().damaged;
        let (mut read, mut damages) = (0u64, Vec::new());
        let mut calls = trace.calls();
        let mut call = Call::default();
        loop {
            match calls.read_next(&mut call) {
                Ok(true) => {}
                Ok(false) => break,
                Err(damage) => {
                    damaged_calls = damaged_calls.saturating_add(damage.lost_calls.unwrap_or(0));
                    if damages.len() < MAX_DAMAGES {
                        damages.push(damage);
                    }
                    continue;
                }
            }
            let code = call
                .returned
                .map(|word| word as u32)
                .filter(|&code| code != 0 && codes.get(call.function.0 as usize) == Some(&true));
            tallies
                .entry(call.function)
                .or_default()
                .add(&call, code.is_some());
            if let Some(code) = code {
                count_code(&mut counts, trace, call.function, code);
            }
            read += 1;
            if read.is_multiple_of(1 << 16) {
                progress(read);
            }
        }
        let mut all = Tally::default();
        tallies.values().for_each(|tally| all.merge(tally));
        let mut functions: Vec<_> = tallies
            .iter()
            .map(|(&id, tally)| tally.finish(trace.function_name(id).into_owned()))
            .collect();
        sort_functions(&mut functions, sort);
        Self {
            schema: JSON_SCHEMA,
            version: JSON_VERSION,
            total: all.finish("total".to_owned()),
            functions,
            codes: code_counts(trace, counts),
            damaged_calls,
            damages,
        }
    }
}

fn count_code(
    counts: &mut HashMap<(Library, Option<u32>), u64>,
    trace: &Trace,
    function: FunctionId,
    code: u32,
) {
    let library = trace
        .function(function)
        .map_or(Library::Cuda, |function| function.library);
    let known = counts.len() < MAX_CODES || counts.contains_key(&(library, Some(code)));
    *counts
        .entry((library, Some(code).filter(|_| known)))
        .or_default() += 1;
}

fn code_counts(trace: &Trace, counts: HashMap<(Library, Option<u32>), u64>) -> Vec<CodeCount> {
    let mut codes: Vec<_> = counts
        .into_iter()
        .map(|((library, code), calls)| CodeCount {
            library: match library {
                Library::Cuda => "cuda",
                Library::Nvml => "nvml",
            },
            code,
            name: code
                .and_then(|code| code_name(trace.schema(), library, code))
                .map(str::to_owned),
            calls,
        })
        .collect();
    codes.sort_by_key(|count| (std::cmp::Reverse(count.calls), count.library, count.code));
    codes
}

fn sort_functions(functions: &mut [FunctionStats], sort: SortBy) {
    let key = |function: &FunctionStats| match sort {
        SortBy::Total => function.total_ns,
        SortBy::Calls => function.calls,
        SortBy::Failed => function.failed,
        SortBy::Mean => function.mean_ns.unwrap_or(0),
        SortBy::P50 => function.p50_ns.unwrap_or(0),
        SortBy::P99 => function.p99_ns.unwrap_or(0),
        SortBy::Max => function.max_ns.unwrap_or(0),
        SortBy::Name => 0,
    };
    functions.sort_by(|left, right| {
        key(right)
            .cmp(&key(left))
            .then_with(|| left.api.cmp(&right.api))
    });
}
