//! A report as one JSON object, for programs. docs/replay.md describes it.

use cutape_analysis::json::{integer, optional};
use serde::{Serialize, Serializer};

use super::{Report, TraceReport};
use crate::answer::{Answer, Difference, Part};
use crate::divergence::Divergence;
use crate::verdict::Tally;

/// `schema` of the JSON.
pub const JSON_SCHEMA: &str = "cutape.replay";
/// `version` of the JSON; fields may be added without a new one.
pub const JSON_VERSION: u32 = 1;

/// The report as text, with a line feed at the end.
pub fn json(report: &Report) -> String {
    cutape_analysis::json::pretty(&ReportJson {
        schema: JSON_SCHEMA,
        version: JSON_VERSION,
        driver: &report.driver,
        conforms: report.conforms(),
        complete: !report.has_trouble(),
        calls: TallyJson(report.tally()),
        traces: report.traces.iter().map(trace).collect(),
        unused_policy: &report.unused_policy,
    })
}

#[derive(Serialize)]
struct ReportJson<'a> {
    schema: &'static str,
    version: u32,
    driver: &'a str,
    conforms: bool,
    complete: bool,
    calls: TallyJson,
    traces: Vec<TraceJson<'a>>,
    unused_policy: &'a [String],
}

/// Calls by verdict, those that did not occur left out, and `total`.
struct TallyJson(Tally);

impl Serialize for TallyJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verdicts = self
            .0
            .occurred()
            .map(|(verdict, calls)| (verdict.name(), Number(calls)));
        serializer.collect_map(verdicts.chain([("total", Number(self.0.total()))]))
    }
}

struct Number(u64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        integer(&self.0, serializer)
    }
}

#[derive(Serialize)]
struct TraceJson<'a> {
    trace: String,
    conforms: bool,
    #[serde(serialize_with = "integer")]
    wall_ns: u64,
    calls: TallyJson,
    #[serde(serialize_with = "integer")]
    reproaches: u64,
    #[serde(serialize_with = "integer")]
    expected: u64,
    first: Option<Number>,
    divergences: Vec<DivergenceJson<'a>>,
    #[serde(serialize_with = "integer")]
    omitted: u64,
    skips: Vec<SkipJson<'a>>,
    not_compared: Vec<SkipJson<'a>>,
    functions: Vec<FunctionJson<'a>>,
    processes: Vec<ProcessJson<'a>>,
    troubles: &'a [String],
}

#[derive(Serialize)]
struct DivergenceJson<'a> {
    #[serde(serialize_with = "integer")]
    seq: u64,
    pid: u32,
    tid: u32,
    api: &'a str,
    verdict: &'static str,
    is_reproach: bool,
    headline: String,
    text: &'a str,
    recorded: AnswerJson<'a>,
    replayed: Option<AnswerJson<'a>>,
    differences: Vec<DifferenceJson<'a>>,
    skipped: Option<&'static str>,
    detail: Option<&'a str>,
    cause: Option<Number>,
    #[serde(serialize_with = "integer")]
    consequences: u64,
    expected: Option<&'a str>,
}

#[derive(Serialize)]
struct AnswerJson<'a> {
    ret: Option<u32>,
    ret_name: Option<&'a str>,
    #[serde(serialize_with = "optional")]
    dur_ns: Option<u64>,
}

#[derive(Serialize)]
struct DifferenceJson<'a> {
    /// Null for what is returned.
    argument: Option<&'a str>,
    class: &'static str,
    recorded: &'a str,
    replayed: &'a str,
}

#[derive(Serialize)]
struct SkipJson<'a> {
    reason: &'static str,
    why: &'static str,
    api: &'a str,
    #[serde(serialize_with = "integer")]
    calls: u64,
}

#[derive(Serialize)]
struct FunctionJson<'a> {
    api: &'a str,
    calls: TallyJson,
    #[serde(serialize_with = "integer")]
    reproaches: u64,
    #[serde(serialize_with = "integer")]
    recorded_ns: u64,
    #[serde(serialize_with = "integer")]
    replayed_ns: u64,
}

