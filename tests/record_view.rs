//! `cutape record --view`: the viewer beside the program that is being recorded.

mod support;

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::terminal::{Terminal, signal_of};
use support::{End, client, cutape, finish};
use tempfile::TempDir;

/// A recording of the program that makes ten calls for each byte of a pipe.
struct Watched {
    terminal: Terminal,
    /// Open as long as the program is to go on.
    steps: File,
    folder: TempDir,
}

impl Watched {
    fn start() -> Self {
        Self::start_after("sim", "true")
    }

    /// The same on a driver, with another program before it.
    fn start_after(driver: &str, before: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("steps");
        let name = CString::new(pipe.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name is a string that ends in NUL.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let script = format!(
            "{before}; exec '{}' < '{}'",
            client("step").display(),
            pipe.display()
        );
        let mut command = record_on(driver, folder.path());
        command.args(["--", "sh", "-c", &script]);
        let terminal = Terminal::start(&mut command, (120, 40));
        // Waits until the program reads.
        let steps = OpenOptions::new().write(true).open(pipe).unwrap();
        Self {
            terminal,
            steps,
            folder,
        }
    }

    fn step(&mut self, steps: &[u8]) {
        self.steps.write_all(steps).unwrap();
    }

    fn trace(&self) -> PathBuf {
        self.folder.path().join("live.cutape")
    }
}

fn record(folder: &Path) -> Command {
    record_on("sim", folder)
}

fn record_on(driver: &str, folder: &Path) -> Command {
    let mut command = cutape(["record", "--view", "--driver", driver, "-o"]);
    command.arg(folder.join("live"));
    command.env("XDG_CONFIG_HOME", folder.join("config"));
    command
}

fn calls_of(trace: &Path) -> usize {
    let mut print = cutape(["print"]);
    let printed = finish(print.arg(trace));
    printed.stdout.lines().count()
}

#[test]
fn calls_and_output_are_seen_and_ctrl_c_interrupts_the_program() {
    let mut watched = Watched::start();
    watched.terminal.wait_for("LIVE");
    watched.step(b"..");
    let terminal = &mut watched.terminal;
    terminal.wait_for("21 calls").wait_for("▶   21");
    terminal.wait_for("7 Output +1 ");
    terminal.type_text("7").wait_for("cuInit = 0");
    terminal
        .type_text("\x03")
        .wait_for("sh has ended: killed by signal 2");
    terminal.type_text("q");
    assert_eq!(signal_of(terminal.finish()), Some(libc::SIGINT));
    terminal.assert_restored();
    let picture = terminal.picture();
    assert!(
        picture.contains("cuInit = 0") && picture.contains("cutape: trace:"),
        "what the program wrote is on the terminal, and what record says behind it: {picture}"
    );
    assert!(watched.trace().is_file());
}

#[test]
fn objects_diagnosis_comparison_and_filter_are_there_while_the_program_runs() {
    let before = client("ggml_startup").display().to_string();
    let mut watched = Watched::start_after("sim:shim-uninitialized", &before);
    let terminal = &mut watched.terminal;
    terminal.wait_for("17 calls").wait_for("LIVE");
    terminal.type_text("3").wait_for("ctx#1");
    terminal.type_text("5").wait_for("1. meminfo-error (fatal)");
    terminal.type_text("4").wait_for("cuDeviceGetAttribute");
    let fixed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/ggml-startup-on-shim-fixed.cutape");
    let compare = format!(":compare {}\r", fixed.display());
    terminal
        .type_text(&compare)
        .wait_for("the recording goes on");
    terminal
        .type_text("1&cuDeviceGetCount\r")
        .wait_for("1 of 17");
    terminal.wait_for("LIVE");
    watched.step(b"..");
    let terminal = &mut watched.terminal;
    terminal.wait_for("21 of 37").type_text("qt");
    assert_eq!(signal_of(terminal.finish()), Some(libc::SIGTERM));
    terminal.assert_restored();
}

#[test]
fn the_program_may_run_on_when_the_viewer_is_left() {
    let mut watched = Watched::start();
    watched.terminal.wait_for("LIVE");
    watched.step(b".");
    let terminal = &mut watched.terminal;
    terminal.wait_for("11 calls").type_text("q");
    terminal.wait_for("sh still runs: l leave it running");
    terminal.type_text("\x1b").wait_for("interrupt the program");
    terminal.type_text("q").wait_for("leave it running");
    terminal
        .type_text("l")
        .wait_until("the terminal", |terminal| {
            terminal.is_given_back() && terminal.picture().contains("cuInit = 0")
        });
    watched.step(b"..");
    let Watched {
        mut terminal,
        steps,
        folder,
    } = watched;
    drop(steps);
    assert_eq!(terminal.finish().code(), Some(0));
    assert!(terminal.picture().contains("1 process, 31 calls"));
    assert_eq!(calls_of(&folder.path().join("live.cutape")), 31);
}

#[test]
fn the_program_may_be_ended_with_the_viewer_and_signals_go_to_it() {
    let mut watched = Watched::start();
    let terminal = &mut watched.terminal;
    terminal.wait_for("1 call").type_text("qt");
    assert_eq!(signal_of(terminal.finish()), Some(libc::SIGTERM));
    terminal.assert_restored();

    let mut watched = Watched::start();
    let terminal = &mut watched.terminal;
    terminal.wait_for("1 call").signal(libc::SIGHUP);
    assert_eq!(signal_of(terminal.finish()), Some(libc::SIGHUP));
    terminal.assert_restored();
}

#[test]
fn a_program_that_is_left_running_is_still_interrupted_by_ctrl_c() {
    let mut watched = Watched::start();
    let terminal = &mut watched.terminal;
    terminal.wait_for("1 call").type_text("ql");
    terminal.wait_until("the terminal", |terminal| {
        terminal.is_given_back() && terminal.picture().contains("cuInit = 0")
    });
    terminal.type_text("\x03");
    assert_eq!(signal_of(terminal.finish()), Some(libc::SIGINT));
    terminal.assert_restored();
}

#[test]
fn the_program_has_no_part_in_the_terminal_and_its_exit_code_is_ours() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = record(folder.path());
    let script = "read line; echo \"read: $line, $?\"; (: < /dev/tty) 2> /dev/null && echo has it; test -t 1 && echo a terminal; exit 7";
    command.args(["--", "sh", "-c", script]);
    let mut terminal = Terminal::start(&mut command, (100, 30));
    terminal.wait_for("sh has ended: exit code 7");
    terminal.type_text("7").wait_for("a terminal");
    let picture = terminal.picture();
    assert!(
        picture.contains("read: , 1") && !picture.contains("has it"),
        "{picture}"
    );
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(7));
}

