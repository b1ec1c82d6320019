//! `cutape view` in a real terminal: what one sees, and that the terminal is given back whatever happens.

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::terminal::{Terminal, signal_of};
use support::{client, cutape};

const BROKEN: &str = "ggml-backend-on-shim-uninitialized";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("traces/{name}.cutape"))
}

fn view(arguments: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutape"));
    command.arg("view").args(arguments);
    command.env(
        "XDG_CONFIG_HOME",
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("view-config"),
    );
    command
}

fn opened(name: &str) -> Terminal {
    let mut terminal = Terminal::start(&mut view(&[&golden(name)]), (120, 40));
    terminal.wait_for("622 calls  3 failed (2 benign)");
    terminal
}

#[test]
fn open_search_filter_and_go_to_the_evidence() {
    let mut terminal = opened(BROKEN);
    terminal
        .type_text("/cuMemGetInfo_v2(\r")
        .wait_for("initialization error");
    terminal.type_text("&not ok\r").wait_for("3 of 622");
    terminal
        .type_text("u5")
        .wait_for("1. meminfo-error (fatal)");
    terminal.type_text("e\r").wait_for("─ Arguments");
    terminal.wait_for("▶✗ 621");
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(0));
    terminal.assert_restored();
}

#[test]
fn two_traces_open_the_comparison() {
    let (broken, healthy) = (golden(BROKEN), golden("ggml-backend-on-h100"));
    let mut terminal = Terminal::start(&mut view(&[&broken, &healthy]), (120, 40));
    terminal.wait_for("difference 1 of 1");
    terminal.wait_for("78 GiB");
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(0));
    terminal.assert_restored();
}

#[test]
fn a_report_of_a_replay_opens_with_its_trace_and_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let report = scratch.path().join("report.json");
    let trace = golden("ggml-startup-on-shim-fixed");
    let mut replay = cutape(["replay", "--driver", "sim:shim-uninitialized", "--json"]);
    replay.arg(&report).arg(&trace).stdout(Stdio::null());
    assert_eq!(replay.status().unwrap().code(), Some(1));
    for arguments in [
        &[trace.as_path(), report.as_path()][..],
        &[report.as_path()],
    ] {
        let mut terminal = Terminal::start(&mut view(arguments), (120, 40));
        terminal.wait_for("regressed cuMemGetInfo_v2");
        terminal.wait_for("on sim:shim-uninitialized");
        terminal.type_text("q");
        assert_eq!(terminal.finish().code(), Some(0));
        terminal.assert_restored();
    }
    let refused = view(&[&golden(BROKEN), &report]).output().unwrap();
    assert!(
        refused.status.success(),
        "without a terminal, the calls are printed"
    );
    std::fs::write(&report, r#"{"schema": "cutape.stats", "version": 1}"#).unwrap();
    let refused = view(&[&trace, &report]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("expected a report of `cutape replay --json`, found \"cutape.stats\""),
        "{said}"
    );
}

#[test]
fn arguments_of_kernels_and_images_are_parts_of_the_tree() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("payloads.cutape");
    let mut record = cutape(["record", "--payload", "full", "--driver", "sim", "-o"]);
    record.arg(&trace).arg("--").arg(client("payloads"));
    record.stdout(Stdio::null()).stderr(Stdio::null());
    assert!(record.status().unwrap().success());
    let mut terminal = Terminal::start(&mut view(&[&trace]), (160, 60));
    terminal.wait_for("lost 0");
    terminal
        .type_text("/cuLaunchKernel(\r")
        .wait_for("laid out as the");
    terminal
        .wait_for("8 bytes at 0x0")
        .wait_for("arguments of the kernel");
    terminal
        .type_text("/cuModuleLoadData(\r")
        .wait_for("blake3");
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(0));
    terminal.assert_restored();
}

#[test]
fn the_picture_follows_the_size_of_the_terminal() {
    let mut terminal = opened(BROKEN);
    terminal.resize(80, 24);
    terminal.wait_until("80 columns", |terminal| {
        let picture = terminal.picture();
        picture.contains("/ search")
            && !picture.contains("caller    ")
            && picture.lines().count() == 24
    });
    terminal.resize(10, 3);
    terminal.resize(160, 50);
    terminal.wait_for("caller");
    terminal.type_text("q");
    terminal.finish();
    terminal.assert_restored();
}

#[test]
fn it_stops_and_goes_on_as_shells_expect() {
    let mut terminal = opened(BROKEN);
    terminal.type_text("\x1a");
    terminal.wait_stopped();
    terminal.take_output();
    terminal.assert_restored();
    terminal.signal(libc::SIGCONT);
    terminal.wait_for("622 calls");
    terminal.type_text("G").wait_for("▶  622");
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(0));
    terminal.assert_restored();
}

#[test]
fn ctrl_c_leaves_and_signals_end_it_by_themselves() {
    let mut terminal = opened(BROKEN);
    terminal.type_text("\x03");
    assert_eq!(terminal.finish().code(), Some(0));
    terminal.assert_restored();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        let mut terminal = opened(BROKEN);
        terminal.signal(signal);
        assert_eq!(signal_of(terminal.finish()), Some(signal));
        terminal.assert_restored();
    }
}

#[cfg(debug_assertions)]
#[test]
fn a_panic_gives_the_terminal_back_and_is_read_there() {
    let mut terminal = opened(BROKEN);
    terminal.type_text(":panic\r");
    assert_eq!(terminal.finish().code(), Some(101));
    terminal.assert_restored();
    assert!(
        terminal.picture().contains("asked to panic"),
        "{}",
        terminal.picture()
    );
}

#[test]
fn a_recording_is_followed_until_its_program_is_killed() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("live.cutape");
    let mut record = cutape(["record", "--driver", "sim", "-o"]);
    record.arg(&trace).arg("--").arg(client("step"));
    let mut recording = record
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut steps = recording.stdin.take().unwrap();
    steps.write_all(b"..").unwrap();
    while !trace.is_dir() {
        assert!(
            recording.try_wait().unwrap().is_none(),
            "the recording ended before it began"
        );
        std::thread::yield_now();
    }
    let mut terminal = Terminal::start(view(&[&trace]).arg("-F"), (120, 40));
    terminal.wait_for("LIVE").wait_for("21 calls");
    terminal.type_text("k").wait_for("▶   20");
    steps.write_all(b"...").unwrap();
    terminal.wait_for("51 calls").wait_for("+30 new: F follows");
    terminal.type_text("F").wait_for("▶   51");
    let pid = pid_on(&terminal.picture());
    // SAFETY: the process is the traced program, whose parent has not waited for it: it is not gone.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGKILL) }, 0);
    recording.wait().unwrap();
    terminal.wait_for("killed by signal 9").wait_for("51 calls");
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(0));
    terminal.assert_restored();
}

/// The process id in the line at the top.
fn pid_on(picture: &str) -> i32 {
    let (_, rest) = picture.split_once("(pid ").expect("a process id");
    let (pid, _) = rest.split_once(')').expect("a process id");
    pid.parse().expect("a number")
}

#[test]
fn without_a_terminal_the_calls_are_printed() {
    let output = view(&[&golden(BROKEN)])
        .env("TERM", "xterm")
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 622);
    let mut terminal = Terminal::start(&mut view(&[&golden(BROKEN)]), (120, 40));
    terminal.wait_for("622 calls").type_text("q");
    terminal.finish();
}