#[derive(Serialize)]
struct ProcessJson<'a> {
    pid: u32,
    #[serde(serialize_with = "integer")]
    calls: u64,
    deaths: u32,
    printed: &'a str,
}

fn trace(report: &TraceReport) -> TraceJson<'_> {
    TraceJson {
        trace: report.trace.display().to_string(),
        conforms: report.conforms(),
        wall_ns: report.wall_ns,
        calls: TallyJson(report.tally()),
        reproaches: report.reproaches,
        expected: report.expected,
        first: report.first().map(|first| Number(first.call.seq)),
        divergences: report
            .divergences
            .iter()
            .map(|one| divergence(report, one))
            .collect(),
        omitted: report.omitted,
        skips: report
            .skips
            .iter()
            .map(|skip| SkipJson {
                reason: skip.reason.name(),
                why: skip.reason.why(),
                api: &skip.function,
                calls: skip.calls,
            })
            .collect(),
        not_compared: report
            .not_compared
            .iter()
            .map(|one| SkipJson {
                reason: one.reason.name(),
                why: one.reason.why(),
                api: &one.function,
                calls: one.calls,
            })
            .collect(),
        functions: report
            .functions
            .iter()
            .map(|function| FunctionJson {
                api: &function.function,
                calls: TallyJson(function.tally),
                reproaches: function.reproaches,
                recorded_ns: function.recorded_ns,
                replayed_ns: function.replayed_ns,
            })
            .collect(),
        processes: report
            .processes
            .iter()
            .map(|process| ProcessJson {
                pid: process.pid,
                calls: process.calls,
                deaths: process.deaths,
                printed: &process.printed,
            })
            .collect(),
        troubles: &report.troubles,
    }
}

fn divergence<'a>(report: &TraceReport, one: &'a Divergence) -> DivergenceJson<'a> {
    DivergenceJson {
        seq: one.call.seq,
        pid: one.call.pid,
        tid: one.call.tid,
        api: &one.call.function,
        verdict: one.verdict.name(),
        is_reproach: one.is_reproach(),
        headline: one.headline(),
        text: &one.call.text,
        recorded: answer(&one.recorded),
        replayed: one.replayed.as_ref().map(answer),
        differences: one.differences.iter().map(difference).collect(),
        skipped: one.skipped.map(|reason| reason.name()),
        detail: one.detail.as_deref(),
        cause: one.cause.map(Number),
        consequences: report.consequences_of(one.call.seq),
        expected: one.expected.as_deref(),
    }
}

fn answer(answer: &Answer) -> AnswerJson<'_> {
    AnswerJson {
        ret: answer.code_number(),
        ret_name: answer.code.as_ref().and_then(|code| code.name.as_deref()),
        dur_ns: answer.duration_ns,
    }
}

fn difference(difference: &Difference) -> DifferenceJson<'_> {
    DifferenceJson {
        argument: match &difference.part {
            Part::Returned => None,
            Part::Argument(name) => Some(name),
        },
        class: difference.class.name(),
        recorded: &difference.recorded,
        replayed: &difference.replayed,
    }
}

#[cfg(test)]
mod tests {
    use super::json;
    use crate::report::sample::suite;

    #[test]
    fn programs_find_what_people_read() {
        let value: serde_json::Value = serde_json::from_str(&json(&suite())).unwrap();
        assert_eq!(value["schema"], "cutape.replay");
        assert_eq!(value["conforms"], false);
        assert_eq!(value["complete"], true);
        assert_eq!(value["calls"]["regressed"], 2);
        assert_eq!(value["calls"]["total"], 11);
        let trace = &value["traces"][0];
        assert_eq!(trace["first"], 16);
        let regressed = &trace["divergences"][2];
        assert_eq!(
            regressed["replayed"]["ret_name"],
            "CUDA_ERROR_NOT_INITIALIZED"
        );
        assert_eq!(
            regressed["differences"][0]["argument"],
            serde_json::Value::Null
        );
        assert_eq!(regressed["differences"][1]["argument"], "free");
        assert_eq!(trace["divergences"][4]["consequences"], 2);
        assert_eq!(trace["divergences"][5]["cause"], 30);
    }
}
