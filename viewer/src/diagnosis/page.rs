//! A diagnosis as text: findings with their evidence, what clients make of it, what to try, and what GGML needs to start.

use cutape_analysis::doctor::Diagnosis;
use cutape_analysis::doctor::checklist::{Answer, Checklist, Decision};
use cutape_analysis::doctor::finding::{Evidence, Finding};
use cutape_analysis::doctor::rule::Severity;
use cutape_analysis::printable::push_printable;
use cutape_analysis::quantity::{push_bytes, text};

use crate::document::TextLine;
use crate::facts::grouped;
use crate::glyphs::Glyphs;
use crate::theme::Role;

/// Columns of the longest question and its answer.
const QUESTION_WIDTH: usize = 20;
const ANSWER_WIDTH: usize = 11;
/// Failures that no rule speaks of, listed.
const MOST_UNEXPLAINED: usize = 20;

/// The lines of a diagnosis.
pub fn page(diagnosis: &Diagnosis, glyphs: &Glyphs) -> Vec<TextLine> {
    let mut lines = vec![verdict(diagnosis)];
    for (number, finding) in (1..).zip(&diagnosis.findings) {
        blank(&mut lines);
        push_finding(&mut lines, number, finding);
    }
    for process in &diagnosis.processes {
        for checklist in &process.checklists {
            blank(&mut lines);
            push_checklist(&mut lines, (diagnosis, checklist), glyphs);
        }
    }
    push_unexplained(&mut lines, diagnosis);
    for limit in &diagnosis.limits {
        blank(&mut lines);
        lines.push(TextLine::new(0, limit, Role::Dim).labelled("not known: ", Role::Dim));
    }
    lines
}

fn blank(lines: &mut Vec<TextLine>) {
    lines.push(TextLine::default());
}

fn verdict(diagnosis: &Diagnosis) -> TextLine {
    match diagnosis.findings.len() {
        0 if diagnosis.calls == 0 => {
            TextLine::new(0, "nothing to diagnose: no call was recorded", Role::Dim)
        }
        0 => TextLine::new(0, "nothing wrong found", Role::Good),
        1 => TextLine::new(0, "1 problem", Role::Title),
        several => TextLine::new(
            0,
            format!("{several} problems, the most likely cause first"),
            Role::Title,
        ),
    }
}

fn push_finding(lines: &mut Vec<TextLine>, number: usize, finding: &Finding) {
    let rule = finding.rule;
    let role = match rule.severity {
        Severity::Fatal => Role::Failed,
        Severity::Harmful | Severity::Doubtful => Role::Warning,
    };
    let first = finding.calls.first().copied();
    lines.push(
        TextLine::new(0, rule.title, Role::Function)
            .labelled(
                format!("{number}. {} ({}): ", rule.id, rule.severity.word()),
                role,
            )
            .about(first),
    );
    lines.push(TextLine::new(3, &finding.what, Role::Text).about(first));
    finding
        .evidence
        .iter()
        .for_each(|evidence| lines.push(evidence_line(evidence)));
    if finding.count > finding.evidence.len().max(1) as u64 {
        lines.push(TextLine::new(
            3,
            format!("{} times in all", grouped(finding.count)),
            Role::Dim,
        ));
    }
    let reactions: Vec<_> = finding
        .reactions()
        .into_iter()
        .chain(finding.reaction_on_top())
        .collect();
    if !reactions.is_empty() {
        let whose = match finding.is_about_known_client() {
            true => "what this program makes of it",
            false => "what clients make of it",
        };
        lines.push(TextLine::new(3, whose, Role::OtherTitle));
    }
    for reaction in reactions {
        let silent = if reaction.silent { " [silent]" } else { "" };
        let label = format!("{}: ", reaction.client.name());
        lines.push(
            TextLine::new(5, format!("{}{silent}", reaction.does), Role::Text)
                .labelled(label, Role::Name),
        );
    }
    lines.push(TextLine::new(3, "what to try", Role::OtherTitle));
    for advice in rule.advice {
        lines.push(TextLine::new(5, *advice, Role::Text).labelled("- ", Role::Dim));
    }
    lines.push(
        TextLine::new(3, rule.sources.join("; "), Role::Dim).labelled("known from: ", Role::Dim),
    );
    if !finding.consequences.is_empty() {
        lines.push(TextLine::new(
            3,
            "what follows from it, and should go away with it",
            Role::OtherTitle,
        ));
    }
    for consequence in &finding.consequences {
        lines.push(
            TextLine::new(5, &consequence.what, Role::Text)
                .labelled(format!("{}: ", consequence.rule.id), Role::Warning)
                .about(consequence.calls.first().copied()),
        );
    }
}

