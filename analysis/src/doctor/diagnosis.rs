//! The diagnosis of a trace: one pass over its calls, then the checks of what was seen.

use std::ops::ControlFlow;

use cutape_cuda_api::Library;
use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::Trace;

use super::checklist::{Checklist, checklists};
use super::client::Client;
use super::closing::Closing;
use super::diagnosing::{Diagnosing, LookUp};
use super::evidence;
use super::finding::Finding;
use super::folding::fold;
use super::gathering::Gathering;
use super::rule::{Check, Severity, Stage};
use super::rules::RULES;
use super::story::Story;
use crate::injection::rules_of;

/// What is known of one process.
#[derive(Clone, Debug)]
pub struct ProcessReport {
    /// The process.
    pub process: ProcessId,
    /// What it is.
    pub client: Client,
    /// Its calls.
    pub calls: u64,
    /// What GGML's backend would have got to hear, one for each device; one without a device where none was seen.
    pub checklists: Vec<Checklist>,
}

/// Failed calls of one function with one code that no rule speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// The function.
    pub api: String,
    /// The code, with its name where it has one.
    pub answer: String,
    /// The code.
    pub code: u32,
    /// How many calls.
    pub calls: u64,
    /// Number of the first one.
    pub first: u64,
}

/// What went wrong in a trace, and why.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The most likely cause first, each with what follows from it.
    pub findings: Vec<Finding>,
    /// Findings that were to be passed over.
    pub allowed: Vec<Finding>,
    /// Each process that called the driver.
    pub processes: Vec<ProcessReport>,
    /// Failures that are neither benign nor known to a rule, the first one first.
    pub unexplained: Vec<Unexplained>,
    /// All calls read.
    pub calls: u64,
    /// What the trace can't tell, for people.
    pub limits: Vec<String>,
    /// What could not be read on the way, the first thousand.
    pub damages: Vec<Damage>,
}

impl Diagnosis {
    /// Reads all calls of a trace. Rules named in `allow` are passed over, with what follows from them. `progress` is told now and then
    /// how many calls were read.
    pub fn of(trace: &Trace, allow: &[String], mut progress: impl FnMut(u64)) -> Self {
        let watched = Self::watched(trace, allow, |calls| {
            progress(calls);
            ControlFlow::Continue(())
        });
        watched.unwrap_or_default()
    }

