//! Processes that ended inside a call.

use cutape_trace_format::metadata::Exit;

use super::groups::{DRIVER_DID_NOT_START, PERMISSION_LOST};
use crate::doctor::client::ClientKind::{Ggml, OllamaRunner, OllamaServer, PyTorch};
use crate::doctor::closing::Closing;
use crate::doctor::facts::OpenCall;
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, says, silently};
use crate::quantity::{push_time, text};

const SIGABRT: i32 = 6;
/// Signals that a process gets for what it does itself: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
const CRASHES: [i32; 7] = [4, 5, SIGABRT, 7, 8, 11, 31];
/// Shells answer 128 and the signal's number.
const SHELL: i32 = 128;
/// A call that was going on for this long when the process ended did not come back; one that began shortly before was cut off by chance.
const HANGS_NS: u64 = 1_000_000_000;

/// How a process with an open call ended, as far as it can be known: the trace has the end of the command, not of each process.
enum Ending {
    /// By a signal for something it did.
    Crash(i32),
    /// It was killed, or left, while the call was going on.
    Hang,
}

/// The open call that matters: the main thread's, or that of the only thread; other threads may wait in a call when a program ends well.
fn open_call<'a>(closing: &Closing<'a>) -> Option<&'a OpenCall> {
    if closing.entry.is_some_and(|entry| entry.alive) {
        return None;
    }
    let trace = closing.story.trace;
    let pid = closing.entry.map(|entry| entry.process.pid);
    let is_main = |open: &&OpenCall| {
        let thread = trace.thread(open.thread);
        thread.map(|thread| thread.tid) == pid
    };
    let open = &closing.facts.open;
    let threads = trace.threads().iter();
    let threads = threads.filter(|thread| thread.process == closing.facts.process);
    let alone = threads.count() <= 1;
    let crashed = signal(closing).is_some_and(|signal| CRASHES.contains(&signal));
    // The innermost call of a thread is its last one.
    open.iter()
        .rev()
        .find(is_main)
        .or_else(|| open.last().filter(|_| alone || crashed))
}

/// The signal that ended the command, said by itself or by the shell that ran it.
fn signal(closing: &Closing<'_>) -> Option<i32> {
    let Exit { code, signal, .. } = *closing.story.trace.exit()?;
    signal.or(code
        .filter(|&code| code > SHELL && code < SHELL + 65)
        .map(|code| code - SHELL))
}

fn ending(closing: &Closing<'_>, open: &OpenCall) -> Option<Ending> {
    let waited_ns = waited_ns(closing, open);
    match signal(closing) {
        Some(signal) if CRASHES.contains(&signal) => Some(Ending::Crash(signal)),
        None if was_abandoned(closing) => Some(Ending::Hang),
        _ if waited_ns >= HANGS_NS => Some(Ending::Hang),
        _ => None,
    }
}

/// The recorder was killed together with the program, so nobody saw how long the call went on. Where blocks are damaged, the call's end may
/// have been in them.
fn was_abandoned(closing: &Closing<'_>) -> bool {
    let trace = closing.story.trace;
    trace.exit().is_none() && trace.damages().is_empty()
}

fn waited_ns(closing: &Closing<'_>, open: &OpenCall) -> u64 {
    closing.story.end_ns().saturating_sub(open.begin_ns)
}

fn function(closing: &Closing<'_>, open: &OpenCall) -> String {
    super::quoted_name(&closing.story.trace.function_name(open.function))
}

fn what_hung(closing: &Closing<'_>, open: &OpenCall) -> String {
    let function = function(closing, open);
    if was_abandoned(closing) {
        return format!(
            "{function} had not returned when the recording stopped, without the program's end being seen: both were killed."
        );
    }
    let how = match signal(closing) {
        Some(number) => crate::info::signal_name(number).map_or_else(
            || format!("was ended by signal {number}"),
            |name| format!("was ended by {name}"),
        ),
        None => "ended".to_owned(),
    };
    format!(
        "{function} had not returned when the program {how}, {} after the call began.",
        text(push_time, waited_ns(closing, open))
    )
}

/// `crashed-in-call`.
pub static CRASHED: Rule = Rule {
    id: "crashed-in-call",
    title: "The program crashed inside the driver",
    when: "The command ended by SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGTRAP or SIGSYS, itself or as its shell says, and a call had not returned.",
    severity: Severity::Fatal,
    stage: Stage::End,
    checks: &[Check::Process(|closing| {
        let Some(open) = open_call(closing) else {
            return Vec::new();
        };
        let Some(Ending::Crash(number)) = ending(closing, open) else {
            return Vec::new();
        };
        let name = crate::info::signal_name(number)
            .map_or_else(|| format!("signal {number}"), str::to_owned);
        let what = format!(
            "The program ended by {name} inside {}, {} after the call began.",
            function(closing, open),
            text(push_time, waited_ns(closing, open))
        );
        vec![Found::new(what, [open.seq])]
    })],
    reactions: &[
        silently(
            OllamaServer,
            "the process is gone, and Ollama runs on the CPU",
        ),
        silently(
            OllamaRunner,
            "the runner is gone, and Ollama runs on the CPU",
        ),
        says(Ggml, "ends with the signal"),
        says(PyTorch, "ends with the signal"),
    ],
    advice: &[
        "run the program under a debugger and break at the call: its arguments are in the evidence",
        "a NULL among the arguments of a call that succeeds elsewhere is the caller's fault; everything else is the driver's",
    ],
    sources: &["trace: the last call has no answer"],
    follows: &[DRIVER_DID_NOT_START, PERMISSION_LOST, &["wrong-abi"]],
};

/// `killed-in-call`.
///
/// SIGKILL is the normal end of Ollama's discovery processes, and may hit one inside a call by chance. So it is one of the problem only
/// when the call had been going on for a second.
pub static KILLED: Rule = Rule {
    id: "killed-in-call",
    title: "A call never came back",
    when: "The process ended, not by a crash, while a call of its main thread had been going on for at least one second; or the end of the program is not on record, because the recorder was killed with it. At about 3, 15 or 30 s it is a time limit of Ollama's.",
    severity: Severity::Fatal,
    stage: Stage::End,
    checks: &[Check::Process(|closing| {
        let Some(open) = open_call(closing) else {
            return Vec::new();
        };
        let Some(Ending::Hang) = ending(closing, open) else {
            return Vec::new();
        };
        vec![Found::new(what_hung(closing, open), [open.seq])]
    })],
    reactions: &[
        silently(
            OllamaRunner,
            "kills the runner after 3 s (30 s at its start) and runs on the CPU: a timeout, not a crash",
        ),
        silently(
            OllamaServer,
            "kills the process that lists the devices and runs on the CPU",
        ),
        says(Ggml, "waits for ever"),
        says(PyTorch, "waits for ever"),
    ],
    advice: &[
        "a shim: give each request to the server a time limit, and answer an error when it is reached",
        "look at the server for this very call: its arguments are in the evidence",
    ],
    sources: &[
        "ollama#13308",
        "ollama discovery: limits of 3 s, 15 s and 30 s",
    ],
    follows: &[DRIVER_DID_NOT_START, &["too-slow"]],
};
