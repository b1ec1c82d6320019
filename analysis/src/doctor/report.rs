//! A diagnosis as text, for people.

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::Trace;

use super::checklist::{Answer, Checklist, Decision};
use super::diagnosis::{Diagnosis, ProcessReport};
use super::finding::{Evidence, Finding};
use super::page::{Page, Role};
use super::rule::Severity;
use crate::printable::push_printable;
use crate::quantity::{push_bytes, text};

/// Processes whose checklist is shown; JSON has all.
const MAX_PROCESSES: usize = 8;
/// Failures that no rule speaks of, listed; JSON has all.
const MAX_UNEXPLAINED: usize = 5;
/// Letters of a command line.
const COMMAND_LETTERS: usize = 70;
/// Width of the longest question.
const QUESTION_WIDTH: usize = 18;
const ANSWER_WIDTH: usize = 9;

/// The whole report.
pub fn report(trace: &Trace, diagnosis: &Diagnosis) -> Page {
    let mut page = Page::default();
    push_verdict(&mut page, trace, diagnosis);
    for (number, finding) in (1..).zip(&diagnosis.findings) {
        push_finding(&mut page, trace, (number, finding));
    }
    for process in diagnosis.processes.iter().take(MAX_PROCESSES) {
        push_process(&mut page, trace, (diagnosis, process));
    }
    let more = diagnosis.processes.len().saturating_sub(MAX_PROCESSES);
    if more > 0 {
        page.line(format!("\n{more} more processes; --json lists all."));
    }
    push_unexplained(&mut page, diagnosis);
    push_limits(&mut page, diagnosis);
    page
}

fn push_verdict(page: &mut Page, trace: &Trace, diagnosis: &Diagnosis) {
    let is_damaged = !trace.damages().is_empty() || !diagnosis.damages.is_empty();
    let consequences: usize = diagnosis
        .findings
        .iter()
        .map(|finding| finding.consequences.len())
        .sum();
    let mut verdict = match diagnosis.findings.len() {
        0 if diagnosis.calls == 0 && is_damaged => {
            "nothing to diagnose: no call can be read".to_owned()
        }
        0 if is_damaged => "nothing wrong found in what can be read".to_owned(),
        0 if diagnosis.calls == 0 => "nothing to diagnose: no call was recorded".to_owned(),
        0 => "nothing wrong found".to_owned(),
        1 => "1 problem".to_owned(),
        several => format!("{several} problems, the most likely cause first"),
    };
    if consequences > 0 {
        verdict.push_str(&format!("; {consequences} more that follow"));
    }
    if !diagnosis.allowed.is_empty() {
        let ids: Vec<_> = diagnosis.allowed.iter().map(|one| one.rule.id).collect();
        verdict.push_str(&format!("; passed over as allowed: {}", ids.join(", ")));
    }
    let role = if diagnosis.findings.is_empty() {
        Role::Good
    } else {
        Role::Heading
    };
    page.push(role, verdict).push(Role::Plain, "\n");
}

fn role_of(severity: Severity) -> Role {
    match severity {
        Severity::Fatal => Role::Bad,
        Severity::Harmful | Severity::Doubtful => Role::Warning,
    }
}

fn push_finding(page: &mut Page, trace: &Trace, (number, finding): (usize, &Finding)) {
    let rule = finding.rule;
    page.push(Role::Plain, format!("\n{number}. "))
        .push(role_of(rule.severity), rule.id)
        .push(Role::Plain, format!(" ({}): ", rule.severity.word()))
        .push(Role::Heading, rule.title)
        .push(Role::Plain, "\n");
    page.paragraph("   ", &finding.what);
    page.line("");
    push_evidence(page, trace, finding);
    push_injected(page, finding);
    push_reactions(page, finding);
    page.line("   what to try");
    for advice in rule.advice {
        page.paragraph("   - ", advice);
    }
    page.paragraph("   known from: ", &rule.sources.join("; "));
    if !finding.consequences.is_empty() {
        page.line("   what follows from it, and should go away with it");
    }
    for consequence in &finding.consequences {
        let begin = format!("   - {}: ", consequence.rule.id);
        page.paragraph(&begin, &consequence.what);
        for evidence in consequence.evidence.iter().take(1) {
            page.line(format!("       {}", call_line(trace, evidence)));
        }
    }
}

fn push_evidence(page: &mut Page, trace: &Trace, finding: &Finding) {
    for evidence in &finding.evidence {
        page.line(format!("   {}", call_line(trace, evidence)));
        // One way there is as good as another.
        let first = finding.evidence.first() == Some(evidence);
        for place in evidence.short_stack.iter().filter(|_| first) {
            page.line(format!("      > {place}"));
        }
    }
    let shown = finding.evidence.len() as u64;
    if finding.count > shown.max(1) {
        page.line(format!("   {} times in all", finding.count));
    }
    if shown > 0 {
        page.line("");
    }
}

/// That the driver is not to blame.
fn push_injected(page: &mut Page, finding: &Finding) {
    let rules = finding.injected();
    if rules.is_empty() {
        return;
    }
    page.paragraph(
        "   ",
        "This rests on an answer that the recording made up by a rule of its own; the driver is not to blame for it.",
    );
    for rule in rules {
        page.line(format!("   rule: {}", printable(rule)));
    }
    page.line("");
}

/// `call 16  cuMemGetInfo_v2(free=0, total=0) = ...`, with the process where there are several.
fn call_line(trace: &Trace, evidence: &Evidence) -> String {
    let whose = match evidence.pid {
        Some(pid) if trace.processes().len() > 1 => format!(" of process {pid}"),
        _ => String::new(),
    };
    format!(
        "call {}{whose}  {}  from {}",
        evidence.seq, evidence.text, evidence.caller
    )
}

