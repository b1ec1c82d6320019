//! A replay report as lines: what counts against the driver first, alike divergences together, what follows from them below them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use cutape_analysis::diff::report::LineKind;
use cutape_analysis::diff::{ArgumentChange, CallChange, RowKind};
use cutape_analysis::printable::push_printable;
use cutape_analysis::quantity::{self, push_time};

use crate::facts::grouped;
use crate::opened::Reading;
use crate::replay_report::{Answer, Divergence, ReplayReport, ReplayedTrace};
use crate::workers::Worker;

use super::compute::{DiffLine, DiffRow, Shown};

/// Alike divergences, and calls that follow from one, that are shown.
const MOST_ALIKE: usize = 24;
/// Divergences whose function is looked up in the trace.
const MOST_CHECKED: usize = 200;
/// Lines that the driver printed and that are shown.
const MOST_PRINTED: usize = 20;

/// What kind of news a divergence is. The order is that of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum News {
    Reproach,
    Fixed,
    Expected,
}

/// Divergences that are alike.
struct Group<'a> {
    news: News,
    alike: Vec<&'a Divergence>,
}

pub(super) fn show(worker: &Worker<'_>, report: &ReplayReport) -> Result<Shown, String> {
    let reading = worker.opened.reading();
    let trace = reading.trace();
    let calls = worker.opened.index().len().max(trace.call_count());
    let replayed = report.about(trace.path(), calls)?;
    let driver = printable(&report.driver);
    let mut shown = Shown {
        sides: Some(("recorded".to_owned(), format!("on {driver}"))),
        heading: heading(report, replayed),
        ..Shown::default()
    };
    shown.heading.extend(mismatch(&reading, replayed));
    push_groups(&mut shown.lines, replayed);
    push_rest(&mut shown.lines, report, replayed);
    Ok(shown)
}

fn text(kind: LineKind, text: impl Into<String>) -> DiffLine {
    DiffLine::Text(kind, text.into())
}

fn printable(text: &str) -> String {
    let mut out = String::new();
    push_printable(&mut out, text);
    out
}

fn file_name(path: &str) -> String {
    printable(path.rsplit('/').next().unwrap_or(path))
}

fn heading(report: &ReplayReport, replayed: &ReplayedTrace) -> Vec<DiffLine> {
    let mut lines = vec![text(
        LineKind::Heading,
        format!(
            "replay of {} on {}",
            file_name(&replayed.trace),
            printable(&report.driver)
        ),
    )];
    let verdict = match (replayed.conforms, replayed.reproaches) {
        (true, _) => "conforms: nothing got worse".to_owned(),
        (false, 0) => "not complete".to_owned(),
        (false, 1) => "diverges: 1 call answers otherwise than recorded, and not better".to_owned(),
        (false, calls) => format!(
            "diverges: {} calls answer otherwise than recorded, and not better",
            grouped(calls)
        ),
    };
    lines.push(text(LineKind::Key, verdict));
    let total = replayed.calls.get("total").copied().unwrap_or(0);
    let by_verdict = replayed
        .calls
        .iter()
        .filter(|(name, _)| *name != "total")
        .map(|(name, calls)| format!("{} {}", grouped(*calls), printable(name)));
    let by_verdict: Vec<String> = by_verdict.collect();
    lines.push(text(
        LineKind::Place,
        format!(
            "{} calls in {}: {}",
            grouped(total),
            quantity::text(push_time, replayed.wall_ns),
            by_verdict.join(", ")
        ),
    ));
    let trouble =
        |trouble: &String| text(LineKind::OnlyA, format!("trouble: {}", printable(trouble)));
    lines.extend(replayed.troubles.iter().map(trouble));
    let others = report.traces.len() - 1;
    if others > 0 {
        let one = if others == 1 { "trace" } else { "traces" };
        lines.push(text(
            LineKind::Note,
            format!(
                "{others} more {one} in the report: `cutape view TRACE {}` shows another one",
                report.path.display()
            ),
        ));
    }
    lines
}

