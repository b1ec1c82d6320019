//! What is in a trace: who recorded what, when, with what losses, and how it ended.

use chrono::{DateTime, SecondsFormat, Utc};
use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::metadata::{Note, Recording};
use cutape_trace_format::trace::{ProcessEntry, Trace};
use serde::Serialize;

use crate::injection::rules_of;
use crate::json::{self, integer, optional};
use crate::objects::Objects;
use crate::objects_info::ObjectsInfo;
use crate::outcome::outcome;
use crate::survey::{Count, Survey};
use crate::text::{Detail, push_call};

/// `schema` of the JSON.
pub const JSON_SCHEMA: &str = "cutape.info";
/// `version` of the JSON; fields may be added without a new one.
pub const JSON_VERSION: u32 = 1;

/// What is in a trace.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    /// [`JSON_SCHEMA`].
    pub schema: &'static str,
    /// [`JSON_VERSION`].
    pub version: u32,
    /// Where the trace was opened.
    pub path: String,
    /// Whether it is one sealed file; otherwise a recording folder.
    pub sealed: bool,
    /// Whether a process was still running.
    pub live: bool,
    /// Who recorded it and how; nothing for a recording made without `cutape record`.
    pub recording: Option<RecordingInfo>,
    /// Start of the recording, RFC 3339 in UTC.
    pub start: Option<String>,
    /// From the start to the program's end, or to the last call where the end is not on record, nanoseconds.
    #[serde(serialize_with = "integer")]
    pub duration_ns: u64,
    /// How the program ended, where that was seen.
    pub end: Option<End>,
    /// Calls of all processes.
    #[serde(flatten)]
    pub count: CountInfo,
    /// Failed calls that are benign probes.
    #[serde(serialize_with = "integer")]
    pub benign: u64,
    /// What was not recorded or can't be read.
    pub losses: LossesInfo,
    /// The first call that failed and is no benign probe.
    pub first_failure: Option<FailureInfo>,
    /// What is worth a word about objects; nothing where nobody looked.
    pub objects: Option<ObjectsInfo>,
    /// The rules by which the recording changed what calls do, in the order in which they were given.
    pub injection: Vec<RuleInfo>,
    /// Module images and copied data.
    pub payload: PayloadInfo,
    /// Who called, by name.
    pub code: CodeInfo,
    /// Each process, and each of its incarnations after an exec or fork.
    pub processes: Vec<ProcessInfo>,
    /// What the recorder had to say.
    pub notes: Vec<NoteInfo>,
    /// What can't be read.
    pub damages: Vec<DamageInfo>,
}

/// Who recorded a trace and how.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingInfo {
    /// Version of cutape.
    pub cutape_version: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Name of the host.
    pub host: String,
    /// Options of the recording, name and value.
    pub options: Vec<(String, String)>,
}

/// How the recorded program ended.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// Signal number, if a signal killed it.
    pub signal: Option<i32>,
    /// The signal's name.
    pub signal_name: Option<&'static str>,
}

/// Numbers of calls.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CountInfo {
    /// Calls that began.
    #[serde(serialize_with = "integer")]
    pub calls: u64,
    /// Calls that returned a code other than success.
    #[serde(serialize_with = "integer")]
    pub failed: u64,
    /// Calls that never returned, or had not yet.
    #[serde(serialize_with = "integer")]
    pub in_flight: u64,
}

/// What was not recorded or can't be read.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LossesInfo {
    /// Calls dropped because a ring was full.
    #[serde(serialize_with = "integer")]
    pub dropped: u64,
    /// Calls whose thread got no ring.
    #[serde(serialize_with = "integer")]
    pub without_ring: u64,
    /// Calls in blocks that can't be read.
    #[serde(serialize_with = "integer")]
    pub damaged: u64,
    /// Time that threads waited for space in their rings, nanoseconds. Nothing is lost by it.
    #[serde(serialize_with = "integer")]
    pub waited_ns: u64,
}

