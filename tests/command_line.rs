//! The command line of recording: names of traces, exit codes, signals, refusals, and what is left to the command.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::{End, Finished, Recorded, client, cutape, finish, program, start};

/// A folder to run in, so that nothing is written elsewhere.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `cutape ARGUMENTS...`, run here.
    fn cutape(&self, arguments: &[&str]) -> Command {
        let mut command = cutape(arguments);
        command.current_dir(self.0.path());
        command
    }

    fn finish(&self, arguments: &[&str]) -> Finished {
        finish(&mut self.cutape(arguments))
    }

    /// Names of what lies here.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A small program of one driver call, and its path.
    fn calling_program(&self) -> String {
        client("reopen").to_str().unwrap().to_owned()
    }
}

/// Refused before anything ran: code 125, one message, nothing written.
fn assert_refused(folder: &Folder, arguments: &[&str], reasons: &[&str]) {
    let before = folder.names();
    let run = folder.finish(arguments);
    assert_eq!(run.end, End::Code(125), "{arguments:?}: {}", run.stderr);
    assert!(run.stderr.starts_with("cutape: "), "{}", run.stderr);
    for reason in reasons {
        assert!(
            run.stderr.contains(reason),
            "{arguments:?}, expected {reason:?}: {}",
            run.stderr
        );
    }
    assert_eq!(run.stdout, "");
    assert_eq!(folder.names(), before);
}

#[test]
fn the_commands_exit_code_is_passed_on() {
    let folder = Folder::new();
    for code in [0, 1, 42, 125, 255] {
        let script = format!("exit {code}");
        let recorded = [
            "record", "-o", "t", "--force", "--driver", "sim", "--", "sh", "-c", &script,
        ];
        assert_eq!(folder.finish(&recorded).end, End::Code(code));
        assert_eq!(
            folder.finish(&["sim", "--", "sh", "-c", &script]).end,
            End::Code(code)
        );
        let exit = Recorded::open(&folder.path("t.cutape"))
            .trace
            .exit()
            .cloned()
            .unwrap();
        assert_eq!((exit.code, exit.signal), (Some(code), None));
    }
}

#[test]
fn a_command_that_dies_by_a_signal_takes_us_along() {
    let folder = Folder::new();
    for (name, signal) in [
        ("TERM", libc::SIGTERM),
        ("KILL", libc::SIGKILL),
        ("INT", libc::SIGINT),
        ("SEGV", libc::SIGSEGV),
    ] {
        let script = format!("kill -{name} $$");
        let recorded = [
            "record", "-o", "t", "--force", "--driver", "sim", "--", "sh", "-c", &script,
        ];
        assert_eq!(folder.finish(&recorded).end, End::Signal(signal), "{name}");
        assert_eq!(
            folder.finish(&["sim", "--", "sh", "-c", &script]).end,
            End::Signal(signal),
            "{name}"
        );
        let exit = Recorded::open(&folder.path("t.cutape"))
            .trace
            .exit()
            .cloned()
            .unwrap();
        assert_eq!((exit.code, exit.signal), (None, Some(signal)));
    }
}

#[test]
fn a_command_that_cannot_run_gives_126_and_one_that_is_not_there_127() {
    let folder = Folder::new();
    fs::write(folder.path("text"), "no program\n").unwrap();
    fs::set_permissions(folder.path("text"), fs::Permissions::from_mode(0o644)).unwrap();
    for (command, code) in [
        ("./text", 126),
        ("/", 126),
        ("no-such-program-anywhere", 127),
        ("./not-there", 127),
    ] {
        for words in [
            &["record", "-o", "t", "--driver", "sim", "--"][..],
            &["sim", "--"],
        ] {
            let run = folder.finish(&[words, &[command]].concat());
            assert_eq!(
                run.end,
                End::Code(code),
                "{words:?} {command}: {}",
                run.stderr
            );
            assert!(
                run.stderr.starts_with(&format!("cutape: {command}")),
                "{}",
                run.stderr
            );
        }
    }
    assert_eq!(
        folder.names(),
        ["text"],
        "no trace of a command that never ran"
    );
}

#[test]
fn the_trace_is_named_after_o_with_one_suffix() {
    let folder = Folder::new();
    fs::create_dir(folder.path("sub")).unwrap();
    for (given, made) in [
        ("a", "a.cutape"),
        ("b.cutape", "b.cutape"),
        ("c.d", "c.d.cutape"),
        ("sub/e", "sub/e.cutape"),
    ] {
        let run = folder.finish(&[
            "record",
            "-o",
            given,
            "--driver",
            "sim",
            "--",
            &folder.calling_program(),
        ]);
        assert_eq!(run.end, End::Code(0), "{}", run.stderr);
        assert!(folder.path(made).is_file(), "{given}");
        assert!(run.stderr.contains(made), "{}", run.stderr);
        let mode = fs::metadata(folder.path(made))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    }
    assert_eq!(
        folder.names(),
        ["a.cutape", "b.cutape", "c.d.cutape", "sub"]
    );
}

