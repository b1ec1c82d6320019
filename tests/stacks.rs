//! Call stacks: of calls that fail, on every kind of stack; what is kept, what is not, and what the commands show.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use cutape_test_clients::programs;
use serde_json::Value;
use support::terminal::Terminal;
use support::{End, Finished, Recorded, client, cutape, environment_of, finish, program};

/// A recording of the client `stacks`.
struct Run {
    program: Finished,
    path: PathBuf,
    folder: tempfile::TempDir,
}

impl Run {
    fn of(options: &[&str], words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.cutape");
        let mut command = cutape(["record", "--driver", "sim", "-o"]);
        command.arg(&path).args(options).arg("--");
        command.arg(client("stacks")).args(words);
        Self {
            program: finish(&mut command),
            path,
            folder,
        }
    }

    fn scene(scene: &str) -> Self {
        let run = Self::of(&[], &[scene]);
        let expected = format!("cuInit 0\n{scene} 101\n");
        assert_eq!(run.program.stdout, expected, "{}", run.program.stderr);
        run
    }

    fn command(&self, words: &[&str]) -> Finished {
        let mut command = cutape(&words[..1]);
        finish(command.arg(&self.path).args(&words[1..]))
    }

    /// The functions of the program on the stack of the first call that failed, from the call on.
    fn functions(&self) -> Vec<String> {
        let printed = self.command(&["print", "-k", "-n", "1", "-e", "ret == 101"]);
        functions(&printed.stdout)
    }