/// Module images and copied data.
#[derive(Clone, Debug, Serialize)]
pub struct PayloadInfo {
    /// What the recording was asked to keep, `--payload`; nothing where that is not on record.
    pub mode: Option<String>,
    /// Contents that are in the trace, each once.
    #[serde(serialize_with = "integer")]
    pub count: u64,
    /// Their bytes, before compression.
    #[serde(serialize_with = "integer")]
    pub bytes: u64,
}

/// Call stacks and names of callers.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CodeInfo {
    /// Call stacks, each once.
    #[serde(serialize_with = "integer")]
    pub stacks: u64,
    /// Code addresses whose function is known.
    #[serde(serialize_with = "integer")]
    pub named: u64,
}

/// A rule of the recording: `--inject` or `--override`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleInfo {
    /// The option as it was given.
    pub rule: String,
    /// Calls that it acted on.
    #[serde(serialize_with = "integer")]
    pub calls: u64,
    /// The first of them.
    #[serde(serialize_with = "optional")]
    pub first: Option<u64>,
}

/// A call that failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailureInfo {
    /// The call's number.
    #[serde(serialize_with = "integer")]
    pub seq: u64,
    /// Its process, if that is on record.
    pub pid: Option<u32>,
    /// Its thread, if that is on record.
    pub tid: Option<u32>,
    /// From the start to its begin, nanoseconds.
    #[serde(serialize_with = "integer")]
    pub t_ns: u64,
    /// The function's symbol name.
    pub api: String,
    /// Its code.
    pub ret: Option<u32>,
    /// The call as `cutape print` shows it.
    pub text: String,
}

/// A process.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessInfo {
    /// Process id.
    pub pid: u32,
    /// The parent's process id.
    pub parent_pid: u32,
    /// Which life of the process, from 0: fork without exec and exec start new ones.
    pub incarnation: u32,
    /// Path of the program.
    pub program: String,
    /// Its arguments.
    pub command: Vec<String>,
    /// The driver library that calls were passed to.
    pub driver: String,
    /// The process was there when the trace was opened.
    pub alive: bool,
    /// Its calls.
    #[serde(flatten)]
    pub count: CountInfo,
    /// Its threads that made calls.
    pub threads: Vec<ThreadInfo>,
    /// Files that were mapped executable, each once.
    pub libraries: Vec<LibraryInfo>,
}

/// A thread.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadInfo {
    /// Kernel thread id.
    pub tid: u32,
    /// Its name when it made its first call.
    pub name: String,
    /// Its calls.
    #[serde(flatten)]
    pub count: CountInfo,
}

/// A mapped file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LibraryInfo {
    /// Its path.
    pub path: String,
    /// The GNU build id in hexadecimal, empty where it was not read.
    pub build_id: String,
}

/// Something that the recorder had to say.
#[derive(Clone, Debug, Serialize)]
pub struct NoteInfo {
    /// A word for programs.
    pub kind: String,
    /// For people.
    pub text: String,
    /// What was counted, by kind.
    #[serde(serialize_with = "integer")]
    pub count: u64,
    /// When, from the start, nanoseconds; none where that is not on record.
    #[serde(serialize_with = "optional")]
    pub t_ns: Option<u64>,
}

/// Something that can't be read.
#[derive(Clone, Debug, Serialize)]
pub struct DamageInfo {
    /// The file.
    pub path: String,
    /// First damaged byte.
    #[serde(serialize_with = "integer")]
    pub offset: u64,
    /// Number of bytes that could not be used.
    #[serde(serialize_with = "integer")]
    pub bytes: u64,
    /// What is wrong.
    pub problem: String,
    /// Calls that are lost with it, where that is known.
    #[serde(serialize_with = "optional")]
    pub lost_calls: Option<u64>,
}

impl RuleInfo {
    /// What the rule did: `acted on 3 calls`.
    pub fn did(&self) -> String {
        match self.calls {
            // Who looks for a symbol by `dlsym` makes no call.
            0 if self.rule.ends_with("missing") => "no call found the functions".to_owned(),
            0 => "acted on no call".to_owned(),
            1 => "acted on 1 call".to_owned(),
            calls => format!("acted on {calls} calls"),
        }
    }
}

