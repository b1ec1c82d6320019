//! Two programs as text.

use super::Compared;
use super::line::{Line, LineKind, counted};
use crate::diff::profile::{
    After, ArgumentDifference, Failure, FunctionTally, PHASES, Profile, SharedFailure,
};
use crate::printable::printable;

/// Functions that are named after a failure.
const MOST_NAMED: usize = 4;

/// A profile part by part; what is most telling comes first. `most` limits the lines of each part.
pub fn profile_lines(compared: Compared<'_>, profile: &Profile, most: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let names = sides(profile);
    failures(profile, &names, &mut lines);
    answers(profile, most, &mut lines);
    outcomes(compared, profile, &mut lines);
    for (name, functions, kind) in [
        (&names.0, &profile.only_a, LineKind::OnlyA),
        (&names.1, &profile.only_b, LineKind::OnlyB),
    ] {
        only(name, functions, kind, &mut lines);
    }
    arguments(profile, most, &mut lines);
    phases(profile, &mut lines);
    if profile.left_out > 0 {
        let text = format!(
            "{} more kinds of calls were not looked at",
            profile.left_out
        );
        lines.push(Line::new(LineKind::Note, text));
    }
    for line in &mut lines {
        line.text = line.text.chars().map(printable).collect();
    }
    lines
}

/// The programs' names; with the side where they are the same.
fn sides(profile: &Profile) -> (String, String) {
    let (a, b) = &profile.names;
    if a == b {
        (format!("{a} (A)"), format!("{b} (B)"))
    } else {
        (a.clone(), b.clone())
    }
}

fn heading(lines: &mut Vec<Line>, text: impl Into<String>) {
    lines.push(Line::new(LineKind::Both, ""));
    lines.push(Line::new(LineKind::Heading, text));
}

fn failures(profile: &Profile, names: &(String, String), lines: &mut Vec<Line>) {
    for failure in &profile.failures.shared {
        lines.push(Line::new(LineKind::Both, ""));
        shared(failure, names, lines);
    }
    for (name, failures, kind, mark) in [
        (&names.0, &profile.failures.only_a, LineKind::OnlyA, '-'),
        (&names.1, &profile.failures.only_b, LineKind::OnlyB, '+'),
    ] {
        if failures.is_empty() {
            continue;
        }
        heading(lines, format!("failed so in {name} alone"));
        for failure in failures {
            let Failure {
                api,
                code,
                seq,
                after,
            } = failure;
            let text = format!("{mark} {seq}  {api} = {code}; {}", reaction(after));
            lines.push(Line::new(kind, text));
        }
    }
}

fn shared(failure: &SharedFailure, names: &(String, String), lines: &mut Vec<Line>) {
    let (a, b) = (&failure.a, &failure.b);
    let kind = if failure.is_told_apart() {
        LineKind::Key
    } else {
        LineKind::Heading
    };
    let text = format!(
        "both got {} from {} (call {} of A, call {} of B)",
        a.code, a.api, a.seq, b.seq
    );
    lines.push(Line::new(kind, text));
    for (name, failure, kind, mark) in [
        (&names.0, a, LineKind::OnlyA, '-'),
        (&names.1, b, LineKind::OnlyB, '+'),
    ] {
        let text = format!("{mark} {name} {}", reaction(&failure.after));
        lines.push(Line::new(kind, text));
    }
    if failure.is_told_apart() {
        let (tolerant, other) = if a.after.went_on() {
            (&names.0, &names.1)
        } else {
            (&names.1, &names.0)
        };
        let text = format!(
            "  so {} is the call that {tolerant} tolerates and {other} doesn't",
            a.api
        );
        lines.push(Line::new(LineKind::Key, text));
    }
}

/// What a program did after a failure.
fn reaction(after: &After) -> String {
    let calls = match after.calls {
        0 => return "ended: no call followed".to_owned(),
        1 => "1 call followed".to_owned(),
        calls => format!("{calls} calls followed"),
    };
    let used: Vec<String> = PHASES
        .iter()
        .zip(after.phases)
        .filter(|(phase, calls)| phase.is_use() && *calls > 0)
        .map(|(phase, calls)| format!("{calls} of {}", phase.name()))
        .collect();
    let named: Vec<&str> = after
        .functions
        .iter()
        .map(String::as_str)
        .take(MOST_NAMED)
        .collect();
    let more = if after.functions.len() > MOST_NAMED {
        ", ..."
    } else {
        ""
    };
    let named = format!("{}{more}", named.join(", "));
    if after.went_on() {
        format!("went on: {calls}, {} ({named})", used.join(", "))
    } else {
        format!("gave the device up: {calls} ({named}), none of module load, allocation or work")
    }
}

