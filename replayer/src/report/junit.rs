//! A report as JUnit XML, which every CI system reads: a test suite for each trace, a test case for each function or each call.

use std::collections::HashMap;

use super::text::{conclusion, replayed};
use super::xml::Xml;
use super::{FunctionTally, Report, TraceReport};
use crate::divergence::Divergence;
use crate::verdict::Verdict;

/// What a test case stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JunitBy {
    /// All calls of one function: few test cases, whose names stay the same from one recording of a program to the next.
    #[default]
    Function,
    /// One call. Needs [`TraceReport::calls`]; a trace without it is reported by function.
    Call,
}

/// The report as the text of an XML file.
pub fn junit(report: &Report, by: JunitBy) -> String {
    let mut xml = Xml::document();
    xml.open("testsuites", &[("name", "cutape replay")]);
    for trace in &report.traces {
        suite(&mut xml, trace, (&report.driver, by));
    }
    xml.finish()
}

/// What a test case comes to.
enum Case<'a> {
    Passed,
    Failed {
        message: String,
        verdict: Verdict,
        text: String,
    },
    Skipped(&'a str),
}

struct Named<'a> {
    name: String,
    seconds: f64,
    case: Case<'a>,
}

/// `how` is the driver's name, and what a test case stands for.
fn suite(xml: &mut Xml, report: &TraceReport, how: (&str, JunitBy)) {
    let name = report.trace.display().to_string();
    let mut cases: Vec<Named<'_>> = match (how.1, &report.calls) {
        (JunitBy::Call, Some(_)) => by_call(report),
        _ => by_function(report),
    };
    cases.extend(report.troubles.iter().map(|trouble| Named {
        name: "replay is complete".to_owned(),
        seconds: 0.0,
        case: Case::Failed {
            message: trouble.clone(),
            verdict: Verdict::Skipped,
            text: trouble.clone(),
        },
    }));
    let count = |wanted: fn(&Case<'_>) -> bool| {
        cases
            .iter()
            .filter(|named| wanted(&named.case))
            .count()
            .to_string()
    };
    let attributes = [
        ("name", name.as_str()),
        ("tests", &cases.len().to_string()),
        (
            "failures",
            &count(|case| matches!(case, Case::Failed { .. })),
        ),
        ("skipped", &count(|case| matches!(case, Case::Skipped(_)))),
        ("time", &seconds(report.wall_ns as f64 / 1e9)),
    ];
    xml.open("testsuite", &attributes);
    xml.open("properties", &[]);
    for (key, value) in [("driver", how.0), ("conclusion", &conclusion(report))] {
        xml.element("property", &[("name", key), ("value", value)], "");
    }
    xml.close();
    for named in &cases {
        write_case(xml, &name, named);
    }
    xml.close();
}

fn write_case(xml: &mut Xml, suite: &str, named: &Named<'_>) {
    let time = seconds(named.seconds);
    let attributes = [
        ("classname", suite),
        ("name", named.name.as_str()),
        ("time", time.as_str()),
    ];
    match &named.case {
        Case::Passed => xml.element("testcase", &attributes, ""),
        Case::Failed {
            message,
            verdict,
            text,
        } => {
            xml.open("testcase", &attributes);
            xml.element(
                "failure",
                &[("type", verdict.name()), ("message", message)],
                text,
            );
            xml.close();
        }
        Case::Skipped(reason) => {
            xml.open("testcase", &attributes);
            xml.element("skipped", &[("message", reason)], "");
            xml.close();
        }
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.6}")
}

fn by_function(report: &TraceReport) -> Vec<Named<'_>> {
    let mut reproaches: HashMap<&str, Vec<&Divergence>> = HashMap::new();
    for divergence in report.divergences.iter().filter(|one| one.is_reproach()) {
        reproaches
            .entry(&divergence.call.function)
            .or_default()
            .push(divergence);
    }
    report
        .functions
        .iter()
        .map(|function| Named {
            name: function.function.clone(),
            seconds: function.replayed_ns as f64 / 1e9,
            case: function_case(
                report,
                function,
                reproaches
                    .get(function.function.as_str())
                    .map_or(&[], Vec::as_slice),
            ),
        })
        .collect()
}

fn function_case<'a>(
    report: &'a TraceReport,
    function: &FunctionTally,
    reproaches: &[&Divergence],
) -> Case<'a> {
    if function.reproaches > 0 {
        let lines: Vec<String> = reproaches.iter().map(|one| account(one)).collect();
        let more = function.reproaches.saturating_sub(lines.len() as u64);
        let mut text = lines.join("\n");
        if more > 0 {
            text.push_str(&format!("\nand {more} calls more\n"));
        }
        return Case::Failed {
            message: reproaches.first().map_or_else(
                || format!("{} calls diverge", function.reproaches),
                |one| one.headline(),
            ),
            verdict: reproaches
                .first()
                .map_or(Verdict::Changed, |one| one.verdict),
            text,
        };
    }
    if function.tally.of(Verdict::Skipped) == function.tally.total() {
        let reason = report
            .skips
            .iter()
            .find(|skip| skip.function == function.function);
        return Case::Skipped(reason.map_or("not played", |skip| skip.reason.why()));
    }
    Case::Passed
}

