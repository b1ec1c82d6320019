//! The diagnosis of a trace: one pass over its calls, then the checks of what was seen.

use std::ops::ControlFlow;

use cutape_cuda_api::{Function, Library, Type};
use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, FunctionId, ProcessId};
use cutape_trace_format::trace::Trace;

use super::checklist::{Checklist, checklists};
use super::client::Client;
use super::closing::Closing;
use super::driver_exports::DriverExports;
use super::evidence;
use super::facts::ProcessFacts;
use super::facts::topic::{self, Topic};
use super::finding::Finding;
use super::folding::fold;
use super::gathering::Gathering;
use super::moment::{Moment, SeenCall};
use super::rule::{CallCheck, Check, Severity, Stage};
use super::rules::{RULES, look_up};
use super::story::Story;
use crate::benign::BenignJudge;
use crate::in_order::{Next, for_each_call};
use crate::injection::rules_of;
use crate::outcome::code_type;
use crate::survey::MAX_DAMAGES;
use crate::word_hash::WordMap;

/// Failures of which is remembered whether they are benign; a trace may have any code.
const MAX_CODES: usize = 1 << 14;

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
        let exports = DriverExports::of(trace);
        let mut pass = Pass::new(trace, &exports);
        if pass.read(watch).is_break() {
            return None;
        }
        let clients: Vec<Client> = pass
            .processes
            .iter()
            .map(|facts| Client::of(trace.process(facts.process), facts))
            .collect();
        let story = Story {
            trace,
            exports: &exports,
            processes: &pass.processes,
            clients: &clients,
        };
        close(&story, &mut pass.gathering);
        let mut findings = std::mem::take(&mut pass.gathering).finish(&clients);
        evidence::attach(trace, &mut findings);
        let unexplained = unexplained(&story, &findings);
        let (allowed, findings): (Vec<_>, Vec<_>) = fold(findings)
            .into_iter()
            .partition(|finding| allow.iter().any(|id| id == finding.rule.id));
        let processes = reports(&story, &findings);
        Some(Self {
            limits: limits(&story),
            findings,
            allowed,
            processes,
            unexplained,
            calls: story.calls(),
            damages: pass.damages,
        })
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

/// What is done with the calls of one function.
struct Row {
    topic: Topic,
    is_quick_question: bool,
    is_cuda: bool,
    /// It returns a code; 0 is success.
    returns_code: bool,
    /// Places of rules, with their checks.
    checks: Vec<(usize, CallCheck)>,
}

/// One reading of all calls.
struct Pass<'a> {
    trace: &'a Trace,
    exports: &'a DriverExports,
    rows: Vec<Row>,
    processes: Vec<ProcessFacts>,
    judges: Vec<BenignJudge>,
    /// Whether failures of a function with a code are benign, where that does not depend on the call.
    benign: WordMap<(FunctionId, u32), bool>,
    gathering: Gathering,
    damages: Vec<Damage>,
}

impl<'a> Pass<'a> {
    fn new(trace: &'a Trace, exports: &'a DriverExports) -> Self {
        let functions = trace.schema().functions().iter();
        let rows = functions.map(|function| Row {
            topic: topic::topic(function),
            is_quick_question: topic::is_quick_question(function),
            is_cuda: function.library == Library::Cuda,
            returns_code: returns_code(function),
            checks: checks_of(topic::plain_name(function)),
        });
        let processes = (0..).map(ProcessId).take(trace.processes().len());
        Self {
            trace,
            exports,
            rows: rows.collect(),
            processes: processes.map(ProcessFacts::new).collect(),
            judges: vec![BenignJudge::default(); trace.processes().len()],
            benign: WordMap::default(),
            gathering: Gathering::default(),
            damages: Vec::new(),
        }
    }

