//! The commands that read traces, as users run them: output, exit codes, messages.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::sample_schema::INIT;
use cutape_trace_format::sample_story::{STORY_CALLS, write_story};
use cutape_trace_format::seal::{SealOptions, seal};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A folder for one test, removed when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cutape-reading-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a writable folder for temporary files");
        Self(folder)
    }

    /// A recording folder with the sample story: two processes, failures, calls in flight.
    fn folder(&self) -> PathBuf {
        let path = self.0.join("story.cutape");
        write_story(&path).expect("writes");
        path
    }

    /// The story as one file.
    fn sealed(&self) -> PathBuf {
        let (folder, file) = (self.folder(), self.0.join("sealed.cutape"));
        seal(&folder, &file, SealOptions::default(), &mut |_| {}).expect("seals");
        file
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutape"));
    command.args(arguments).arg(path).stdin(Stdio::null());
    command
}

/// Runs the command; the path comes last.
fn run(arguments: &[&str], path: &Path) -> Output {
    command(arguments, path).output().expect("runs")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("is UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("is UTF-8")
}

/// What a command prints that must succeed without a word on standard error.
fn printed(arguments: &[&str], path: &Path) -> String {
    let output = run(arguments, path);
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), ""),
        "{arguments:?}"
    );
    stdout(&output).to_owned()
}

#[test]
fn a_folder_and_the_file_made_of_it_print_the_same() {
    let scratch = Scratch::new();
    let text = printed(&["print"], &scratch.sealed());
    assert_eq!(text.lines().count() as u64, STORY_CALLS);
    let failed = "cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)";
    assert!(
        text.lines()
            .nth(1)
            .is_some_and(|line| line.ends_with(failed)),
        "{text}"
    );
    assert_eq!(printed(&["print"], &scratch.0.join("story.cutape")), text);
}

#[test]
fn n_takes_the_first_calls_and_minus_n_the_last() {
    let scratch = Scratch::new();
    let path = scratch.sealed();
    let text = printed(&["print", "--columns", "seq"], &path);
    let lines: Vec<_> = text.lines().collect();
    let first = printed(&["print", "--columns", "seq", "-n", "2"], &path);
    assert_eq!(first.lines().collect::<Vec<_>>(), lines[..2]);
    for path in [path.clone(), scratch.0.join("story.cutape")] {
        let last = printed(&["print", "--columns", "seq", "-n", "-2"], &path);
        assert_eq!(last.lines().collect::<Vec<_>>(), lines[lines.len() - 2..]);
    }
    assert_eq!(printed(&["print", "-n", "0"], &path), "");
    assert_eq!(
        printed(&["print", "--columns", "seq", "-n", "-100000"], &path),
        text
    );
}

#[test]
fn json_lines_are_those_of_the_library() {
    let scratch = Scratch::new();
    let text = printed(&["print", "--format", "jsonl"], &scratch.sealed());
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("is JSON"))
        .collect();
    assert_eq!(lines[0]["schema"], "cutape.print");
    assert_eq!(lines.len() as u64, 1 + STORY_CALLS);
    assert_eq!(
        (&lines[2]["api"], &lines[2]["ret"]),
        (&"cuMemGetInfo_v2".into(), &3.into())
    );
}

#[test]
fn csv_has_a_header_and_one_line_for_each_call() {
    let scratch = Scratch::new();
    let text = printed(&["print", "--format", "csv"], &scratch.sealed());
    assert_eq!(
        text.lines().next(),
        Some("seq,pid,tid,comm,t_ns,dur_ns,caller,api,args,ret,ret_name,injected")
    );
    assert_eq!(text.lines().count() as u64, 1 + STORY_CALLS);
}

