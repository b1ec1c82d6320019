//! What the panes below the list show of the call under the cursor: made by a worker.

use std::ops::ControlFlow;

use cutape_analysis::benign::BenignJudge;
use cutape_analysis::doctor::{Diagnosis, Finding};
use cutape_analysis::index::Row;
use cutape_analysis::injection::rules_on;
use cutape_analysis::objects::{CallNames, ObjectId, Objects, Reference};
use cutape_analysis::printable::push_printable;
use cutape_analysis::quantity::{self, push_bytes, push_hex, push_seconds, push_time};
use cutape_analysis::text::{self, Detail, push_named_call};
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use crate::command::{Action, key_of};
use crate::facts::grouped;
use crate::msg::Msg;
use crate::naming::Naming;
use crate::screen::ScreenId;
use crate::theme::Role;
use crate::verdict::{Verdict, Verdicts};
use crate::workers::{Job, Slot, Worker};

use super::CallsMsg;
use super::bytes::{Bytes, parts};
use super::tree::{TreeLine, tree};

/// Objects told of.
const MOST_OBJECTS: usize = 32;

/// A line of what is known about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutLine {
    /// What is said.
    pub name: String,
    /// What there is to say.
    pub text: String,
    /// How it looks.
    pub role: Role,
    /// The call that it is about.
    pub jump: Option<u64>,
}

/// What the panes show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallDetails {
    /// The call.
    pub seq: u64,
    /// Arguments and answer.
    pub tree: Vec<TreeLine>,
    /// Whose it is, when, from where.
    pub about: Vec<AboutLine>,
    /// What was copied for it.
    pub bytes: Vec<Bytes>,
    /// The calls that made the objects it refers to.
    pub creators: Vec<(ObjectId, u64)>,
    /// What became of it.
    pub verdict: Verdict,
}

/// The job that makes the details of a call.
pub fn details_job(seq: u64) -> Job {
    Job::new(Slot::Details, move |worker: &Worker<'_>| {
        let reading = worker.opened.reading();
        let trace = reading.trace();
        let verdicts = worker.opened.verdicts();
        let mut naming = Naming::new(worker.opened.objects());
        let diagnosis = worker.opened.diagnosis();
        let mut details = CallDetails {
            seq,
            about: vec![AboutLine {
                name: "damaged".to_owned(),
                text: "the block that holds this call can't be read".to_owned(),
                role: Role::Failed,
                jump: None,
            }],
            ..CallDetails::default()
        };
        reading.calls([seq], |call| {
            details = details_of(trace, &verdicts, (call, &mut naming), diagnosis.as_deref());
            ControlFlow::Break(())
        });
        worker.send(Msg::Calls(CallsMsg::Details(Box::new(details))));
    })
}

/// The job that gives a call as `cutape print` writes it, to be copied.
pub fn copy_job(seq: u64) -> Job {
    Job::new(Slot::Copy, move |worker: &Worker<'_>| {
        let reading = worker.opened.reading();
        let trace = reading.trace();
        let mut naming = Naming::new(worker.opened.objects());
        reading.calls([seq], |call| {
            let mut text = String::new();
            let names = naming.names(trace.schema(), call);
            push_named_call(&mut text, trace.schema(), (call, &names), &Detail::FULL);
            worker.send(Msg::Copy { what: "call", text });
            ControlFlow::Break(())
        });
    })
}

fn details_of(
    trace: &Trace,
    verdicts: &Verdicts,
    (call, naming): (&Call, &mut Naming),
    diagnosis: Option<&Diagnosis>,
) -> CallDetails {
    let mut about = about(trace, verdicts, call);
    push_injection(&mut about, trace, call);
    if let Some(diagnosis) = diagnosis {
        push_findings(&mut about, diagnosis, call.seq);
    }
    let references = naming.references(trace.schema(), call);
    if let Some(objects) = naming.objects() {
        push_objects(&mut about, objects, (call, &references));
    }
    let creator = |reference: &Reference| {
        let object = naming.objects()?.get(reference.object)?;
        Some((reference.object, object.created()?))
    };
    let bytes = parts(trace, call);
    CallDetails {
        seq: call.seq,
        creators: references.iter().filter_map(creator).collect(),
        tree: tree(trace, (call, &bytes), naming),
        about,
        bytes,
        verdict: verdicts.on(trace.schema(), call.seq, &Row::from(call)),
    }
}

/// What rules of the recording did to the call stands first: its answer is not the driver's.
fn push_injection(lines: &mut Vec<AboutLine>, trace: &Trace, call: &Call) {
    if !call.is_injected() {
        return;
    }
    let line = |name: &str, text: String| AboutLine {
        name: name.to_owned(),
        text,
        role: Role::Failed,
        jump: None,
    };
    let mut did = String::new();
    let named = (call, CallNames::NONE);
    text::push_injection(&mut did, trace.schema(), named, &Detail::LINE);
    let rules = rules_on(trace, call).into_iter().map(|rule| {
        let mut shown = String::new();
        push_printable(&mut shown, &rule);
        line("rule", shown)
    });
    let all: Vec<_> = std::iter::once(line("injected", did))
        .chain(rules)
        .collect();
    lines.splice(0..0, all);
}