impl Info {
    /// From a trace and a pass over its calls.
    pub fn of(trace: &Trace, survey: &Survey) -> Self {
        let losses = trace.losses();
        let lost_on_the_way = survey.damages.iter().filter_map(|damage| damage.lost_calls);
        Self {
            schema: JSON_SCHEMA,
            version: JSON_VERSION,
            path: trace.path().display().to_string(),
            sealed: trace.is_sealed(),
            live: trace.is_live(),
            recording: trace.recording().map(recording_info),
            start: trace.start_realtime_ns().map(rfc3339),
            duration_ns: duration_ns(trace, survey),
            end: trace.exit().map(|exit| End {
                code: exit.code,
                signal: exit.signal,
                signal_name: exit.signal.and_then(signal_name),
            }),
            count: survey.total.into(),
            benign: survey.benign,
            losses: LossesInfo {
                dropped: losses.dropped,
                without_ring: losses.without_ring,
                damaged: lost_on_the_way.fold(losses.damaged, u64::saturating_add),
                waited_ns: losses.waited_ns,
            },
            first_failure: survey
                .first_failure
                .as_ref()
                .map(|call| failure_info(trace, call)),
            objects: None,
            injection: rule_infos(trace, survey),
            payload: payload_info(trace),
            code: CodeInfo {
                stacks: trace.code().stack_count() as u64,
                named: trace.code().named_count() as u64,
            },
            processes: process_infos(trace, survey),
            notes: trace
                .notes()
                .iter()
                .map(|note| note_info(trace, note))
                .collect(),
            damages: trace
                .damages()
                .iter()
                .chain(&survey.damages)
                .map(damage_info)
                .collect(),
        }
    }

    /// With what is worth a word about the objects of the trace.
    pub fn with_objects(self, objects: &Objects) -> Self {
        Self {
            objects: Some(ObjectsInfo::of(objects)),
            ..self
        }
    }

    /// One JSON object with a line feed at the end; docs/reading.md describes it.
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }

    /// Calls that are not in the trace, whatever the reason.
    pub fn lost(&self) -> u64 {
        let LossesInfo {
            dropped,
            without_ring,
            damaged,
            ..
        } = self.losses;
        dropped.saturating_add(without_ring).saturating_add(damaged)
    }
}

impl From<Count> for CountInfo {
    fn from(count: Count) -> Self {
        let Count {
            calls,
            failed,
            in_flight,
        } = count;
        Self {
            calls,
            failed,
            in_flight,
        }
    }
}

fn recording_info(recording: &Recording) -> RecordingInfo {
    RecordingInfo {
        cutape_version: recording.cutape_version.clone(),
        command: recording.command.clone(),
        host: recording.host.clone(),
        options: recording.options.clone(),
    }
}

fn payload_info(trace: &Trace) -> PayloadInfo {
    let options = trace.recording().map(|recording| &recording.options);
    let mode = options.and_then(|options| options.iter().find(|(name, _)| name == "payload"));
    PayloadInfo {
        mode: mode.map(|(_, mode)| mode.clone()),
        count: trace.payloads().count() as u64,
        bytes: trace.payloads().bytes(),
    }
}

fn rule_infos(trace: &Trace, survey: &Survey) -> Vec<RuleInfo> {
    let given = rules_of(trace);
    let counted = |rule: &str| {
        let mut all = survey.injected.iter();
        all.find(|one| one.rule == rule).cloned()
    };
    let unused = |rule: String| RuleInfo {
        rule,
        calls: 0,
        first: None,
    };
    let said: Vec<_> = given
        .into_iter()
        .map(|rule| counted(&rule).unwrap_or_else(|| unused(rule)))
        .collect();
    // Rules whose words the trace has lost are known by their calls.
    let others = survey.injected.iter().filter(|one| !said.contains(one));
    let others: Vec<_> = others.cloned().collect();
    said.into_iter().chain(others).collect()
}