fn evidence_line(evidence: &Evidence) -> TextLine {
    TextLine::new(3, &evidence.text, Role::Value)
        .labelled(format!("call {}  ", grouped(evidence.seq)), Role::Key)
        .about(Some(evidence.seq))
}

fn push_checklist(
    lines: &mut Vec<TextLine>,
    (diagnosis, checklist): (&Diagnosis, &Checklist),
    glyphs: &Glyphs,
) {
    let device = match (checklist.device, &checklist.name) {
        (Some(number), Some(name)) => format!("device {number}, {}", printable(name)),
        (Some(number), None) => format!("device {number}"),
        (None, _) => "no device seen".to_owned(),
    };
    lines.push(TextLine::new(
        0,
        format!("what GGML needs to start, {device}"),
        Role::Title,
    ));
    let [passed, failed, not_made] = glyphs.checks;
    for question in &checklist.questions {
        let (sign, role) = match question.answer {
            Answer::Yes => (passed, Role::Good),
            Answer::No => (failed, Role::Failed),
            Answer::NotAsked => (not_made, Role::Dim),
        };
        let answer = format!(
            "{sign} {:<QUESTION_WIDTH$}{:<ANSWER_WIDTH$}",
            question.id,
            question.answer.word()
        );
        let mut said = question.said.clone();
        if let Some(seq) = question.calls.first() {
            let separator = if said.is_empty() { "" } else { "  " };
            said.push_str(&format!("{separator}(call {})", grouped(*seq)));
        }
        lines.push(
            TextLine::new(2, said, Role::Text)
                .labelled(answer, role)
                .about(question.calls.first().copied()),
        );
    }
    lines.push(decision(diagnosis, checklist));
}

fn decision(diagnosis: &Diagnosis, checklist: &Checklist) -> TextLine {
    let line = match &checklist.decision {
        Decision::Offer { free: 0, total, .. } => TextLine::new(
            2,
            format!(
                "GGML would list this GPU, and put nothing on it: 0 bytes of {} are free",
                text(push_bytes, *total)
            ),
            Role::Warning,
        ),
        Decision::Offer {
            free,
            total,
            compute: (major, minor),
        } => TextLine::new(
            2,
            format!(
                "GGML would offer this GPU: {} of {} free, compute {major}.{minor}",
                text(push_bytes, *free),
                text(push_bytes, *total)
            ),
            Role::Good,
        ),
        Decision::Refuse { rule, call } => {
            let why = diagnosis.finding(rule).map_or("", |one| one.rule.title);
            TextLine::new(
                2,
                format!("GGML would not use this GPU: {why} ({rule})"),
                Role::Failed,
            )
            .about(Some(*call))
        }
        Decision::Unknown(unasked) => TextLine::new(
            2,
            format!(
                "whether GGML would offer this GPU can't be told: this program did not ask for {}",
                unasked.join(" and ")
            ),
            Role::Dim,
        ),
    };
    line.labelled("=> ", Role::Dim)
}

fn push_unexplained(lines: &mut Vec<TextLine>, diagnosis: &Diagnosis) {
    if diagnosis.unexplained.is_empty() {
        return;
    }
    blank(lines);
    lines.push(TextLine::new(
        0,
        "other failed calls, of which no rule speaks; most programs live with them",
        Role::Title,
    ));
    for one in diagnosis.unexplained.iter().take(MOST_UNEXPLAINED) {
        let times = if one.calls == 1 {
            "once".to_owned()
        } else {
            format!("{} times", grouped(one.calls))
        };
        lines.push(
            TextLine::new(
                2,
                format!(
                    "{} = {}, {times}, first in call {}",
                    printable(&one.api),
                    one.answer,
                    grouped(one.first)
                ),
                Role::Text,
            )
            .about(Some(one.first)),
        );
    }
    let more = diagnosis.unexplained.len().saturating_sub(MOST_UNEXPLAINED);
    if more > 0 {
        lines.push(TextLine::new(2, format!("and {more} more"), Role::Dim));
    }
}

fn printable(value: &str) -> String {
    let mut text = String::new();
    push_printable(&mut text, value);
    text
}
