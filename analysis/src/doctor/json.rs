//! A diagnosis as JSON; docs/doctor.md describes it.

use cutape_trace_format::call::ProcessId;
use cutape_trace_format::trace::Trace;
use serde::Serialize;

use super::checklist::{Checklist, Decision};
use super::diagnosis::{Diagnosis, ProcessReport};
use super::finding::Finding;
use crate::call_stack::Frame;
use crate::json::{self, integer, optional};

/// `schema` of the JSON.
pub const JSON_SCHEMA: &str = "cutape.doctor";
/// `version` of the JSON; fields may be added without a new one.
pub const JSON_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: u32,
    path: String,
    #[serde(serialize_with = "integer")]
    calls: u64,
    findings: Vec<FindingJson<'a>>,
    allowed: Vec<FindingJson<'a>>,
    processes: Vec<ProcessJson<'a>>,
    unexplained: Vec<UnexplainedJson<'a>>,
    limits: &'a [String],
}

#[derive(Serialize)]
struct FindingJson<'a> {
    id: &'static str,
    title: &'static str,
    severity: &'static str,
    stage: &'static str,
    what: &'a str,
    pids: Vec<u32>,
    #[serde(serialize_with = "integer")]
    count: u64,
    silent: bool,
    evidence: Vec<EvidenceJson<'a>>,
    reactions: Vec<ReactionJson>,
    r#try: &'static [&'static str],
    sources: &'static [&'static str],
    consequences: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct EvidenceJson<'a> {
    #[serde(serialize_with = "integer")]
    seq: u64,
    pid: Option<u32>,
    tid: Option<u32>,
    #[serde(serialize_with = "integer")]
    t_ns: u64,
    caller: &'a str,
    #[serde(skip_serializing_if = "<[Frame]>::is_empty")]
    stack: &'a [Frame],
    text: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    injected: &'a [String],
}

#[derive(Serialize)]
struct ReactionJson {
    client: &'static str,
    does: &'static str,
    silent: bool,
}

#[derive(Serialize)]
struct ProcessJson<'a> {
    pid: Option<u32>,
    incarnation: Option<u32>,
    command: &'a [String],
    #[serde(serialize_with = "integer")]
    calls: u64,
    clients: Vec<&'static str>,
    reasons: Vec<&'a str>,
    library_folder: Option<&'a str>,
    devices: Vec<DeviceJson<'a>>,
}

#[derive(Serialize)]
struct DeviceJson<'a> {
    device: Option<i32>,
    name: Option<&'a str>,
    questions: Vec<QuestionJson<'a>>,
    decision: DecisionJson,
}

#[derive(Serialize)]
struct QuestionJson<'a> {
    id: &'static str,
    answer: &'static str,
    calls: &'a [u64],
    said: &'a str,
}

#[derive(Default, Serialize)]
struct DecisionJson {
    offered: Option<bool>,
    #[serde(serialize_with = "optional")]
    free: Option<u64>,
    #[serde(serialize_with = "optional")]
    total: Option<u64>,
    compute: Option<String>,
    rule: Option<&'static str>,
    #[serde(serialize_with = "optional")]
    call: Option<u64>,
    not_asked: Vec<&'static str>,
}

#[derive(Serialize)]
struct UnexplainedJson<'a> {
    api: &'a str,
    ret: u32,
    #[serde(serialize_with = "integer")]
    calls: u64,
    #[serde(serialize_with = "integer")]
    first: u64,
}

/// One JSON object with a line feed at the end.
pub fn to_json(trace: &Trace, diagnosis: &Diagnosis) -> String {
    let unexplained = diagnosis.unexplained.iter().map(|one| UnexplainedJson {
        api: &one.api,
        ret: one.code,
        calls: one.calls,
        first: one.first,
    });
    json::pretty(&Document {
        schema: JSON_SCHEMA,
        version: JSON_VERSION,
        path: trace.path().display().to_string(),
        calls: diagnosis.calls,
        findings: findings_json(trace, &diagnosis.findings),
        allowed: findings_json(trace, &diagnosis.allowed),
        processes: diagnosis
            .processes
            .iter()
            .map(|process| process_json(trace, process))
            .collect(),
        unexplained: unexplained.collect(),
        limits: &diagnosis.limits,
    })
}

fn pid(trace: &Trace, process: ProcessId) -> Option<u32> {
    trace.process(process).map(|entry| entry.process.pid)
}

fn findings_json<'a>(trace: &Trace, findings: &'a [Finding]) -> Vec<FindingJson<'a>> {
    findings
        .iter()
        .map(|finding| finding_json(trace, finding))
        .collect()
}

fn finding_json<'a>(trace: &Trace, finding: &'a Finding) -> FindingJson<'a> {
    let rule = finding.rule;
    let evidence = finding.evidence.iter().map(|call| EvidenceJson {
        seq: call.seq,
        pid: call.pid,
        tid: call.tid,
        t_ns: call.t_ns,
        caller: &call.caller,
        stack: &call.stack,
        text: &call.text,
        injected: &call.injected,
    });
    let reactions = finding.reactions().into_iter().map(|one| ReactionJson {
        client: one.client.name(),
        does: one.does,
        silent: one.silent,
    });
    let processes = finding.processes.iter();
    FindingJson {
        id: rule.id,
        title: rule.title,
        severity: rule.severity.word(),
        stage: rule.stage.word(),
        what: &finding.what,
        pids: processes.filter_map(|&one| pid(trace, one)).collect(),
        count: finding.count,
        silent: finding.is_silent(),
        evidence: evidence.collect(),
        reactions: reactions.collect(),
        r#try: rule.advice,
        sources: rule.sources,
        consequences: findings_json(trace, &finding.consequences),
    }
}

fn process_json<'a>(trace: &'a Trace, report: &'a ProcessReport) -> ProcessJson<'a> {
    let entry = trace.process(report.process);
    ProcessJson {
        pid: pid(trace, report.process),
        incarnation: entry.map(|entry| entry.process.incarnation),
        command: entry.map_or(&[], |entry| &entry.process.command),
        calls: report.calls,
        clients: report.client.kinds.keys().map(|kind| kind.name()).collect(),
        reasons: report.client.kinds.values().map(String::as_str).collect(),
        library_folder: report.client.library_folder.as_deref(),
        devices: report.checklists.iter().map(device_json).collect(),
    }
}

fn device_json(checklist: &Checklist) -> DeviceJson<'_> {
    let questions = checklist.questions.iter().map(|question| QuestionJson {
        id: question.id,
        answer: question.answer.word(),
        calls: &question.calls,
        said: &question.said,
    });
    DeviceJson {
        device: checklist.device,
        name: checklist.name.as_deref(),
        questions: questions.collect(),
        decision: decision_json(&checklist.decision),
    }
}

fn decision_json(decision: &Decision) -> DecisionJson {
    match decision {
        Decision::Offer {
            free,
            total,
            compute: (major, minor),
        } => DecisionJson {
            offered: Some(true),
            free: Some(*free),
            total: Some(*total),
            compute: Some(format!("{major}.{minor}")),
            ..DecisionJson::default()
        },
        Decision::Refuse { rule, call } => DecisionJson {
            offered: Some(false),
            rule: Some(rule),
            call: Some(*call).filter(|&call| call != 0),
            ..DecisionJson::default()
        },
        Decision::Unknown(unasked) => DecisionJson {
            not_asked: unasked.clone(),
            ..DecisionJson::default()
        },
    }
}