fn by_call(report: &TraceReport) -> Vec<Named<'_>> {
    let Some(calls) = &report.calls else {
        return Vec::new();
    };
    let listed: HashMap<u64, &Divergence> = report
        .divergences
        .iter()
        .map(|one| (one.call.seq, one))
        .collect();
    let cases = calls.seqs.iter().zip(&calls.functions).zip(&calls.verdicts);
    cases
        .map(|((&seq, &function), &verdict)| {
            let function = report
                .functions
                .get(function as usize)
                .map_or("?", |function| function.function.as_str());
            let divergence = listed.get(&seq).copied();
            let replayed_ns = divergence
                .and_then(|one| one.replayed.as_ref()?.duration_ns)
                .unwrap_or(0);
            Named {
                name: format!("#{seq} {function}"),
                seconds: replayed_ns as f64 / 1e9,
                case: call_case(verdict, divergence),
            }
        })
        .collect()
}

/// `divergence` is missing where too many are alike to list them all.
fn call_case(verdict: Verdict, divergence: Option<&Divergence>) -> Case<'static> {
    match (verdict, divergence) {
        (_, Some(one)) if one.is_reproach() => Case::Failed {
            message: one.headline(),
            verdict,
            text: account(one),
        },
        (Verdict::Skipped, _) => Case::Skipped(
            divergence
                .and_then(|one| one.skipped)
                .map_or("not played", |reason| reason.why()),
        ),
        (_, None) if verdict.is_reproach() => Case::Failed {
            message: format!("{}, like others before it", verdict.name()),
            verdict,
            text: String::new(),
        },
        _ => Case::Passed,
    }
}

/// A divergence with the recorded and the replayed answer, on lines of their own.
fn account(divergence: &Divergence) -> String {
    let mut text = format!(
        "{}\n  recorded  {}\n",
        divergence.headline(),
        divergence.call.text
    );
    if let Some(replayed) = replayed(divergence) {
        text.push_str(&format!("  replayed  {replayed}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::CallVerdicts;
    use crate::report::sample::suite;

    #[test]
    fn by_function_a_case_each_with_failures_and_skips() {
        let xml = junit(&suite(), JunitBy::Function);
        assert!(
            xml.contains(
                "<testsuite name=\"traces/llama.cutape\" tests=\"7\" failures=\"2\" skipped=\"2\" time=\"0.012346\">"
            ),
            "{xml}"
        );
        assert!(
            xml.contains(
                "<failure type=\"regressed\" message=\"regressed: #16 cuMemGetInfo_v2 0 -&gt; 3, free 78 GiB -&gt; 0\">"
            ),
            "{xml}"
        );
        assert!(xml.contains("name=\"cuInit\" time=\"0.002500\"/>"), "{xml}");
        assert_eq!(xml.matches("<skipped").count(), 2, "{xml}");
        assert_eq!(
            xml.matches("<testcase").count(),
            xml.matches("</testcase>").count() + xml.matches("time=\"0.002500\"/>").count()
        );
    }

    #[test]
    fn by_call_a_case_each_also_for_those_that_are_not_listed() {
        let mut suite = suite();
        let trace = &mut suite.traces[0];
        trace.calls = Some(CallVerdicts {
            seqs: vec![1, 16, 21, 31],
            functions: vec![2, 0, 0, 5],
            verdicts: vec![
                Verdict::Same,
                Verdict::Regressed,
                Verdict::Regressed,
                Verdict::Skipped,
            ],
        });
        let xml = junit(&suite, JunitBy::Call);
        assert!(
            xml.contains("tests=\"4\" failures=\"2\" skipped=\"1\""),
            "{xml}"
        );
        assert!(xml.contains("name=\"#16 cuMemGetInfo_v2\""), "{xml}");
        assert!(
            xml.contains("message=\"regressed, like others before it\""),
            "{xml}"
        );
    }

    #[test]
    fn trouble_is_a_failed_case() {
        let mut suite = suite();
        suite.traces[0]
            .troubles
            .push("block 3 can't be read".to_owned());
        let xml = junit(&suite, JunitBy::Function);
        assert!(
            xml.contains("name=\"replay is complete\"") && xml.contains("block 3 can't be read"),
            "{xml}"
        );
    }
}