    /// The same; `watch` may end the work, and there is no diagnosis then.
    pub fn watched(
        trace: &Trace,
        allow: &[String],
        watch: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Option<Self> {
        let mut diagnosing = Diagnosing::new(trace);
        let damages = diagnosing.read(trace, watch)?;
        Some(Self {
            damages,
            ..diagnosing.diagnosis(trace, allow, &mut |numbers| evidence::read(trace, numbers))
        })
    }

    /// The diagnosis of the calls that were read so far. `look_up` gives the calls of these numbers, which rise, with their names.
    pub(super) fn so_far(
        diagnosing: &Diagnosing,
        trace: &Trace,
        allow: &[String],
        look_up: &mut LookUp<'_>,
    ) -> Self {
        let clients: Vec<Client> = diagnosing
            .processes
            .iter()
            .map(|facts| Client::of(trace.process(facts.process), facts))
            .collect();
        let story = Story {
            trace,
            exports: &diagnosing.exports,
            processes: &diagnosing.processes,
            clients: &clients,
        };
        let mut gathering = diagnosing.gathering.clone();
        close(&story, &mut gathering);
        let mut findings = gathering.finish(&clients);
        evidence::attach(trace, &mut findings, look_up);
        let unexplained = unexplained(&story, &findings);
        let (allowed, findings): (Vec<_>, Vec<_>) = fold(findings)
            .into_iter()
            .partition(|finding| allow.iter().any(|id| id == finding.rule.id));
        let processes = reports(&story, &findings);
        Self {
            limits: limits(&story),
            findings,
            allowed,
            processes,
            unexplained,
            calls: story.calls(),
            damages: Vec::new(),
        }
    }

    /// The findings and all that follows from them.
    pub fn all(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .flat_map(|finding| std::iter::once(finding).chain(&finding.consequences))
    }

    /// The finding of that rule, be it a consequence.
    pub fn finding(&self, id: &str) -> Option<&Finding> {
        self.all().find(|finding| finding.rule.id == id)
    }
}

/// Runs the checks that look at what was read as a whole.
fn close(story: &Story<'_>, gathering: &mut Gathering) {
    for (place, rule) in RULES.iter().enumerate() {
        for check in rule.checks {
            match check {
                Check::Call(_) => {}
                Check::Process(check) => {
                    for (facts, client) in story.processes.iter().zip(story.clients) {
                        let closing = Closing {
                            story,
                            facts,
                            client,
                            entry: story.entry(facts.process),
                        };
                        for found in check(&closing) {
                            gathering.found(place, Some(facts.process), found);
                        }
                    }
                }
                Check::Trace(check) => {
                    for found in check(story) {
                        gathering.found(place, None, found);
                    }
                }
            }
        }
    }
}

/// Failures that no rule has a word for. Where the driver did not start, all that fails later does so for that reason.
fn unexplained(story: &Story<'_>, findings: &[Finding]) -> Vec<Unexplained> {
    let start_failed = |process: ProcessId| {
        findings.iter().any(|finding| {
            let rule = finding.rule;
            rule.severity == Severity::Fatal
                && (Stage::Version..=Stage::Devices).contains(&rule.stage)
                && finding.processes.contains(&process)
        })
    };
    let shown = |seq: u64| findings.iter().any(|finding| finding.calls.contains(&seq));
    let mut all: Vec<Unexplained> = Vec::new();
    for facts in story.processes {
        if start_failed(facts.process) {
            continue;
        }
        for (function, code, failure) in facts.tallies.failures() {
            let calls = failure.count.saturating_sub(failure.explained);
            if calls == 0 || shown(failure.first) {
                continue;
            }
            let schema = story.trace.schema();
            let api = schema.function_name(function).into_owned();
            match all
                .iter_mut()
                .find(|one| one.code == code && one.api == api)
            {
                Some(one) => one.calls += calls,
                None => all.push(Unexplained {
                    answer: answer(story, function, code),
                    api,
                    code,
                    calls,
                    first: failure.first,
                }),
            }
        }
    }
    all.sort_by_key(|one| one.first);
    all
}

fn answer(story: &Story<'_>, function: cutape_trace_format::call::FunctionId, code: u32) -> String {
    let schema = story.trace.schema();
    let library = schema
        .function(function)
        .map_or(Library::Cuda, |function| function.library);
    super::answers::CodeText::of(schema, library, code).to_string()
}

fn reports(story: &Story<'_>, findings: &[Finding]) -> Vec<ProcessReport> {
    let processes = story.processes.iter().zip(story.clients);
    processes
        .filter(|(facts, _)| facts.calls > 0)
        .map(|(facts, client)| ProcessReport {
            process: facts.process,
            client: client.clone(),
            calls: facts.calls,
            checklists: checklists(story, facts, findings),
        })
        .collect()
}

/// What a reader must know of what this trace can't say.
fn limits(story: &Story<'_>) -> Vec<String> {
    let mut limits = Vec::new();
    let losses = story.trace.losses();
    let lost = losses.dropped.saturating_add(losses.without_ring);
    if lost > 0 {
        limits.push(format!(
            "{lost} calls were not recorded; what they would have shown is missing here"
        ));
    }
    if story.calls() > 0 && !story.exports.are_known() {
        limits.push(
            "the trace does not say what the driver exports, so functions that it lacks and wrong look-ups are not seen; a new recording by `cutape record` says it"
                .to_owned(),
        );
    }
    let rules = rules_of(story.trace);
    if !rules.is_empty() {
        limits.push(format!(
            "what the driver would have done by itself where the recording's own rules acted ({})",
            rules.join("; ")
        ));
    }
    if story.trace.is_live() {
        limits.push("the recording is still going on; this is what it shows so far".to_owned());
    }
    limits
}