#[test]
fn without_o_the_trace_is_named_after_program_and_time() {
    let folder = Folder::new();
    let run = folder.finish(&["record", "--driver", "sim", "--", &folder.calling_program()]);
    assert_eq!(run.end, End::Code(0), "{}", run.stderr);
    let names = folder.names();
    let [name] = &names[..] else {
        panic!("{names:?}")
    };
    let time = name
        .strip_prefix("reopen-")
        .and_then(|rest| rest.strip_suffix(".cutape"));
    let digits: Vec<usize> = time.expect(name).split('-').map(str::len).collect();
    assert_eq!(digits, [4, 2, 2, 6], "{name}");
    assert!(
        time.unwrap()
            .chars()
            .all(|c| c.is_ascii_digit() || c == '-'),
        "{name}"
    );
}

#[test]
fn an_existing_trace_is_replaced_by_force_only() {
    let folder = Folder::new();
    let program = folder.calling_program();
    let record = ["record", "-o", "t", "--driver", "sim", "--", &program];
    assert_eq!(folder.finish(&record).end, End::Code(0));
    let first = fs::read(folder.path("t.cutape")).unwrap();
    assert_refused(&folder, &record, &["t.cutape exists", "--force"]);
    assert_eq!(fs::read(folder.path("t.cutape")).unwrap(), first);
    let forced = [
        "record", "-o", "t", "--force", "--driver", "sim", "--", &program,
    ];
    assert_eq!(folder.finish(&forced).end, End::Code(0));
    assert_ne!(fs::read(folder.path("t.cutape")).unwrap(), first);
    // What is no trace is not removed, whatever is asked.
    fs::create_dir(folder.path("photos.cutape")).unwrap();
    fs::write(folder.path("photos.cutape/one"), "precious").unwrap();
    let photos = [
        "record", "-o", "photos", "--force", "--driver", "sim", "--", &program,
    ];
    assert_refused(&folder, &photos, &["photos.cutape", "not a recording"]);
    assert!(folder.path("photos.cutape/one").exists());
}

#[test]
fn a_name_in_a_folder_that_is_not_there_is_refused() {
    let folder = Folder::new();
    let program = folder.calling_program();
    assert_refused(
        &folder,
        &[
            "record",
            "-o",
            "no/such/t",
            "--driver",
            "sim",
            "--",
            &program,
        ],
        &["no/such/t.cutape"],
    );
}

#[test]
fn rules_that_make_no_sense_are_refused_before_anything_runs() {
    let folder = Folder::new();
    let program = folder.calling_program();
    for (option, rule, said) in [
        ("--inject", "cuMemAloc:error=2", "did you mean cuMemAlloc?"),
        ("--inject", "cuInit:error=NOPE", "a value of CUresult"),
        ("--override", "cuMemGetInfo_v2:fre=1", "did you mean free?"),
        ("--override", "cuMemGetInfo_v2:free=-1", "of 0 to"),
        ("--override", "", "found nothing"),
    ] {
        let words = ["-o", "t", "--driver", "sim", option, rule];
        let record = [&["record"], &words[..], &["--", &program]].concat();
        assert_refused(&folder, &record, &[option, said]);
        assert_refused(&folder, &[&["env"], &words[..]].concat(), &[option, said]);
    }
}

