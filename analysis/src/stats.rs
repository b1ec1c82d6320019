//! Which functions were called, how often, how long and with what codes: `strace -c` for the driver. Also by thread, process and caller.

use std::collections::HashMap;

use cutape_cuda_api::Library;
use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, FunctionId};
use cutape_trace_format::trace::Trace;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::filter::{Filter, Matcher};
use crate::json::{self, integer};
use crate::outcome::code_name;
use crate::stats_group::{Group, GroupBy, GroupStats, Groups};
use crate::survey::{MAX_DAMAGES, code_functions};

/// `schema` of the JSON.
pub const JSON_SCHEMA: &str = "cutape.stats";
/// `version` of the JSON; fields may be added without a new one.
pub const JSON_VERSION: u32 = 1;
/// Different codes counted; a real driver has about a hundred. Later ones are counted under no code.
const MAX_CODES: usize = 4096;

/// Statistics of a trace. Times of a call include the calls that a callback makes inside it.
#[derive(Clone, Debug)]
pub struct Stats {
    /// What calls are grouped by.
    pub by: GroupBy,
    /// The filter that chose them, if there was one.
    pub filter: Option<String>,
    /// All groups together.
    pub total: GroupStats,
    /// Each group that has a call.
    pub groups: Vec<GroupStats>,
    /// Each code other than success, the most frequent first.
    pub codes: Vec<CodeCount>,
    /// Calls that are missing because their blocks can't be read.
    pub damaged_calls: u64,
    /// What could not be read on the way, the first of them.
    pub damages: Vec<Damage>,
}

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Stats", 8)?;
        object.serialize_field("schema", JSON_SCHEMA)?;
        object.serialize_field("version", &JSON_VERSION)?;
        object.serialize_field("by", self.by.word())?;
        object.serialize_field("filter", &self.filter)?;
        object.serialize_field("total", &self.total)?;
        object.serialize_field(self.by.plural(), &self.groups)?;
        object.serialize_field("codes", &self.codes)?;
        object.serialize_field("damaged_calls", &Integer(self.damaged_calls))?;
        object.end()
    }
}

/// A number as [`integer`] writes it.
struct Integer(u64);

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        integer(&self.0, serializer)
    }
}

/// What is counted, and how it is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatsQuery<'f> {
    /// What calls are grouped by.
    pub by: GroupBy,
    /// What groups are sorted by.
    pub sort: SortBy,
    /// Which calls are counted; all without one.
    pub filter: Option<&'f Filter>,
    /// Whether groups get a histogram.
    pub histogram: bool,
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

/// What groups are sorted by. Where two are equal, the name decides.
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

impl Stats {
    /// One JSON object with a line feed at the end; docs/reading.md describes it.
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }

    /// Reads all calls. Memory depends on the number of groups, not of calls. `progress` is told now and then how many were read.
    pub fn of(trace: &Trace, query: StatsQuery<'_>, mut progress: impl FnMut(u64)) -> Self {
        let codes = code_functions(trace.schema());
        let mut groups = Groups::new(query.by);
        let mut matcher = query.filter.map(Matcher::new);
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
            read += 1;
            if read.is_multiple_of(1 << 16) {
                progress(read);
            }
            if matcher
                .as_mut()
                .is_some_and(|matcher| !matcher.matches(trace, &call))
            {
                continue;
            }
            let code = call
                .returned
                .map(|word| word as u32)
                .filter(|&code| code != 0 && codes.get(call.function.0 as usize) == Some(&true));
            groups.add(trace, &call, code.is_some());
            if let Some(code) = code {
                count_code(&mut counts, trace, call.function, code);
            }
        }
        let mut finished = groups.finish(trace, query.histogram);
        sort_groups(&mut finished, query.sort);
        let total = Group::Function {
            api: "total".to_owned(),
        };
        Self {
            by: query.by,
            filter: query.filter.map(|filter| filter.text().to_owned()),
            total: groups.total().finish(total, query.histogram),
            groups: finished,
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

/// Puts groups into order.
pub(crate) fn sort_groups(groups: &mut [GroupStats], sort: SortBy) {
    let key = |group: &GroupStats| match sort {
        SortBy::Total => group.total_ns,
        SortBy::Calls => group.calls,
        SortBy::Failed => group.failed,
        SortBy::Mean => group.mean_ns.unwrap_or(0),
        SortBy::P50 => group.p50_ns.unwrap_or(0),
        SortBy::P99 => group.p99_ns.unwrap_or(0),
        SortBy::Max => group.max_ns.unwrap_or(0),
        SortBy::Name => 0,
    };
    groups.sort_by(|left, right| {
        key(right)
            .cmp(&key(left))
            .then_with(|| left.group.name().cmp(&right.group.name()))
    });
}