/// Says so where the trace has another call at the number of a divergence.
fn mismatch(reading: &Reading<'_>, replayed: &ReplayedTrace) -> Option<DiffLine> {
    let mut divergences: Vec<&Divergence> =
        replayed.divergences.iter().take(MOST_CHECKED).collect();
    divergences.sort_by_key(|divergence| divergence.seq);
    divergences.dedup_by_key(|divergence| divergence.seq);
    let names: HashMap<u64, &str> = divergences
        .iter()
        .map(|divergence| (divergence.seq, divergence.api.as_str()))
        .collect();
    let mut found = None;
    reading.calls(divergences.iter().map(|one| one.seq), |call| {
        let name = reading.trace().function_name(call.function);
        if names.get(&call.seq).is_some_and(|api| *api != name) {
            found = Some((call.seq, printable(&name)));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let (seq, name) = found?;
    let other = names.get(&seq).map(|name| printable(name))?;
    Some(text(
        LineKind::Changed,
        format!(
            "! call {} is {other} in the report and {name} here: the report is of another recording",
            grouped(seq)
        ),
    ))
}

fn news_of(divergence: &Divergence) -> Option<News> {
    match divergence {
        one if one.is_reproach => Some(News::Reproach),
        one if one.cause.is_some() => None,
        one if one.expected.is_some() => Some(News::Expected),
        one if one.verdict == "fixed" => Some(News::Fixed),
        _ => None,
    }
}

fn groups(replayed: &ReplayedTrace) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places = HashMap::new();
    for divergence in &replayed.divergences {
        let Some(news) = news_of(divergence) else {
            continue;
        };
        let code = |answer: &Option<Answer>| answer.as_ref().and_then(|answer| answer.ret);
        let arguments: Vec<&Option<String>> = divergence
            .differences
            .iter()
            .map(|difference| &difference.argument)
            .collect();
        let alike = (
            (news, &divergence.api, &divergence.verdict),
            (code(&divergence.recorded), code(&divergence.replayed)),
            (arguments, &divergence.skipped),
        );
        let place = *places.entry(alike).or_insert_with(|| {
            groups.push(Group {
                news,
                alike: Vec::new(),
            });
            groups.len() - 1
        });
        groups[place].alike.push(divergence);
    }
    groups.sort_by_key(|group| (group.news, group.alike[0].seq));
    groups
}

fn push_groups(lines: &mut Vec<DiffLine>, replayed: &ReplayedTrace) {
    let mut followers: HashMap<u64, Vec<&Divergence>> = HashMap::new();
    for divergence in &replayed.divergences {
        if let Some(cause) = divergence.cause {
            followers.entry(cause).or_default().push(divergence);
        }
    }
    let groups = groups(replayed);
    let all = groups.len();
    for (number, group) in (1..).zip(&groups) {
        let first = group.alike[0];
        let what = match group.news {
            News::Expected => format!("{}, expected by the policy", first.verdict),
            _ => first.verdict.clone(),
        };
        let place = if number == 1 && group.news == News::Reproach {
            ", the first divergence"
        } else {
            ""
        };
        lines.push(DiffLine::Hunk(format!(
            "{number} of {all}{place}: {} {}",
            printable(&what),
            printable(&first.api)
        )));
        for &divergence in group.alike.iter().take(MOST_ALIKE) {
            lines.push(row(divergence));
            push_followers(lines, divergence, followers.get(&divergence.seq));
        }
        let more = group.alike.len().saturating_sub(MOST_ALIKE);
        if more > 0 {
            lines.push(text(LineKind::Note, format!("  and {more} alike")));
        }
    }
}

fn push_followers(
    lines: &mut Vec<DiffLine>,
    cause: &Divergence,
    listed: Option<&Vec<&Divergence>>,
) {
    let all = cause.consequences;
    if all == 0 {
        return;
    }
    let calls = match all {
        1 => "1 call follows".to_owned(),
        all => format!("{} calls follow", grouped(all)),
    };
    lines.push(text(LineKind::Place, format!("  {calls} from it:")));
    let listed = listed.into_iter().flatten().take(MOST_ALIKE);
    let before = lines.len();
    lines.extend(listed.map(|follower| row(follower)));
    let more = all.saturating_sub((lines.len() - before) as u64);
    if more > 0 {
        lines.push(text(
            LineKind::Note,
            format!("  and {} more", grouped(more)),
        ));
    }
}

fn answer_text(answer: &Answer) -> String {
    match (&answer.ret_name, answer.ret) {
        (Some(name), Some(code)) => format!("{} ({code})", printable(name)),
        (None, Some(code)) => code.to_string(),
        (_, None) => "no code".to_owned(),
    }
}

/// What became of a call that did not return.
fn not_returned(divergence: &Divergence) -> String {
    let detail = divergence.detail.as_ref().or(divergence.skipped.as_ref());
    match detail {
        Some(detail) => format!("{}: {}", printable(&divergence.verdict), printable(detail)),
        None => printable(&divergence.verdict),
    }
}

fn row(divergence: &Divergence) -> DiffLine {
    let change = change(divergence);
    let side = |values: Vec<(&str, Option<&String>)>, answer: &str| {
        let arguments: Vec<String> = values
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
            .collect();
        format!("{}({}) = {answer}", change.api.0, arguments.join(", "))
    };
    let differing = || change.arguments.iter().filter(|argument| argument.differs);
    let of_a = differing().map(|one| (one.name.as_str(), one.a.as_ref()));
    let a = match differing().count() {
        0 => printable(&divergence.text),
        _ => side(of_a.collect(), &change.answer.0),
    };
    let b = match &divergence.replayed {
        Some(_) => side(
            differing()
                .map(|one| (one.name.as_str(), one.b.as_ref()))
                .collect(),
            &change.answer.1,
        ),
        None => not_returned(divergence),
    };
    DiffLine::Row(Box::new(DiffRow {
        kind: RowKind::Changed,
        a: Some((divergence.seq, a)),
        b: Some((divergence.seq, b)),
        change: Some(change),
        note: Some(note(divergence)),
    }))
}

/// The call as it was recorded, and what more is known.
fn note(divergence: &Divergence) -> String {
    let text = printable(&divergence.text);
    match &divergence.detail {
        Some(detail) => format!("{text}: {}", printable(detail)),
        None => text,
    }
}

/// Field by field.
fn change(divergence: &Divergence) -> CallChange {
    let mut arguments: Vec<ArgumentChange> = Vec::new();
    let mut returned = None;
    for difference in &divergence.differences {
        let (recorded, replayed) = (
            printable(&difference.recorded),
            printable(&difference.replayed),
        );
        match &difference.argument {
            None => returned = Some((recorded, replayed)),
            Some(name) => arguments.push(ArgumentChange {
                name: printable(name),
                a: Some(recorded),
                b: Some(replayed),
                differs: true,
            }),
        }
    }
    let time = |answer: &Option<Answer>| {
        let ns = answer.as_ref().and_then(|answer| answer.dur_ns);
        ns.map(|ns| quantity::text(push_time, ns))
    };
    let mut note = |name: &str, a: Option<String>, b: Option<String>, differs: bool| {
        let name = name.to_owned();
        arguments.push(ArgumentChange {
            name,
            a,
            b,
            differs,
        });
    };
    note(
        "time",
        time(&divergence.recorded),
        time(&divergence.replayed),
        divergence.verdict == "slower",
    );
    if let Some(reason) = &divergence.expected {
        note("expected, for", Some(printable(reason)), None, false);
    }
    let of = |answer: &Option<Answer>| answer.as_ref().map(answer_text);
    let answer = returned.unwrap_or_else(|| {
        (
            of(&divergence.recorded).unwrap_or_default(),
            of(&divergence.replayed).unwrap_or_else(|| not_returned(divergence)),
        )
    });
    let api = printable(&divergence.api);
    CallChange {
        api: (api.clone(), api),
        arguments,
        answer_differs: answer.0 != answer.1,
        answer,
    }
}

/// What is no divergence of a call: what was not played, what the driver printed, what the policy says for nothing.
fn push_rest(lines: &mut Vec<DiffLine>, report: &ReplayReport, replayed: &ReplayedTrace) {
    let mut part = |title: String, rest: Vec<String>| {
        if rest.is_empty() {
            return;
        }
        lines.push(text(LineKind::Both, ""));
        lines.push(text(LineKind::Heading, title));
        let line = |line: String| text(LineKind::Both, format!("  {line}"));
        lines.extend(rest.into_iter().map(line));
    };
    if replayed.omitted > 0 {
        let title = format!(
            "{} more divergences are counted and not listed",
            grouped(replayed.omitted)
        );
        part(
            title,
            vec!["of many alike, a report lists the first".to_owned()],
        );
    }
    let skips = replayed.skips.iter().map(|skip| {
        let (api, why) = (printable(&skip.api), printable(&skip.why));
        format!(
            "{} {api}: {why} ({})",
            grouped(skip.calls),
            printable(&skip.reason)
        )
    });
    part("not played".to_owned(), skips.collect());
    for process in &replayed.processes {
        let pid = process.pid;
        if process.deaths > 0 {
            let times = grouped(process.deaths);
            part(
                format!("process {pid}"),
                vec![format!(
                    "the driver ended the process that played it, {times} times"
                )],
            );
        }
        let printed = process.printed.lines().take(MOST_PRINTED).map(printable);
        part(
            format!("printed by the driver, process {pid}"),
            printed.collect(),
        );
    }
    let unused = report.unused_policy.iter().map(|entry| printable(entry));
    part(
        "policy entries that applied to nothing".to_owned(),
        unused.collect(),
    );
}