    fn json(&self) -> Vec<Value> {
        let json = self.command(&["print", "--format", "jsonl"]).stdout;
        let lines = json.lines().skip(1);
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// `ask` of lines like ` > stacks(ask+0x1c) [0x12b5]`.
fn functions(printed: &str) -> Vec<String> {
    let lines = printed
        .lines()
        .filter_map(|line| line.strip_prefix(" > stacks("));
    let name = |line: &str| line.split(['+', ')']).next().unwrap_or_default().to_owned();
    lines.map(name).collect()
}

const PLAIN: [&str; 5] = ["ask", "exported_asks", "outer_asks", "main", "_start"];

#[test]
fn a_failed_call_has_the_whole_way_to_it() {
    let run = Run::scene("plain");
    assert_eq!(run.functions(), PLAIN);
    // One that worked has none.
    let all = run.command(&["print", "-k"]).stdout;
    assert_eq!(
        all.matches("\n > ").count(),
        all.lines().count() - 2,
        "{all}"
    );
    assert!(!all.lines().nth(1).unwrap().starts_with(" > "), "{all}");
    // Without -k there is only who called.
    assert!(!run.command(&["print"]).stdout.contains(" > "));
    let calls = run.json();
    assert_eq!(calls[0]["stack"], Value::Null);
    let places = calls[1]["stack"].as_array().unwrap();
    assert_eq!(places[0]["offset"], calls[1]["caller"]["offset"]);
    assert_eq!(places[0]["symbol"], "ask");
    assert!(places[0]["module"].as_str().unwrap().ends_with("/stacks"));
}

#[test]
fn frames_are_found_by_other_registers_than_the_stack_pointer() {
    assert_eq!(
        Run::scene("aligned").functions(),
        [&PLAIN[..3], &["aligned_asks"], &PLAIN[3..]].concat()
    );
    assert_eq!(
        Run::scene("any-size").functions(),
        [
            &PLAIN[..3],
            &["of_any_size_asks", "of_any_size"],
            &PLAIN[3..]
        ]
        .concat()
    );
}

#[test]
fn of_a_deep_recursion_there_is_as_much_as_is_kept() {
    let functions = Run::scene("deep").functions();
    assert_eq!(functions[0], "ask");
    assert!(
        functions.len() > 100 && functions.len() < 4000,
        "{}",
        functions.len()
    );
    assert!(functions[1..].iter().all(|name| name == "deep_asks"));
}

#[test]
fn a_thread_with_a_small_stack_has_its_stack_and_no_more() {
    let run = Run::scene("thread");
    assert_eq!(run.functions(), [&PLAIN[..3], &["thread_asks"]].concat());
}

#[test]
fn a_stack_goes_through_a_signal_handler_to_what_it_interrupted() {
    let functions = Run::scene("handler").functions();
    let own: Vec<&str> = functions.iter().map(String::as_str).collect();
    let expected = [
        &PLAIN[..3],
        &["handler_asks", "raises", "in_handler"],
        &PLAIN[3..],
    ];
    assert_eq!(own, expected.concat());
}

#[test]
fn stacks_that_nobody_knows_the_ends_of_are_read_with_care() {
    // The interrupted function is on another stack.
    let functions = Run::scene("signal-stack").functions();
    assert_eq!(functions, [&PLAIN[..3], &["handler_asks"]].concat());
    let functions = Run::scene("coroutine").functions();
    assert_eq!(functions[..4], [&PLAIN[..3], &["coroutine_asks"]].concat());
}

#[test]
fn of_many_failures_of_one_place_sixteen_have_a_stack() {
    let run = Run::of(&[], &["many"]);
    assert_eq!(run.program.stdout, "cuInit 0\nmany 100\n");
    let calls = run.json();
    let with = calls.iter().filter(|call| call["stack"].is_array());
    assert_eq!((calls.len(), with.count()), (101, 16));
    let info = run.command(&["info"]).stdout;
    assert!(info.contains("stacks         1 different\n"), "{info}");
}

#[test]
fn what_is_kept_is_a_choice() {
    let none = Run::of(&["--stacks", "none"], &["plain"]);
    assert!(none.functions().is_empty());
    let chosen = Run::of(&["--stacks", "cuInit and ret == 0"], &["plain"]);
    let init = chosen.command(&["print", "-k", "-e", "cuInit"]).stdout;
    assert_eq!(functions(&init), ["main", "_start"]);
    // Those that failed have theirs, too.
    assert_eq!(chosen.functions(), PLAIN);
    let other = Run::of(&["--stacks", "cuInit and ret != 0"], &["plain"]);
    let init = other.command(&["print", "-k", "-e", "cuInit"]).stdout;
    assert!(functions(&init).is_empty(), "{init}");
    let wrong = Run::of(&["--stacks", "cuInit and ("], &["plain"]);
    assert_eq!(wrong.program.end, End::Code(125));
    let said = &wrong.program.stderr;
    assert!(said.contains("expected failed, none or a filter"), "{said}");
}

#[test]
fn stacks_are_kept_of_a_program_that_is_killed() {
    let run = Run::of(&[], &["plain", "and die"]);
    assert_eq!(run.program.end, End::Signal(9));
    assert_eq!(run.functions(), PLAIN);
}

#[test]
fn a_sealed_trace_has_no_memory_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.cutape");
    let options = [
        "--driver".as_ref(),
        "sim".as_ref(),
        "-o".as_ref(),
        path.as_os_str(),
    ];
    let secret = "nobody-is-to-see-this-4711";
    let mut command = program(client("stacks"));
    command.arg("plain").env("SECRET", secret);
    let ended = finish(command.envs(environment_of(&options)));
    assert_eq!(ended.end, End::Code(0), "{}", ended.stderr);
    // The folder has it, and so nothing of it is shown before it is sealed.
    let before = Recorded::open(&path);
    let kept = before.calls[1].call.stack_memory().unwrap();
    assert!(kept.bytes.len() > 100);
    let shown = finish(cutape(["print", "-k"]).arg(&path));
    assert_eq!(
        (shown.end, shown.stdout.contains(" > ")),
        (End::Code(0), false)
    );
    let sealed = finish(cutape(["seal"]).arg(&path));
    assert_eq!(sealed.end, End::Code(0), "{}", sealed.stderr);
    let after = Recorded::open(&path);
    assert!(
        after
            .calls
            .iter()
            .all(|seen| seen.call.stack_memory().is_none())
    );
    let printed = finish(cutape(["print", "-k"]).arg(&path)).stdout;
    assert_eq!(functions(&printed), PLAIN);
}

#[test]
fn parts_have_the_stacks_of_their_calls() {
    let run = Run::of(&[], &[]);
    let part = run.folder.path().join("part.cutape");
    let words = ["trim", "-e", "seq == 3", "--redact", "all", "-o"];
    let trimmed = finish(cutape(words).arg(&part).arg(&run.path));
    assert_eq!(trimmed.end, End::Code(0), "{}", trimmed.stderr);
    let printed = finish(cutape(["print", "-k", "-e", "ret != 0"]).arg(&part)).stdout;
    let expected = [&PLAIN[..3], &["aligned_asks"], &PLAIN[3..]].concat();
    assert_eq!(functions(&printed), expected, "{printed}");
    let json = finish(cutape(["print", "--format", "jsonl"]).arg(&part)).stdout;
    assert!(json.contains("\"module\":\"stacks\""), "{json}");
    assert!(!json.contains("/stacks\""), "{json}");
    let verified = finish(cutape(["verify"]).arg(&part));
    assert_eq!(verified.end, End::Code(0), "{}", verified.stdout);
    let content = fs::read(&part).unwrap();
    assert!(content.len() < 64 << 10, "{}", content.len());
}

#[test]
fn a_diagnosis_shows_the_way_to_its_evidence() {
    let run = Run::scene("plain");
    let diagnosed = run.command(&["doctor"]);
    let told = &diagnosed.stdout;
    assert!(told.contains("from stacks ask+0x"), "{told}");
    assert!(told.contains("\n      > stacks exported_asks+0x"), "{told}");
    assert!(told.contains("\n      > stacks main+0x"), "{told}");
    assert!(!told.contains("__libc_start"), "{told}");
    let json: Value = serde_json::from_str(&run.command(&["doctor", "--json"]).stdout).unwrap();
    let stack = &json["findings"][0]["evidence"][0]["stack"];
    assert_eq!(stack[2]["symbol"], "outer_asks", "{stack}");
}

#[test]
fn the_viewer_has_the_stack_below_the_answer() {
    let run = Run::scene("plain");
    let settings = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("view-config");
    let mut view = Command::new(env!("CARGO_BIN_EXE_cutape"));
    view.arg("view")
        .arg(&run.path)
        .env("XDG_CONFIG_HOME", settings);
    let mut terminal = Terminal::start(&mut view, (160, 50));
    terminal.wait_for("1 failed");
    terminal.type_text("&ret != 0\r").wait_for("1 of 2");
    terminal.wait_for("stacks(exported_asks+0x");
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(0));
}

