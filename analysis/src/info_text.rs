//! What is in a trace, for people.

use std::fmt::Write;

use chrono::{DateTime, FixedOffset};
use cutape_trace_format::metadata::note;

use crate::info::{CodeInfo, CountInfo, End, Info, LossesInfo, PayloadInfo, ProcessInfo, RuleInfo};
use crate::objects_info::ObjectsInfo;
use crate::printable::push_printable;
use crate::quantity::{push_bytes, push_time, text};

/// Threads listed of one process; programs that make a thread for each call have thousands.
const MAX_THREADS: usize = 20;
/// Notes and damages listed.
const MAX_LISTED: usize = 20;

/// The text, each line with its line feed. `offset` is the time zone in which the start is shown.
pub fn info_text(info: &Info, offset: FixedOffset) -> String {
    let mut out = String::new();
    push_head(&mut out, info, offset);
    push_rules(&mut out, &info.injection);
    push_payload(&mut out, &info.payload);
    push_code(&mut out, info.code);
    push_losses(&mut out, &info.losses);
    if let Some(failure) = &info.first_failure {
        field(
            &mut out,
            "first failure",
            &format!("call {}: {}", failure.seq, failure.text),
        );
    }
    if let Some(objects) = &info.objects {
        push_objects(&mut out, objects);
    }
    for process in &info.processes {
        push_process(&mut out, process);
    }
    push_remarks(&mut out, info);
    out
}

/// The recording's own rules, with what each did.
fn push_rules(out: &mut String, rules: &[RuleInfo]) {
    for rule in rules {
        let first = rule
            .first
            .map_or(String::new(), |seq| format!(", first on call {seq}"));
        field(
            out,
            "injected",
            &format!("{}: {}{first}", rule.rule, rule.did()),
        );
    }
}

/// What is kept besides arguments and results; not a word where nothing is and nobody asked for it.
fn push_payload(out: &mut String, payload: &PayloadInfo) {
    let mode = payload.mode.as_deref().unwrap_or("none");
    if mode == "none" && payload.count == 0 {
        return;
    }
    let bytes = text(push_bytes, payload.bytes);
    let exact = if payload.bytes < 1024 {
        String::new()
    } else {
        format!(" ({} bytes)", payload.bytes)
    };
    let kept = format!("{mode}: {} kept, {bytes}{exact}", payload.count);
    field(out, "payload", &kept);
}

/// Call stacks and callers by name; not a word where there are none.
fn push_code(out: &mut String, code: CodeInfo) {
    if code.stacks > 0 {
        field(out, "stacks", &format!("{} different", code.stacks));
    }
    if code.named > 0 {
        field(out, "names", &format!("{} places in code", code.named));
    }
}

fn field(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.extend(std::iter::repeat_n(' ', 15usize.saturating_sub(name.len())));
    push_printable(out, value);
    out.push('\n');
}

fn push_objects(out: &mut String, objects: &ObjectsInfo) {
    if let Some(text) = objects.left_behind_text() {
        field(out, "left behind", &text);
    }
    if let Some(text) = objects.uses_after_end_text() {
        field(out, "used when gone", &text);
    }
}

fn push_head(out: &mut String, info: &Info, offset: FixedOffset) {
    let form = match (info.sealed, info.live) {
        (true, _) => "sealed file",
        (false, true) => "recording folder, still being written",
        (false, false) => "recording folder, not sealed",
    };
    field(out, "trace", &format!("{} ({form})", info.path));
    if let Some(recording) = &info.recording {
        field(out, "command", &command_line(&recording.command));
        field(out, "host", &recording.host);
        field(
            out,
            "recorded by",
            &format!("cutape {}", recording.cutape_version),
        );
        let options = recording
            .options
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let options = options.collect::<Vec<_>>().join(" ");
        if !options.is_empty() {
            field(out, "options", &options);
        }
    } else {
        // What damage took is not to be guessed.
        let who = if info.damages.is_empty() {
            "a program that loaded the interposer itself, without cutape record"
        } else {
            "not readable: the trace is damaged"
        };
        field(out, "recorded by", who);
    }
    let start = info
        .start
        .as_deref()
        .map_or("not on record".to_owned(), |start| local(start, offset));
    field(out, "start", &start);
    field(out, "duration", &text(push_time, info.duration_ns));
    field(out, "end", &end_text(info.end.as_ref(), info.live));
    let benign = match info.benign {
        0 => String::new(),
        benign => format!(" ({benign} of them benign probes)"),
    };
    field(out, "calls", &count_text(&info.count, &benign));
}

/// A time as people write it, in that zone.
fn local(start: &str, offset: FixedOffset) -> String {
    DateTime::parse_from_rfc3339(start).map_or_else(
        |_| start.to_owned(),
        |time| {
            time.with_timezone(&offset)
                .format("%Y-%m-%d %H:%M:%S%.6f %:z")
                .to_string()
        },
    )
}