fn push_reactions(page: &mut Page, finding: &Finding) {
    let reactions = finding.reactions();
    if reactions.is_empty() {
        return;
    }
    page.line(if finding.is_about_known_client() {
        "   what this program makes of it"
    } else {
        "   what clients make of it"
    });
    for reaction in reactions.into_iter().chain(finding.reaction_on_top()) {
        let silent = if reaction.silent { " [silent]" } else { "" };
        let text = format!("{}{silent}", reaction.does);
        page.paragraph(&format!("   - {}: ", reaction.client.name()), &text);
    }
}

fn push_process(
    page: &mut Page,
    trace: &Trace,
    (diagnosis, process): (&Diagnosis, &ProcessReport),
) {
    let title = process_title(trace, process.process);
    page.push(Role::Plain, "\n")
        .push(Role::Heading, title)
        .push(Role::Plain, "\n");
    if !process.client.kinds.is_empty() {
        let mut client = printable(&process.client.in_words());
        if let Some(folder) = &process.client.library_folder {
            client.push_str(&format!(", backend in {}", printable(folder)));
        }
        page.paragraph("  client: ", &client);
    }
    for checklist in &process.checklists {
        push_checklist(page, diagnosis, checklist);
    }
    if process.checklists.is_empty() {
        page.line(format!(
            "  {} calls, none of them a start of the CUDA driver",
            process.calls
        ));
    }
}

/// `process 24052: ./ggml_startup`.
fn process_title(trace: &Trace, process: ProcessId) -> String {
    let Some(entry) = trace.process(process) else {
        return "process ?".to_owned();
    };
    let command = printable(&entry.process.command.join(" "));
    let mut shown: String = command.chars().take(COMMAND_LETTERS).collect();
    if shown.len() < command.len() {
        shown.push_str("...");
    }
    format!("process {}: {shown}", entry.process.pid)
}

fn push_checklist(page: &mut Page, diagnosis: &Diagnosis, checklist: &Checklist) {
    let device = match (checklist.device, &checklist.name) {
        (Some(number), Some(name)) => format!("device {number}, {}", printable(name)),
        (Some(number), None) => format!("device {number}"),
        (None, _) => "no device seen".to_owned(),
    };
    page.line(format!("  what GGML needs to start, {device}"));
    for question in &checklist.questions {
        let role = match question.answer {
            Answer::Yes => Role::Good,
            Answer::No => Role::Bad,
            Answer::NotAsked => Role::Dim,
        };
        let calls: Vec<String> = question.calls.iter().map(u64::to_string).collect();
        let calls = match calls.len() {
            0 => String::new(),
            1 => format!("call {}", calls[0]),
            _ => format!("calls {}", calls.join(", ")),
        };
        let word = question.answer.word();
        page.push(
            Role::Plain,
            format!("    {:<QUESTION_WIDTH$}  ", question.id),
        )
        .push(role, format!("{word:<ANSWER_WIDTH$}"));
        let rest = format!("  {calls:<14}  {}", question.said);
        page.line(rest.trim_end());
    }
    let (role, decision) = decision_text(diagnosis, &checklist.decision);
    page.push(Role::Plain, "  => ")
        .push(role, decision)
        .push(Role::Plain, "\n");
}

fn decision_text(diagnosis: &Diagnosis, decision: &Decision) -> (Role, String) {
    match decision {
        Decision::Offer { free: 0, total, .. } => (
            Role::Warning,
            format!(
                "GGML would list this GPU, and put nothing on it: 0 bytes of {} are free",
                text(push_bytes, *total)
            ),
        ),
        Decision::Offer {
            free,
            total,
            compute: (major, minor),
        } => (
            Role::Good,
            format!(
                "GGML would offer this GPU: {} of {} free, compute {major}.{minor}",
                text(push_bytes, *free),
                text(push_bytes, *total)
            ),
        ),
        Decision::Refuse { rule, call } => {
            let call = match call {
                0 => String::new(),
                call => format!(", call {call}"),
            };
            let why = diagnosis.finding(rule).map_or("", |one| one.rule.title);
            (
                Role::Bad,
                format!("GGML would not use this GPU: {why} ({rule}{call})"),
            )
        }
        Decision::Unknown(unasked) => (
            Role::Dim,
            format!(
                "whether GGML would offer this GPU can't be told: this program did not ask for {}",
                unasked.join(" and ")
            ),
        ),
    }
}

fn push_unexplained(page: &mut Page, diagnosis: &Diagnosis) {
    if diagnosis.unexplained.is_empty() {
        return;
    }
    page.line("\nother failed calls, of which no rule speaks; most programs live with them");
    for one in diagnosis.unexplained.iter().take(MAX_UNEXPLAINED) {
        page.line(format!(
            "  {} = {}, {} times, first in call {}",
            printable(&one.api),
            one.answer,
            one.calls,
            one.first
        ));
    }
    let more = diagnosis.unexplained.len().saturating_sub(MAX_UNEXPLAINED);
    if more > 0 {
        page.line(format!("  and {more} more; --json lists all"));
    }
}

fn push_limits(page: &mut Page, diagnosis: &Diagnosis) {
    if diagnosis.limits.is_empty() {
        return;
    }
    page.line("");
    for limit in &diagnosis.limits {
        page.paragraph("not known: ", limit);
    }
}

fn printable(value: &str) -> String {
    let mut text = String::new();
    push_printable(&mut text, value);
    text
}