/// The problems that a call shows stand first.
fn push_findings(lines: &mut Vec<AboutLine>, diagnosis: &Diagnosis, seq: u64) {
    let findings = diagnosis
        .all()
        .filter(|finding| finding.calls.contains(&seq));
    let line = |finding: &Finding| AboutLine {
        name: "problem".to_owned(),
        text: format!(
            "{}: {}; {} says why",
            finding.rule.id,
            finding.rule.title,
            key_of(Action::Show(ScreenId::Diagnosis))
        ),
        role: Role::Failed,
        jump: None,
    };
    lines.splice(0..0, findings.map(line).collect::<Vec<_>>());
}

/// Where the objects of a call came from, what uses them, and how they went.
fn push_objects(
    lines: &mut Vec<AboutLine>,
    objects: &Objects,
    (call, references): (&Call, &[Reference]),
) {
    let mut told = Vec::new();
    for reference in references {
        let Some(object) = objects.get(reference.object) else {
            continue;
        };
        if told.contains(&reference.object) || told.len() == MOST_OBJECTS {
            continue;
        }
        told.push(reference.object);
        let mut name = object.label().to_string();
        let mut say = |text: String, role, jump| {
            lines.push(AboutLine {
                name: std::mem::take(&mut name),
                text,
                role,
                jump,
            });
        };
        let size = object
            .bytes()
            .map(|bytes| format!(", {}", quantity::text(push_bytes, bytes)));
        let kind = format!("{}{}", object.kind().info().noun, size.unwrap_or_default());
        match object.created() {
            Some(seq) if seq == call.seq => {
                say(format!("{kind}, made by this call"), Role::Value, None)
            }
            Some(seq) => say(
                format!("{kind}, made by call {}", grouped(seq)),
                Role::Value,
                Some(seq),
            ),
            None => say(
                format!(
                    "{kind}; no recorded call made it, {} is the first to use it",
                    grouped(object.first_call())
                ),
                Role::Warning,
                Some(object.first_call()),
            ),
        }
        if let Some(last) = object.last_used() {
            let times = match object.uses() {
                1 => "once, by".to_owned(),
                uses => format!("{} times, last by", grouped(uses)),
            };
            say(
                format!("used {times} call {}", grouped(last)),
                Role::Value,
                Some(last),
            );
        }
        match object.ended() {
            Some((seq, _)) if seq < call.seq => {
                say(
                    format!("gone since call {}", grouped(seq)),
                    Role::Failed,
                    Some(seq),
                );
            }
            Some((seq, _)) => say(
                format!("gone with call {}", grouped(seq)),
                Role::Value,
                Some(seq),
            ),
            None if object.is_left_behind() => {
                say("never destroyed".to_owned(), Role::Warning, None)
            }
            None => {}
        }
    }
}

fn about(trace: &Trace, verdicts: &Verdicts, call: &Call) -> Vec<AboutLine> {
    let mut lines = Vec::new();
    let mut say = |name: &str, text: String, role| {
        lines.push(AboutLine {
            name: name.to_owned(),
            text,
            role,
            jump: None,
        });
    };
    match verdicts.on(trace.schema(), call.seq, &Row::from(call)) {
        Verdict::Benign => say("harmless", why_benign(trace, call), Role::Good),
        Verdict::InFlight => say(
            "in flight",
            "the program ended inside this call, or still is in it".to_owned(),
            Role::Warning,
        ),
        Verdict::Fine | Verdict::Failed => {}
    }
    if let Some(thread) = trace.thread(call.thread) {
        let mut text = format!("{} ", thread.tid);
        push_printable(&mut text, &thread.name);
        say("thread", text, Role::Value);
    }
    if let Some(entry) = trace.process(call.process) {
        let mut text = format!("{} ", entry.process.pid);
        push_printable(&mut text, &entry.process.program);
        say("process", text, Role::Value);
    }
    say("caller", caller(trace, call), Role::Value);
    let begin = quantity::text(push_seconds, call.begin_ns.saturating_sub(trace.start_ns()));
    let took = match call.duration_ns {
        Some(ns) => format!("{begin} s, for {}", quantity::text(push_time, ns)),
        None => format!("{begin} s"),
    };
    say("begin", took, Role::Value);
    lines
}

/// File and offset, and the function where it is known.
fn caller(trace: &Trace, call: &Call) -> String {
    let place = trace.caller(call);
    let mut text = String::new();
    match place.path {
        Some(path) => {
            push_printable(&mut text, path);
            text.push('+');
            push_hex(&mut text, place.offset);
        }
        None => push_hex(&mut text, place.offset),
    }
    if let Some(symbol) = place.symbol {
        text.push_str(", ");
        push_printable(&mut text, symbol.name);
        text.push('+');
        push_hex(&mut text, symbol.distance);
    }
    text
}

fn why_benign(trace: &Trace, call: &Call) -> String {
    let probe = BenignJudge::default().probe(trace.schema(), call);
    match probe {
        Some(probe) => format!("{}: {}", probe.id, probe.why),
        None => "optional-table: the runtime does without this table".to_owned(),
    }
}