    fn read(&mut self, mut watch: impl FnMut(u64) -> ControlFlow<()>) -> ControlFlow<()> {
        // Of most calls of a program that works, all that counts is that they were made and what they returned.
        let rows = self.rows.iter();
        let needed: Vec<bool> = rows
            .map(|row| row.topic != Topic::Other || !row.checks.is_empty())
            .collect();
        let needs_arguments = |function: FunctionId| needed.get(function.0 as usize) == Some(&true);
        let mut count = 0u64;
        for_each_call(self.trace, needs_arguments, |next| {
            match next {
                Next::Call(call) => self.add(call),
                Next::Damage(damage) if self.damages.len() < MAX_DAMAGES => {
                    self.damages.push(damage);
                }
                Next::Damage(_) => {}
            }
            count += 1;
            if count.is_multiple_of(1 << 16) {
                return watch(count);
            }
            ControlFlow::Continue(())
        })
    }

    /// Calls whose process or function the trace doesn't say anything about are passed over.
    fn add(&mut self, call: &Call) {
        let place = call.process.0 as usize;
        let schema = self.trace.schema();
        let (Some(facts), Some(judge), Some(function), Some(row)) = (
            self.processes.get_mut(place),
            self.judges.get_mut(place),
            schema.function(call.function),
            self.rows.get(call.function.0 as usize),
        ) else {
            return;
        };
        let seen = SeenCall {
            trace: self.trace,
            call,
            function,
            code: call
                .returned
                .filter(|_| row.returns_code)
                .map(|word| word as u32),
        };
        facts.count(call, row.is_cuda);
        facts.learn(row.topic, &seen);
        if call.returned.is_some() {
            facts.tallies.add(call, seen.code);
        }
        if row.is_quick_question
            && let Some(duration_ns) = call.duration_ns
        {
            facts.pace.add(call.seq, duration_ns);
        }
        if row.topic == Topic::LookUp {
            judge.observe(schema, call);
        }
        let failed = seen.code.filter(|&code| code != 0);
        if failed.is_none() && row.checks.is_empty() {
            return;
        }
        let moment = Moment {
            seen,
            facts,
            exports: self.exports,
        };
        let suspicious = (row.topic == Topic::LookUp)
            .then(|| look_up::suspicious(&moment))
            .flatten();
        let fired = check(&mut self.gathering, &row.checks, &moment);
        if let Some(look_up) = suspicious {
            facts.suspect(look_up);
        }
        let Some(code) = failed else {
            return;
        };
        let probe = || judge.probe(schema, call).is_some();
        let is_known = self.benign.len() < MAX_CODES;
        let is_benign = if row.topic == Topic::ExportTable || !is_known {
            probe()
        } else {
            *self
                .benign
                .entry((call.function, code))
                .or_insert_with(probe)
        };
        if fired || is_benign {
            facts.tallies.explain(call, code);
        }
    }
}

/// Whether a function returns a code.
fn returns_code(function: &Function) -> bool {
    let returns = function
        .signature
        .as_ref()
        .map(|signature| &signature.returns);
    matches!(returns, Some(Type::Named(name)) if name == code_type(function.library))
}

/// Runs the checks of a call; whether one of them fired.
fn check(gathering: &mut Gathering, checks: &[(usize, CallCheck)], moment: &Moment<'_>) -> bool {
    let mut fired = false;
    for (rule, check) in checks {
        if let Some(variant) = (check.fires)(moment) {
            let key = (moment.call.process, moment.call.seq, variant);
            gathering.call(*rule, key, || (check.what)(moment));
            fired = true;
        }
    }
    fired
}

/// The checks that look at each call of a function.
fn checks_of(name: &str) -> Vec<(usize, CallCheck)> {
    let rules = RULES.iter().enumerate();
    rules
        .flat_map(|(place, rule)| rule.checks.iter().map(move |check| (place, check)))
        .filter_map(|(place, check)| match check {
            Check::Call(check) if check.functions.contains(&name) => Some((place, *check)),
            _ => None,
        })
        .collect()
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
