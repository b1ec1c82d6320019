//! Whatever keeps a recording from being made, the program prints and ends as without cutape, and there is one message of ours.

mod support;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutape_test_clients::counting::Counting;
use cutape_test_clients::skip;
use support::{End, Finished, Recorded, client, cutape, environment_of, finish, program, start};

/// Calls of a thread that don't all fit into its ring, the largest there is: the flusher must have written some before the end.
const MANY_CALLS: &str = "600000";

/// A scratch folder, and the environment that records into its `trace.cutape` on the simulated GPU.
struct Setting {
    scratch: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Setting {
    fn new() -> Self {
        Self::with_options(&[])
    }

    fn with_options(options: &[&str]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let trace = scratch.path().join("trace.cutape");
        let mut all: Vec<&OsStr> = vec![
            "-o".as_ref(),
            trace.as_os_str(),
            "--driver".as_ref(),
            "sim".as_ref(),
        ];
        all.extend(options.iter().map(OsStr::new));
        let environment = environment_of(&all);
        Self {
            scratch,
            environment,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A program that is recorded, without `cutape record` around it.
    fn recorded(&self, path: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = program(path);
        command
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn alone(path: &Path, arguments: &[&str]) -> Finished {
    finish(cutape(["sim", "--"]).arg(path).args(arguments))
}

/// The program is unharmed, and says in one line why it is not recorded.
fn assert_one_complaint(run: &Finished, alone: &Finished, reason: &str) {
    run.assert_same_as(alone);
    let messages = run.messages();
    let [message] = messages[..] else {
        panic!("expected one message: {messages:?}")
    };
    assert!(message.contains("recording is off in process"), "{message}");
    assert!(message.contains(reason), "expected {reason:?}: {message}");
    assert!(
        message.ends_with("The program goes on unrecorded."),
        "{message}"
    );
}

#[test]
fn limits_that_stop_a_recording_do_not_stop_the_program() {
    let path = client("limits");
    let whole = None;
    for (mode, when, reason) in [
        ("files", "before", Some("Too many open files")),
        ("files", "after", whole),
        ("memory", "before", Some("Cannot allocate memory")),
        ("memory", "after", whole),
        ("file-size", "before", Some("File too large")),
        ("file-size", "after", whole),
        ("stderr-closed", "before", whole),
        ("stderr-closed", "after", whole),
        ("all-closed", "before", whole),
        ("all-closed", "after", whole),
        ("stack", "before", whole),
        ("seccomp", "before", Some("Operation not permitted")),
        ("seccomp", "after", whole),
    ] {
        let setting = Setting::new();
        let alone = alone(&path, &[mode, when]);
        assert_eq!(alone.end, End::Code(0), "{mode} {when}: {alone:?}");
        let run = finish(&mut setting.recorded(&path, &[mode, when]));
        if let Some(reason) = reason {
            assert_one_complaint(&run, &alone, reason);
            continue;
        }
        run.assert_same_as(&alone);
        assert_eq!(run.messages(), [""; 0], "{mode} {when}");
        let recorded = Recorded::open(&setting.path("trace.cutape"));
        recorded.assert_nothing_lost();
        // The thread with a small stack makes its calls before the others, too.
        let before = if when == "after" || mode == "stack" {
            500
        } else {
            0
        };
        assert_eq!(recorded.calls.len(), before + 1 + 1000, "{mode} {when}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let path = client("reopen");
    let alone = alone(&path, &[]);
    let setting = Setting::new();
    let file = setting.path("file");
    fs::write(&file, "something").unwrap();
    for (out, reason) in [
        // Not even root makes folders there.
        (PathBuf::from("/proc/cutape-trace"), "/proc/cutape-trace"),
        (file.join("below"), "file/below"),
        (file.clone(), "file"),
        (setting.path("no/such/parent"), "no/such/parent"),
        (
            PathBuf::from("relative"),
            "CUTAPE_OUT is \"relative\", expected an absolute path",
        ),
        (PathBuf::new(), "CUTAPE_OUT is not set"),
    ] {
        let run = finish(setting.recorded(&path, &[]).env("CUTAPE_OUT", &out));
        assert_one_complaint(&run, &alone, reason);
    }
    let run = finish(setting.recorded(&path, &[]).env_remove("CUTAPE_OUT"));
    assert_one_complaint(&run, &alone, "CUTAPE_OUT is not set");
    assert_eq!(fs::read_to_string(&file).unwrap(), "something");
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let path = client("reopen");
    let alone = alone(&path, &[]);
    for (name, value, reason) in [
        (
            "CUTAPE_ON_FULL",
            "explode",
            "CUTAPE_ON_FULL is \"explode\", expected wait or drop",
        ),
        (
            "CUTAPE_MAX_SIZE",
            "lots",
            "CUTAPE_MAX_SIZE is \"lots\", expected a number of bytes",
        ),
    ] {
        let setting = Setting::new();
        let run = finish(setting.recorded(&path, &[]).env(name, value));
        assert_one_complaint(&run, &alone, reason);
    }
}

#[test]
fn a_folder_of_another_user_is_no_obstacle() {
    // SAFETY: only returns a number.
    if unsafe { libc::geteuid() } == 0 {
        return skip(
            "root may write everywhere, so a folder without write permission is none to it",
        );
    }
    use std::os::unix::fs::PermissionsExt;
    let path = client("reopen");
    let setting = Setting::new();
    let locked = setting.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    let run = finish(
        setting
            .recorded(&path, &[])
            .env("CUTAPE_OUT", locked.join("trace")),
    );
    assert_one_complaint(&run, &alone(&path, &[]), "locked/trace");
}

/// `COMMAND` with a tmpfs of that many KiB at `folder`, seen by nobody else and gone with it. `None` where the system does not allow it.
fn on_small_disk(folder: &Path, kibibytes: u32) -> Option<[OsString; 5]> {
    let script = format!("mount -t tmpfs -o size={kibibytes}k none \"$0\" && exec \"$@\"");
    let mut wrap = |user: &str| -> [OsString; 5] {
        let words = ["unshare", user, "sh", "-c", &script];
        words.map(OsString::from)
    };
    let works = |words: &[OsString; 5]| {
        let mut probe = Command::new(&words[0]);
        probe.args(&words[1..]).arg(folder).arg("true");
        probe
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let candidates = ["--mount", "-Urm"].map(&mut wrap);
    candidates.into_iter().find(works)
}

#[test]
fn a_full_disk_ends_the_recording_only() {
    let path = client("threads");
    let arguments = ["8", "20000"];
    let alone = alone(&path, &arguments);
    // Not enough for the schema; for a ring; for the rings of all threads; for all that is recorded.
    for kibibytes in [64, 1500, 5000, 12_000] {
        let setting = Setting::new();
        let disk = setting.path("disk");
        fs::create_dir(&disk).unwrap();
        let Some(wrap) = on_small_disk(&disk, kibibytes) else {
            return skip(
                "a small tmpfs can't be mounted here (unshare --mount as root, or user namespaces)",
            );
        };
        let mut command = setting.recorded(&wrap[0], &[]);
        command
            .args(&wrap[1..])
            .arg(&disk)
            .arg(&path)
            .args(arguments);
        let run = finish(command.env("CUTAPE_OUT", disk.join("trace")));
        assert_one_complaint(&run, &alone, "No space left on device");
    }
}

#[test]
fn a_file_size_limit_ends_the_recording_only() {
    let path = client("threads");
    let arguments = ["8", "20000"];
    let alone = alone(&path, &arguments);
    for blocks in ["1", "1000", "6000", "20000"] {
        let setting = Setting::new();
        let script = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = setting.recorded("sh", &["-c", &script]);
        let run = finish(command.arg(&path).args(arguments));
        assert_one_complaint(&run, &alone, "File too large");
    }
}

#[test]
fn a_trace_that_is_removed_while_it_is_written_ends_the_recording_only() {
    let path = client("counting");
    let setting = Setting::new();
    let shared = setting.path("count");
    let arguments = [shared.to_str().unwrap(), "2", "return", MANY_CALLS];
    let alone = alone(&path, &arguments);
    fs::remove_file(&shared).unwrap();
    let mut running = start(&mut setting.recorded(&path, &arguments));
    while !Counting::read(&shared).is_ok_and(|count| count.running) {
        assert!(!running.has_ended());
        std::thread::yield_now();
    }
    fs::remove_dir_all(setting.path("trace.cutape")).unwrap();
    let run = running.finish();
    assert_one_complaint(&run, &alone, "was removed while it was being written");
}

#[test]
fn the_size_limit_ends_the_recording_only() {
    let path = client("counting");
    let setting = Setting::with_options(&["--max-size", "200KiB"]);
    let shared = setting.path("count");
    let arguments = [shared.to_str().unwrap(), "2", "return", MANY_CALLS];
    let alone = alone(&path, &arguments);
    let run = finish(&mut setting.recorded(&path, &arguments));
    assert_one_complaint(&run, &alone, "204800 bytes (--max-size)");
    let trace = Recorded::open(&setting.path("trace.cutape"));
    assert!(
        (1..1_200_000).contains(&trace.calls.len()),
        "{}",
        trace.calls.len()
    );
    let notes = trace.notes("off");
    let [note] = notes[..] else {
        panic!("{notes:?}")
    };
    assert!(note.contains("size limit"), "{note}");
    let blocks = fs::read_dir(setting.path("trace.cutape")).unwrap();
    let blocks = blocks.filter_map(|entry| fs::metadata(entry.unwrap().path().join("blocks")).ok());
    // The note itself comes on top.
    let bytes: u64 = blocks.map(|file| file.len()).sum();
    assert!(bytes <= 204_800 + 4096, "{bytes}");
}

/// The process's thread that writes the trace, stopped until this is dropped.
struct StoppedFlusher(libc::pid_t);

impl StoppedFlusher {
    /// `None` after saying that the system does not let one process stop a thread of another.
    fn of(process: i32) -> Option<Self> {
        let thread = loop {
            // It gives itself its name, so there is a moment without one.
            if let Some(thread) = Self::find(process) {
                break thread;
            }
            std::thread::yield_now();
        };
        // SAFETY: plain system calls on a thread of a child of ours; the status is not wanted.
        unsafe {
            if libc::ptrace(libc::PTRACE_SEIZE, thread, 0, 0) != 0 {
                let error = std::io::Error::last_os_error();
                skip(&format!(
                    "a thread can't be stopped by ptrace here: {error}"
                ));
                return None;
            }
            assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, thread, 0, 0), 0);
            assert_eq!(
                libc::waitpid(thread, std::ptr::null_mut(), libc::__WALL),
                thread
            );
        }
        Some(Self(thread))
    }

    fn find(process: i32) -> Option<libc::pid_t> {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
        let mut tasks = tasks.map(|task| task.unwrap().path());
        let name = |task: &PathBuf| fs::read_to_string(task.join("comm"));
        let flusher = tasks.find(|task| name(task).is_ok_and(|name| name == "cutape-flush\n"))?;
        flusher.file_name()?.to_str()?.parse().ok()
    }
}

impl Drop for StoppedFlusher {
    fn drop(&mut self) {
        // SAFETY: the thread is stopped and ours to let go; one that was killed meanwhile waits for us to take note of it.
        unsafe {
            if libc::ptrace(libc::PTRACE_DETACH, self.0, 0, 0) != 0 {
                libc::waitpid(self.0, std::ptr::null_mut(), libc::__WALL);
            }
        }
    }
}

fn completed(shared: &Path) -> u64 {
    let count = Counting::read(shared).unwrap();
    count.threads.iter().map(|thread| thread.completed).sum()
}

#[test]
fn calls_are_dropped_and_counted_when_nobody_writes() {
    let path = client("counting");
    let setting = Setting::with_options(&["--on-full", "drop"]);
    let shared = setting.path("count");
    let mut running = start(&mut setting.recorded(&path, &[shared.to_str().unwrap(), "2", "run"]));
    while !Counting::read(&shared).is_ok_and(|count| count.running) {
        assert!(!running.has_ended());
        std::thread::yield_now();
    }
    let Some(stopped) = StoppedFlusher::of(running.pid()) else {
        running.signal(libc::SIGKILL);
        running.finish();
        return;
    };
    // More than the largest rings hold: the program does not wait for room.
    let enough = completed(&shared) + 1_500_000;
    while completed(&shared) < enough {
        assert!(!running.has_ended());
        std::thread::yield_now();
    }
    running.signal(libc::SIGKILL);
    drop(stopped);
    let run = running.finish();
    assert_eq!((run.end, &*run.stderr), (End::Signal(libc::SIGKILL), ""));
    let trace = Recorded::open(&setting.path("trace.cutape"));
    let dropped = trace.trace.losses().dropped;
    assert!(dropped > 0);
    // A call whose end found no room would look as if it never returned; only those in flight may.
    let without_end = trace
        .calls
        .iter()
        .filter(|call| call.returned.is_none())
        .count();
    assert!(without_end <= 2, "{without_end} calls without an end");
    let started = [
        "cuInit",
        "cuDeviceGet",
        "cuDevicePrimaryCtxRetain",
        "cuCtxSetCurrent",
    ]
    .len() as u64;
    let accounted = trace.calls.len() as u64 + dropped - started;
    let made = completed(&shared);
    // Each of the two threads may have had a call in flight.
    assert!(
        (made..=made + 2).contains(&accounted),
        "{accounted} accounted for of {made}"
    );
}

#[test]
fn callers_wait_and_nothing_is_lost_when_the_writer_is_late() {
    let path = client("counting");
    let setting = Setting::new();
    let shared = setting.path("count");
    let arguments = [shared.to_str().unwrap(), "2", "return", MANY_CALLS];
    let alone = alone(&path, &arguments);
    fs::remove_file(&shared).unwrap();
    let mut running = start(&mut setting.recorded(&path, &arguments));
    while !Counting::read(&shared).is_ok_and(|count| count.running) {
        assert!(!running.has_ended());
        std::thread::yield_now();
    }
    let Some(stopped) = StoppedFlusher::of(running.pid()) else {
        running.finish();
        return;
    };
    wait_until_all_wait(running.pid());
    assert!(completed(&shared) < 1_200_000);
    drop(stopped);
    let run = running.finish();
    run.assert_same_as(&alone);
    let trace = Recorded::open(&setting.path("trace.cutape"));
    trace.assert_nothing_lost();
    assert_eq!(trace.calls.len(), 1_200_000 + 4);
    assert!(trace.trace.losses().waited_ns > 0, "the wait is on record");
}

/// Until every thread of the program sleeps. The main thread waits for the others, and they for room in their rings; with the flusher
/// stopped none of them has anything else to sleep for.
fn wait_until_all_wait(process: i32) {
    let state = |task: PathBuf| {
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next())
    };
    let asleep = |task: PathBuf| matches!(state(task), Some('S' | 't'));
    let mut quiet = 0;
    while quiet < 200 {
        let mut tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
        let all_asleep = tasks.all(|task| asleep(task.unwrap().path()));
        quiet = if all_asleep { quiet + 1 } else { 0 };
        std::thread::yield_now();
    }
}

#[test]
fn record_reports_a_recording_that_ended_early() {
    let path = client("counting");
    let setting = Setting::new();
    let shared = setting.path("count");
    let arguments = [shared.to_str().unwrap(), "2", "return", MANY_CALLS];
    let alone = alone(&path, &arguments);
    let trace = setting.path("limited.cutape");
    let mut command = cutape(["record", "--max-size", "200KiB", "--driver", "sim", "-o"]);
    let run = finish(command.arg(&trace).arg("--").arg(&path).args(arguments));
    run.assert_same_as(&alone);
    assert_eq!(run.complaints().len(), 1, "{}", run.stderr);
    assert_eq!(Recorded::open(&trace).notes("off").len(), 1);
}

#[test]
fn a_missing_driver_answers_as_a_stub_library_does() {
    let path = client("reopen");
    let setting = Setting::new();
    let gone = setting.path("libcuda.so.1");
    let run = finish(setting.recorded(&path, &[]).env("CUTAPE_DRIVER", &gone));
    assert_eq!(run.end, End::Code(0), "{}", run.stderr);
    assert!(run.stdout.contains("cuInit = 34"), "{}", run.stdout);
    let messages = run.messages();
    let [message] = messages[..] else {
        panic!("{messages:?}")
    };
    assert!(message.contains(gone.to_str().unwrap()), "{message}");
}

#[test]
fn a_program_that_makes_no_call_leaves_nothing_behind() {
    let setting = Setting::new();
    let run = finish(&mut setting.recorded("true", &[]));
    assert_eq!((run.end, &*run.stderr), (End::Code(0), ""));
    assert!(!setting.path("trace.cutape").exists());
}