#[test]
fn quiet_only_says_whether_there_is_a_call() {
    let scratch = Scratch::new();
    assert_eq!(printed(&["print", "-q"], &scratch.sealed()), "");
    let empty = scratch.0.join("empty.cutape");
    SampleRecording::create(&empty).expect("creates");
    let output = run(&["print", "-q"], &empty);
    assert_eq!(
        (output.status.code(), stdout(&output), stderr(&output)),
        (Some(1), "", "")
    );
    assert_eq!(
        printed(&["print"], &empty),
        "",
        "a recording without calls is no error"
    );
}

#[test]
fn failed_calls_are_red_where_colour_is_wanted_and_only_there() {
    let scratch = Scratch::new();
    let path = scratch.sealed();
    assert!(
        !printed(&["print"], &path).contains('\x1b'),
        "a pipe is no terminal"
    );
    let text = printed(&["print", "--color", "always", "-n", "2"], &path);
    let red = "= \x1b[1;31mCUDA_ERROR_NOT_INITIALIZED (3)\x1b[0m\n";
    assert!(text.ends_with(red), "{text}");
    assert_eq!(text.matches('\x1b').count(), 2, "success has no colour");
}

#[test]
fn a_closed_pipe_ends_printing_as_it_ends_strace() {
    let scratch = Scratch::new();
    let mut child = command(&["print", "--format", "jsonl"], &scratch.sealed())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut line = String::new();
    // The pipe holds 64 KiB, and there is more to print than that: the command is not done when the pipe closes.
    let mut out = BufReader::with_capacity(512, child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("reads");
    drop(out);
    let status = child.wait().expect("ends");
    assert_eq!(status.signal(), Some(libc::SIGPIPE), "{status}");
    let mut messages = String::new();
    child
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut messages)
        .expect("reads");
    assert_eq!(messages, "");
}