#[test]
fn everything_after_the_command_is_the_commands_own() {
    let folder = Folder::new();
    let script = folder.path("show");
    fs::write(&script, "#!/bin/sh\nfor word; do echo \"[$word]\"; done\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let shown = "[-o]\n[x]\n[--driver]\n[--]\n[]\n[--help]\n";
    let words = ["./show", "-o", "x", "--driver", "--", "", "--help"];
    let with_dashes = [&["record", "-o", "t", "--driver", "sim", "--"], &words[..]].concat();
    let run = folder.finish(&with_dashes);
    assert_eq!(
        (run.end, &*run.stdout),
        (End::Code(0), shown),
        "{}",
        run.stderr
    );
    let recorded = Recorded::open(&folder.path("t.cutape"));
    assert_eq!(recorded.trace.recording().unwrap().command, words);
    let without = [&["record", "-o", "u", "--driver", "sim"], &words[..]].concat();
    assert_eq!(folder.finish(&without).stdout, shown);
    assert_eq!(
        folder.finish(&[&["sim", "--"], &words[..]].concat()).stdout,
        shown
    );
}

#[test]
fn the_commands_streams_are_its_own() {
    let folder = Folder::new();
    let input = folder.path("input");
    fs::write(&input, b"one\0two\nthree").unwrap();
    let mut command = folder.cutape(&[
        "record",
        "-o",
        "t",
        "--driver",
        "sim",
        "--",
        "sh",
        "-c",
        "cat; echo problem >&2",
    ]);
    let run = finish(command.stdin(fs::File::open(&input).unwrap()));
    assert_eq!((run.end, &*run.stdout), (End::Code(0), "one\0two\nthree"));
    assert!(
        run.stderr.starts_with("problem\ncutape: "),
        "{}",
        run.stderr
    );
}

#[test]
fn a_program_without_cuda_is_recorded_as_such() {
    let folder = Folder::new();
    let run = folder.finish(&["record", "-o", "t", "--driver", "sim", "--", "true"]);
    assert_eq!(run.end, End::Code(0), "{}", run.stderr);
    let recorded = Recorded::open(&folder.path("t.cutape"));
    assert!(recorded.calls.is_empty());
    assert_eq!(recorded.trace.exit().unwrap().code, Some(0));
    assert!(
        run.messages()
            .iter()
            .any(|line| line.contains("no call") || line.contains("0 calls")),
        "{}",
        run.stderr
    );
}

#[test]
fn a_driver_that_is_none_is_refused_by_name() {
    let folder = Folder::new();
    let program = folder.calling_program();
    fs::write(folder.path("text"), "no library\n").unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    for (driver, reason) in [
        ("./missing.so", "missing.so"),
        ("./text", "text"),
        ("./folder", "folder"),
        (&program, "no function of the driver API"),
    ] {
        assert_refused(
            &folder,
            &["record", "-o", "t", "--driver", driver, "--", &program],
            &[reason],
        );
    }
    let record = ["record", "-o", "t", "--driver", "sim:no-such-gpu", "--"];
    assert_refused(
        &folder,
        &[&record[..], &[&program]].concat(),
        &["no-such-gpu"],
    );
    assert_refused(&folder, &["record", "-o", "t"], &["<CMD>"]);
    let sim = ["sim", "--profile", "no-such-gpu", "--", &program];
    assert_refused(&folder, &sim, &["no-such-gpu"]);
}

#[test]
fn a_machine_without_a_driver_is_told_about_the_simulated_one() {
    if system_has_a_driver() {
        return cutape_test_clients::skip("this machine has a libcuda.so.1 in the loader's order");
    }
    let folder = Folder::new();
    let program = folder.calling_program();
    assert_refused(
        &folder,
        &["record", "-o", "t", "--", &program],
        &["no libcuda.so.1", "--driver sim"],
    );
    assert_refused(
        &folder,
        &["env", "-o", "t"],
        &["no libcuda.so.1", "--driver sim"],
    );
}

/// As the loader sees it, without LD_LIBRARY_PATH.
fn system_has_a_driver() -> bool {
    let run = finish(&mut program(client("ggml_startup")));
    !run.stdout.starts_with("driver: none")
}

#[test]
fn env_prints_what_a_shell_evaluates() {
    let folder = Folder::new();
    let name = "it's a trace $HOME";
    let trace = folder.path(&format!("{name}.cutape"));
    let script = "eval \"$(\"$0\" env --driver sim -o \"$1\")\" && shift && exec \"$@\"";
    let mut shell = program("sh");
    shell.current_dir(folder.0.path()).args(["-c", script]);
    let own = cutape([""; 0]);
    shell
        .arg(own.get_program())
        .args([name, &folder.calling_program()]);
    let run = finish(&mut shell);
    assert_eq!((run.end, &*run.stderr), (End::Code(0), ""));
    assert!(trace.is_dir(), "a folder until it is sealed");
    let recorded = Recorded::open(&trace);
    recorded.assert_nothing_lost();
    assert_eq!(recorded.of("cuInit").len(), 4);
    // Evaluated and printed are the same recording; a second one of the name is refused.
    assert_refused(
        &folder,
        &["env", "--driver", "sim", "-o", name],
        &["exists", "--force"],
    );
    let sealed = folder.finish(&["seal", trace.to_str().unwrap()]);
    assert_eq!(sealed.end, End::Code(0), "{}", sealed.stderr);
    assert_eq!(Recorded::open(&trace).calls.len(), recorded.calls.len());
}

#[test]
fn seal_leaves_the_folder_when_another_name_is_given() {
    let folder = Folder::new();
    let script = "eval \"$(\"$0\" env --driver sim -o t)\" && \"$1\"";
    let own = cutape([""; 0]);
    let mut shell = program("sh");
    shell
        .current_dir(folder.0.path())
        .args(["-c", script])
        .arg(own.get_program())
        .arg(folder.calling_program());
    assert_eq!(finish(&mut shell).end, End::Code(0));
    assert_eq!(
        folder.finish(&["seal", "t.cutape", "-o", "copy"]).end,
        End::Code(0)
    );
    assert!(folder.path("t.cutape").is_dir() && folder.path("copy.cutape").is_file());
    let again = folder.finish(&["seal", "t.cutape", "-o", "copy"]);
    assert_eq!(again.end, End::Code(2), "{}", again.stderr);
    assert!(again.stderr.contains("exists"), "{}", again.stderr);
    let twice = folder.finish(&["seal", "copy.cutape"]);
    assert_eq!(twice.end, End::Code(2));
    assert!(twice.stderr.contains("sealed already"), "{}", twice.stderr);
    for wrong in ["nowhere", "."] {
        let run = folder.finish(&["seal", wrong]);
        assert_eq!(run.end, End::Code(2), "{wrong}");
        assert!(run.stderr.starts_with("cutape: "), "{}", run.stderr);
    }
    assert_eq!(folder.names(), ["copy.cutape", "t.cutape"]);
}

#[test]
fn an_interrupt_from_the_terminal_is_the_commands_to_handle() {
    let folder = Folder::new();
    // Says when it is ready, and ends well when interrupted.
    let script =
        "trap 'echo interrupted; exit 3' INT; echo ready > ready; while :; do sleep 0.05; done";
    let mut command = folder.cutape(&[
        "record", "-o", "t", "--driver", "sim", "--", "sh", "-c", script,
    ]);
    let mut running = start(&mut command);
    while !folder.path("ready").exists() {
        assert!(!running.has_ended());
        std::thread::yield_now();
    }
    // As a terminal does: to the whole group.
    // SAFETY: the group was made by `start`, and its leader was not waited for.
    assert_eq!(unsafe { libc::kill(-running.pid(), libc::SIGINT) }, 0);
    let run = running.finish();
    assert_eq!(
        (run.end, &*run.stdout),
        (End::Code(3), "interrupted\n"),
        "{}",
        run.stderr
    );
    assert!(folder.path("t.cutape").is_file(), "sealed all the same");
}

#[test]
fn signals_that_were_ignored_stay_ignored_for_the_command() {
    let folder = Folder::new();
    let script = "trap '' INT HUP; exec \"$0\" record -o t --driver sim -- sh -c 'kill -INT $$; kill -HUP $$; echo still here'";
    let mut shell = program("sh");
    shell
        .current_dir(folder.0.path())
        .args(["-c", script])
        .arg(cutape([""; 0]).get_program());
    let run = finish(&mut shell);
    assert_eq!(
        (run.end, &*run.stdout),
        (End::Code(0), "still here\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_recording_inside_a_recording_has_its_own_trace() {
    let folder = Folder::new();
    let own = cutape([""; 0]);
    let own = Path::new(own.get_program()).to_str().unwrap().to_owned();
    let program = folder.calling_program();
    let inner = [&own, "record", "-o", "inner", "--", &program];
    let run = folder.finish(
        &[
            &["record", "-o", "outer", "--driver", "sim", "--"],
            &inner[..],
        ]
        .concat(),
    );
    assert_eq!(run.end, End::Code(0), "{}", run.stderr);
    assert_eq!(
        Recorded::open(&folder.path("inner.cutape"))
            .of("cuInit")
            .len(),
        4
    );
}

#[test]
fn messages_go_to_standard_error_and_help_to_standard_output() {
    let folder = Folder::new();
    let help = folder.finish(&["record", "--help"]);
    assert_eq!((help.end, &*help.stderr), (End::Code(0), ""));
    assert!(help.stdout.contains("Examples:") && help.stdout.contains("--on-full"));
    let mut quiet = folder.cutape(&["record", "-o", "t", "--driver", "sim", "--", "true"]);
    // With standard error closed there is nobody to talk to, and nothing breaks.
    let status = quiet
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let wrong = folder.finish(&["record", "--no-such-option", "--", "true"]);
    assert_eq!(wrong.stdout, "");
    assert!(
        wrong.stderr.contains("--no-such-option"),
        "{}",
        wrong.stderr
    );
    assert_eq!(
        wrong.end,
        End::Code(125),
        "our own failure, not the command's"
    );
    assert_eq!(folder.finish(&["record"]).end, End::Code(125));
}