fn answers(profile: &Profile, most: usize, lines: &mut Vec<Line>) {
    if profile.answers.is_empty() {
        return;
    }
    heading(lines, "same question, another answer");
    for difference in profile.answers.iter().take(most) {
        let text = format!(
            "! {} {}  {}: {} -> {}",
            difference.a.1, difference.b.1, difference.question, difference.a.0, difference.b.0
        );
        lines.push(Line::new(LineKind::Changed, text));
    }
    more(profile.answers.len(), most, lines);
}

fn more(all: usize, most: usize, lines: &mut Vec<Line>) {
    if all > most {
        let text = format!("  ... {} more; --all shows them", all - most);
        lines.push(Line::new(LineKind::Note, text));
    }
}

fn outcomes(compared: Compared<'_>, profile: &Profile, lines: &mut Vec<Line>) {
    if profile.outcomes.is_empty() {
        return;
    }
    heading(lines, "succeeds here, fails there");
    let codes = |trace: &cutape_trace_format::trace::Trace, tally: &FunctionTally| {
        if tally.codes.is_empty() {
            return format!("{}, none failed", counted(tally.calls, "call"));
        }
        let library = trace
            .schema()
            .find(&tally.api)
            .and_then(|id| trace.function(id))
            .map_or(cutape_cuda_api::Library::Cuda, |function| function.library);
        let codes = tally.codes.iter().map(|(&code, calls)| {
            let name = crate::outcome::code_name(trace.schema(), library, code);
            format!("{calls} x {} ({code})", name.unwrap_or("code"))
        });
        let codes: Vec<String> = codes.collect();
        format!("{} of {}", codes.join(", "), counted(tally.calls, "call"))
    };
    for difference in &profile.outcomes {
        let (a, b) = (&difference.a, &difference.b);
        let text = format!(
            "! {}: {} -> {}",
            a.api,
            codes(compared.a, a),
            codes(compared.b, b)
        );
        lines.push(Line::new(LineKind::Changed, text));
    }
}

fn only(name: &str, functions: &[FunctionTally], kind: LineKind, lines: &mut Vec<Line>) {
    if functions.is_empty() {
        return;
    }
    heading(lines, format!("only {name} calls"));
    let mark = if kind == LineKind::OnlyA { '-' } else { '+' };
    for phase in PHASES {
        let of_phase = functions.iter().filter(|tally| tally.phase == phase);
        let texts: Vec<String> = of_phase
            .map(|tally| match tally.calls {
                1 => tally.api.clone(),
                calls => format!("{} x{calls}", tally.api),
            })
            .collect();
        if !texts.is_empty() {
            let text = format!("{mark} {:<13} {}", phase.name(), texts.join(", "));
            lines.push(Line::new(kind, text));
        }
    }
}

fn arguments(profile: &Profile, most: usize, lines: &mut Vec<Line>) {
    if profile.arguments.is_empty() {
        return;
    }
    heading(lines, "arguments that differ in kind");
    let values = |values: &[String]| {
        if values.is_empty() {
            "nothing else".to_owned()
        } else {
            values.join(", ")
        }
    };
    for difference in profile.arguments.iter().take(most) {
        let ArgumentDifference {
            function,
            param,
            only_a,
            only_b,
        } = difference;
        let text = format!(
            "! {function}.{param}: {} -> {}",
            values(only_a),
            values(only_b)
        );
        lines.push(Line::new(LineKind::Changed, text));
    }
    more(profile.arguments.len(), most, lines);
}

fn phases(profile: &Profile, lines: &mut Vec<Line>) {
    heading(lines, "calls by phase");
    lines.push(Line::new(
        LineKind::Both,
        format!("  {:<13} {:>10} {:>10}", "", "A", "B"),
    ));
    for (place, phase) in PHASES.iter().enumerate() {
        let (a, b) = (profile.phases.0[place], profile.phases.1[place]);
        if a > 0 || b > 0 {
            let text = format!("  {:<13} {a:>10} {b:>10}", phase.name());
            lines.push(Line::new(LineKind::Both, text));
        }
    }
}