#[test]
fn following_a_recording_that_has_ended_prints_it_and_ends() {
    let scratch = Scratch::new();
    let sealed = scratch.sealed();
    let followed = printed(
        &["print", "-F", "--columns", "none"],
        &scratch.0.join("story.cutape"),
    );
    let mut followed: Vec<_> = followed.lines().collect();
    let printed_whole = printed(&["print", "--columns", "none"], &sealed);
    let mut whole: Vec<_> = printed_whole.lines().collect();
    // Calls are delivered when they have returned, so the order may be another one.
    followed.sort_unstable();
    whole.sort_unstable();
    assert_eq!(followed, whole);
    assert_eq!(
        printed(&["print", "-F", "--columns", "none"], &sealed),
        printed_whole
    );
    let output = run(
        &["print", "-F", "-n", "-3"],
        &scratch.0.join("story.cutape"),
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("not known before the end"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_is_no_trace_is_refused_with_what_was_expected() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.0.join(name);
    std::fs::write(path("text"), "this is no trace, whatever its length is").expect("writes");
    std::fs::write(path("empty"), "").expect("writes");
    std::fs::create_dir(path("folder")).expect("makes");
    scratch.sealed();
    for (name, expected) in [
        ("text", "expected a file that starts with \"cutTRACE\""),
        ("empty", "the file is empty"),
        ("folder", "the folder has neither"),
        ("sealed", "did you mean"),
        ("nowhere", "No such file"),
    ] {
        for subcommand in ["print", "info", "stats", "verify"] {
            let output = run(&[subcommand], &path(name));
            let message = stderr(&output);
            assert_eq!(
                (output.status.code(), stdout(&output)),
                (Some(2), ""),
                "{subcommand} {name}"
            );
            assert!(
                message.starts_with("cutape: ") && message.contains(expected),
                "{subcommand} {name}: {message}"
            );
        }
    }
}

/// A sealed file of 20,000 numbered calls, which take several blocks.
fn numbered_calls(scratch: &Scratch) -> PathBuf {
    let (folder, file) = (
        scratch.0.join("numbered.cutape"),
        scratch.0.join("numbers.cutape"),
    );
    let recording = SampleRecording::create(&folder).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    process.ring().thread(0, 0, 100, "main");
    for number in 1..=20_000u64 {
        let ring = &mut process.rings[0];
        let call = ring.begin(1_000_000 + number * 1000, INIT, &[number]);
        ring.end(1_000_000 + number * 1000 + 500, call, 0);
        if number % 500 == 0 {
            process.flush().expect("flushes");
        }
    }
    seal(&folder, &file, SealOptions::default(), &mut |_| {}).expect("seals");
    file
}

#[test]
fn what_damage_took_of_a_recording_s_origin_is_not_guessed() {
    let scratch = Scratch::new();
    let path = numbered_calls(&scratch);
    let bytes = std::fs::read(&path).expect("reads");
    std::fs::write(&path, &bytes[..100]).expect("writes");
    let info = run(&["info"], &path);
    assert_eq!(info.status.code(), Some(2));
    let text = stdout(&info);
    assert!(
        text.contains("not readable: the trace is damaged"),
        "{text}"
    );
    assert!(!text.contains("without cutape record"), "{text}");
}

#[test]
fn damage_is_reported_and_costs_no_more_than_it_hit() {
    let scratch = Scratch::new();
    let path = numbered_calls(&scratch);
    assert_eq!(run(&["verify"], &path).status.code(), Some(0));
    let whole = printed(&["print", "--columns", "seq"], &path);
    let whole: Vec<_> = whole.lines().collect();
    assert_eq!(whole.len(), 20_000);
    let mut bytes = std::fs::read(&path).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&path, bytes).expect("writes");

    let verified = run(&["verify"], &path);
    let report = stdout(&verified);
    assert_eq!(verified.status.code(), Some(1), "{report}");
    assert!(
        report.contains(" at offset ") && report.contains(" calls are lost"),
        "{report}"
    );

    let left = run(&["print", "--columns", "seq"], &path);
    let lines: Vec<_> = stdout(&left).lines().collect();
    assert_eq!(left.status.code(), Some(2));
    assert!(stderr(&left).contains("warning: ") && stderr(&left).contains("cutape verify"));
    assert!(!lines.is_empty() && lines.len() < whole.len());
    assert_eq!(lines[0], whole[0]);
    assert!(
        lines.iter().all(|line| whole.contains(line)),
        "calls keep their numbers, and nothing is made up"
    );

    let info = run(&["info", "--json"], &path);
    assert_eq!(info.status.code(), Some(2));
    let info: serde_json::Value = serde_json::from_str(stdout(&info)).expect("is JSON");
    assert_eq!(info["losses"]["damaged"], whole.len() - lines.len());
    assert_eq!(info["calls"], lines.len());
    let stats = run(&["stats", "--json"], &path);
    let stats: serde_json::Value = serde_json::from_str(stdout(&stats)).expect("is JSON");
    assert_eq!(stats["total"]["calls"], lines.len());
    assert_eq!(stats["damaged_calls"], whole.len() - lines.len());
}

#[test]
fn info_and_stats_are_json_for_programs() {
    let scratch = Scratch::new();
    let path = scratch.sealed();
    for (subcommand, schema) in [("info", "cutape.info"), ("stats", "cutape.stats")] {
        let json: serde_json::Value =
            serde_json::from_str(&printed(&[subcommand, "--json"], &path)).expect("is JSON");
        assert_eq!(
            (&json["schema"], &json["version"]),
            (&schema.into(), &1.into())
        );
    }
    let info = printed(&["info"], &path);
    assert!(
        info.contains("first failure  call 2: cuMemGetInfo_v2(free=0, total=0)"),
        "{info}"
    );
    let stats = printed(&["stats", "-S", "name"], &path);
    let names: Vec<_> = stats
        .lines()
        .skip(1)
        .map_while(|line| line.split_whitespace().last())
        .collect();
    assert!(names[..names.len() - 1].is_sorted(), "{names:?}");
}

#[test]
fn completions_are_there_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions"], Path::new(shell));
        assert!(
            script.contains("cutape") && script.contains("verify"),
            "{shell}"
        );
    }
}