#[test]
fn a_go_program_has_its_c_functions_up_to_the_change_of_stacks() {
    let go = match programs::go_program("goroutines") {
        Ok(go) => go,
        Err(error) => {
            eprintln!("skipped: {error}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("go.cutape");
    let recorded = finish(&mut support::record(&path, "sim", &go, &["1", "2"]));
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    let words = ["print", "-k", "-n", "1", "-e", "ret != 0"];
    let printed = finish(cutape(words).arg(&path)).stdout;
    let mut lines = printed.lines().skip(1);
    let own = lines.next().unwrap();
    assert!(own.contains("_Cfunc_call_driver+0x"), "{printed}");
    let of_go = lines.next().unwrap();
    assert!(of_go.contains("(runtime.asmcgocall"), "{printed}");
}

#[test]
fn the_python_reader_reads_the_same() {
    use cutape_test_clients::{find_or_skip, python};
    let (Some(msgpack), Some(zstandard)) = (find_or_skip("msgpack"), find_or_skip("zstandard"))
    else {
        return;
    };
    let run = Run::of(&[], &[]);
    let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/read_trace.py");
    let mut command = Command::new(python::interpreter());
    let packages = std::env::join_paths([msgpack, zstandard]).unwrap();
    command.arg(reader).arg(&run.path);
    let theirs = finish(command.env("PYTHONPATH", packages)).stdout;
    let ours = run.command(&["print", "--format", "jsonl"]).stdout;
    assert!(ours.contains("\"stack\":[{"), "{ours}");
    for (our, their) in ours.lines().zip(theirs.lines()) {
        assert_eq!(our, their);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

#[test]
fn a_name_that_no_function_has_is_told_before_the_program_runs() {
    let folder = tempfile::tempdir().unwrap();
    for (option, other) in [("--stacks", "cuMemGetInf"), ("-e", "cuMemGetInf")] {
        let mut command = cutape(["record", "--force", "--driver", "sim", option, other, "-o"]);
        command.arg(folder.path().join("t")).args(["--", "true"]);
        let recorded = finish(&mut command);
        assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
        let told = format!(
            "cutape: {option}: no function that cutape knows is called like cuMemGetInf; did you mean cuMemGetInfo?"
        );
        assert_eq!(recorded.messages().first(), Some(&told.as_str()));
    }
}