#[test]
fn redirected_output_stays_where_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("output");
    let mut inner = record(folder.path());
    inner.args(["--", "sh", "-c", "echo to the file; echo to the screen >&2"]);
    let script = format!("exec \"$@\" > '{}'", file.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.env("XDG_CONFIG_HOME", folder.path().join("config"));
    let mut terminal = Terminal::start(&mut command, (100, 30));
    terminal.wait_for("sh has ended: exit code 0");
    terminal.type_text("7").wait_for("to the screen");
    assert!(!terminal.picture().contains("to the file"));
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(0));
    assert_eq!(fs::read_to_string(file).unwrap(), "to the file\n");
}

#[test]
fn without_a_terminal_it_records_as_usual_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = record(folder.path());
    command.arg("--").arg(client("ggml_startup"));
    let finished = finish(&mut command);
    assert_eq!(finished.end, End::Code(0));
    assert!(
        finished.stdout.starts_with("backend: "),
        "{}",
        finished.stdout
    );
    let said = &finished.stderr;
    assert!(
        said.starts_with("cutape: --view: there is no terminal"),
        "{said}"
    );
    assert!(calls_of(&folder.path().join("live.cutape")) > 10);
}

#[test]
fn a_command_that_is_not_there_shows_no_viewer() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = record(folder.path());
    command.args(["--", "/no/such/program"]);
    let mut terminal = Terminal::start(&mut command, (100, 30));
    assert_eq!(terminal.finish().code(), Some(127));
    assert!(terminal.picture().contains("command not found"));
    assert!(!folder.path().join("live.cutape").exists());
}