fn end_text(end: Option<&End>, live: bool) -> String {
    match end {
        _ if live => "still running".to_owned(),
        Some(End {
            signal: Some(signal),
            signal_name,
            ..
        }) => match signal_name {
            Some(name) => format!("killed by signal {signal} ({name})"),
            None => format!("killed by signal {signal}"),
        },
        Some(End {
            code: Some(code), ..
        }) => format!("exit code {code}"),
        _ => "not on record".to_owned(),
    }
}

fn count_text(count: &CountInfo, benign: &str) -> String {
    let in_flight = match count.in_flight {
        0 => String::new(),
        calls => format!(", {calls} in flight"),
    };
    format!(
        "{}, {} failed{benign}{in_flight}",
        count.calls, count.failed
    )
}

fn push_losses(out: &mut String, losses: &LossesInfo) {
    let parts = [
        (losses.dropped, "dropped because a ring was full"),
        (losses.without_ring, "of threads that got no ring"),
        (losses.damaged, "in damaged blocks"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(calls, _)| *calls > 0)
        .map(|(calls, why)| format!("{calls} {why}"))
        .collect();
    let lost = if parts.is_empty() {
        "0 calls".to_owned()
    } else {
        parts.join(", ")
    };
    field(out, "lost", &lost);
    if losses.waited_ns > 0 {
        let waited = text(push_time, losses.waited_ns);
        field(
            out,
            "waited",
            &format!("{waited} in all, for space in full rings; nothing is lost by it"),
        );
    }
}

fn push_process(out: &mut String, process: &ProcessInfo) {
    let state = if process.alive { ", running" } else { "" };
    let life = match process.incarnation {
        0 => String::new(),
        number => format!(", incarnation {number}"),
    };
    out.push('\n');
    field(
        out,
        "process",
        &format!(
            "{} (parent {}{life}{state})",
            process.pid, process.parent_pid
        ),
    );
    field(out, "  program", &process.program);
    if !process.command.is_empty() {
        field(out, "  command", &command_line(&process.command));
    }
    field(out, "  driver", &process.driver);
    field(out, "  calls", &count_text(&process.count, ""));
    field(out, "  threads", &process.threads.len().to_string());
    for thread in process.threads.iter().take(MAX_THREADS) {
        let _ = write!(out, "    {:>9}  ", thread.tid);
        push_printable(out, &thread.name);
        out.extend(std::iter::repeat_n(
            ' ',
            15usize.saturating_sub(thread.name.chars().count()),
        ));
        let _ = writeln!(out, "  {}", count_text(&thread.count, ""));
    }
    push_more(out, process.threads.len(), MAX_THREADS);
    field(out, "  libraries", &process.libraries.len().to_string());
    for library in &process.libraries {
        out.push_str("    ");
        push_printable(out, &library.path);
        if !library.build_id.is_empty() {
            out.push_str("  ");
            out.push_str(&library.build_id);
        }
        out.push('\n');
    }
}

fn push_remarks(out: &mut String, info: &Info) {
    // Rules have lines of their own.
    let notes = info
        .notes
        .iter()
        .filter(|entry| entry.kind != note::INJECTION);
    let notes = notes.map(|note| match note.count {
        0 => format!("{}: {}", note.kind, note.text),
        count => format!("{}: {} ({count})", note.kind, note.text),
    });
    push_list(out, "notes", notes.collect());
    let damages = info.damages.iter().map(|damage| {
        let lost = damage
            .lost_calls
            .map_or(String::new(), |calls| format!("; {calls} calls are lost"));
        let bytes = match damage.bytes {
            0 => String::new(),
            bytes => format!("{bytes} bytes "),
        };
        format!(
            "{}: {bytes}at offset {}: {}{lost}",
            damage.path, damage.offset, damage.problem
        )
    });
    push_list(out, "damage", damages.collect());
}

fn push_list(out: &mut String, name: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    out.push('\n');
    field(out, name, &lines.len().to_string());
    for line in lines.iter().take(MAX_LISTED) {
        out.push_str("  ");
        push_printable(out, line);
        out.push('\n');
    }
    push_more(out, lines.len(), MAX_LISTED);
}

fn push_more(out: &mut String, all: usize, listed: usize) {
    if all > listed {
        let _ = writeln!(out, "    and {} more (--json lists all)", all - listed);
    }
}

/// A command as a shell would take it: arguments with unusual letters are quoted.
fn command_line(command: &[String]) -> String {
    let usual = |letter: char| letter.is_alphanumeric() || "-_./=+,:@%".contains(letter);
    let quoted = command.iter().map(|argument| {
        if !argument.is_empty() && argument.chars().all(usual) {
            argument.clone()
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