fn rfc3339(since_1970_ns: u64) -> String {
    let seconds = (since_1970_ns / 1_000_000_000) as i64;
    let rest = (since_1970_ns % 1_000_000_000) as u32;
    DateTime::<Utc>::from_timestamp(seconds, rest)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// From the start to the end of the program, or to the last thing on record.
fn duration_ns(trace: &Trace, survey: &Survey) -> u64 {
    let exit = trace.exit().map_or(0, |exit| exit.at_ns);
    exit.max(survey.last_ns).saturating_sub(trace.start_ns())
}

fn failure_info(trace: &Trace, call: &Call) -> FailureInfo {
    let mut text = String::new();
    push_call(&mut text, trace.schema(), call, &Detail::LINE);
    FailureInfo {
        seq: call.seq,
        pid: trace.process(call.process).map(|entry| entry.process.pid),
        tid: trace.thread(call.thread).map(|thread| thread.tid),
        t_ns: call.begin_ns.saturating_sub(trace.start_ns()),
        api: trace.function_name(call.function).into_owned(),
        ret: outcome(trace.schema(), call).code(),
        text,
    }
}

fn process_infos(trace: &Trace, survey: &Survey) -> Vec<ProcessInfo> {
    let mut threads: Vec<Vec<ThreadInfo>> = vec![Vec::new(); trace.processes().len()];
    for (thread, count) in trace.threads().iter().zip(&survey.threads) {
        let ProcessId(process) = thread.process;
        if let Some(threads) = threads.get_mut(process as usize) {
            threads.push(ThreadInfo {
                tid: thread.tid,
                name: thread.name.clone(),
                count: (*count).into(),
            });
        }
    }
    let counts = survey.processes.iter().zip(threads);
    trace
        .processes()
        .iter()
        .zip(counts)
        .map(|(entry, (count, threads))| ProcessInfo {
            pid: entry.process.pid,
            parent_pid: entry.process.parent_pid,
            incarnation: entry.process.incarnation,
            program: entry.process.program.clone(),
            command: entry.process.command.clone(),
            driver: entry.process.driver.clone(),
            alive: entry.alive,
            count: (*count).into(),
            threads,
            libraries: library_infos(entry),
        })
        .collect()
}

fn library_infos(entry: &ProcessEntry) -> Vec<LibraryInfo> {
    let mut libraries: Vec<LibraryInfo> = entry
        .libraries
        .iter()
        .flat_map(|map| &map.libraries)
        .map(|library| LibraryInfo {
            path: library.path.clone(),
            build_id: library
                .build_id
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        })
        .collect();
    libraries
        .sort_by(|left, right| (&left.path, &left.build_id).cmp(&(&right.path, &right.build_id)));
    libraries.dedup();
    libraries
}

fn note_info(trace: &Trace, note: &Note) -> NoteInfo {
    NoteInfo {
        kind: note.kind.clone(),
        text: note.text.clone(),
        count: note.count,
        t_ns: (note.at_ns != 0).then(|| note.at_ns.saturating_sub(trace.start_ns())),
    }
}

fn damage_info(damage: &Damage) -> DamageInfo {
    DamageInfo {
        path: damage.path.display().to_string(),
        offset: damage.offset,
        bytes: damage.bytes,
        problem: damage.problem.clone(),
        lost_calls: damage.lost_calls,
    }
}

/// Names of the signals that end processes, by their number on x86-64 Linux (signal(7)).
const SIGNAL_NAMES: [(i32, &str); 18] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (31, "SIGSYS"),
];

/// The name of a signal that ends processes.
pub(crate) fn signal_name(number: i32) -> Option<&'static str> {
    SIGNAL_NAMES
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

/// The number of such a signal.
pub(crate) fn signal_number(name: &str) -> Option<i32> {
    SIGNAL_NAMES
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(number, _)| *number)
}

/// All their names.
pub(crate) fn signal_names() -> impl Iterator<Item = &'static str> {
    SIGNAL_NAMES.iter().map(|(_, name)| *name)
}
