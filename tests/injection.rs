//! `record --inject` and `--override`: what the program gets, what the trace says of it, and what the other commands make of that.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use cutape_trace_format::injected::{DriverAnswer, Injection};
use support::terminal::Terminal;
use support::{End, Finished, Recorded, client, cutape, environment_of, finish, program};

/// A recording of the client `injected` (or another one) with rules.
struct Run {
    program: Finished,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Run {
    fn of(driver: &str, rules: &[&str], program: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.cutape");
        let mut command = cutape(["record", "--driver", driver, "-o"]);
        command.arg(&path).args(rules).arg("--");
        command.arg(client(program[0])).args(&program[1..]);
        Self {
            program: finish(&mut command),
            path,
            _folder: folder,
        }
    }

    /// The lines that the program printed.
    fn lines(&self) -> Vec<&str> {
        self.program.stdout.lines().collect()
    }

    fn trace(&self) -> Recorded {
        let trace = Recorded::open(&self.path);
        trace.assert_nothing_lost();
        trace
    }

    fn command(&self, words: &[&str], more: &[&str]) -> Finished {
        command_on(&self.path, words, more)
    }

    fn print(&self, more: &[&str]) -> String {
        let plain = ["--columns", "none"];
        self.command(&["print"], &[&plain, more].concat()).stdout
    }
}

fn command_on(path: &Path, words: &[&str], more: &[&str]) -> Finished {
    finish(cutape(words).arg(path).args(more))
}

const SIM: &str = "sim";
const BROKEN: &str = "sim:shim-uninitialized";
const CURED: &str = "cuMemGetInfo_v2:free=78GiB,total=80GiB,ret=0";
const GIVEN: &str = "0, 83751862272 of 85899345920";

#[test]
fn an_override_answers_over_the_driver_on_every_path_to_the_function() {
    let run = Run::of(BROKEN, &["--override", CURED], &["injected", "memory", "3"]);
    assert_eq!(
        run.lines(),
        [1, 2, 3].map(|call| format!("{call}: {GIVEN}"))
    );
    let trace = run.trace();
    let calls = trace.of("cuMemGetInfo_v2");
    assert_eq!(calls.len(), 3);
    for seen in calls {
        let own = DriverAnswer::Answered {
            returned: 3,
            replaced: vec![(0, Some(vec![0; 8])), (1, Some(vec![0; 8]))],
        };
        let expected = Injection {
            rules: 1,
            driver: own,
            ..Injection::default()
        };
        assert_eq!(seen.call.injection(), Some(expected));
        assert_eq!(seen.returned, Some(0));
    }
    let text = run.print(&["-e", "injected", "-n", "1"]);
    assert_eq!(
        text.trim_end(),
        "cuMemGetInfo_v2(free=83751862272 (78 GiB), total=85899345920 (80 GiB)) = CUDA_SUCCESS (0) (INJECTED; the driver answered \
         free=0, total=0, CUDA_ERROR_NOT_INITIALIZED (3))"
    );
}

#[test]
fn an_injected_error_does_not_reach_the_driver_and_only_the_calls_named_fail() {
    let rule = "cuMemAlloc:error=OUT_OF_MEMORY:when=2..3";
    let run = Run::of(SIM, &["--inject", rule], &["injected", "allocate", "4"]);
    assert_eq!(
        run.lines(),
        [
            "1: 0, a pointer",
            "2: 2, none",
            "3: 2, none",
            "4: 0, a pointer"
        ]
    );
    let trace = run.trace();
    let injected: Vec<_> = trace
        .of("cuMemAlloc_v2")
        .iter()
        .map(|seen| seen.call.injection().map(|injection| injection.driver))
        .collect();
    let withheld = Some(DriverAnswer::NotCalled);
    assert_eq!(injected, [None, withheld.clone(), withheld, None]);
    assert_eq!(
        run.print(&["-e", "injected and api == cuMemAlloc", "-n", "1"])
            .trim_end()
            .rsplit_once(" = ")
            .map(|(_, answer)| answer),
        Some("CUDA_ERROR_OUT_OF_MEMORY (2) (INJECTED)")
    );
    assert_eq!(
        run.print(&["-e", "not injected"])
            .matches("INJECTED")
            .count(),
        0
    );
}

#[test]
fn an_error_after_the_call_keeps_what_the_driver_did() {
    let rule = "cuMemAlloc_v2:error=OUT_OF_MEMORY:after:when=1";
    let run = Run::of(SIM, &["--inject", rule], &["injected", "allocate", "1"]);
    let trace = run.trace();
    let call = &trace.of("cuMemAlloc_v2")[0].call;
    let own = call.as_the_driver_answered().expect("it was called");
    assert_eq!((call.returned, own.returned), (Some(2), Some(0)));
    let text = run.print(&["-e", "injected"]);
    let (_, own) = text.trim_end().split_once("the driver answered ").unwrap();
    assert!(
        own.starts_with("dptr=0x") && own.ends_with(", CUDA_SUCCESS (0))"),
        "{text}"
    );
}

#[test]
fn calls_are_counted_in_the_whole_process_and_anew_in_each_child() {
    let some = ["--inject", "cuDriverGetVersion:error=999:when=101..350"];
    let run = Run::of(SIM, &some, &["injected", "threads", "100"]);
    assert_eq!(run.lines(), ["succeeded 550, failed 250"]);
    let second = ["--override", "cuDriverGetVersion:driverVersion=11.4:when=2"];
    let run = Run::of(SIM, &second, &["injected", "fork"]);
    let changed: Vec<_> = run
        .lines()
        .into_iter()
        .filter(|line| line.ends_with(" 0, 11040"))
        .collect();
    assert_eq!(changed, ["parent 2: 0, 11040", "child 2: 0, 11040"]);
    assert_eq!(run.trace().notes("injection").len(), 2);
}

#[test]
fn values_are_typed_by_the_schema_and_text_fits_its_buffer() {
    let rules = [
        "--override",
        "cuDeviceGetName:name='A GPU: with a long name'",
        "--override",
        "cuDeviceGetAttribute[75]=8",
        "--override",
        "cuDeviceGetAttribute[COMPUTE_CAPABILITY_MINOR]:pi=6",
        "--override",
        "cuDeviceGetUuid_v2:uuid.bytes=0x000102030405060708090a0b0c0d0eff",
        "--override",
        "cuDeviceGetProperties:prop.maxThreadsPerBlock=512,prop.maxThreadsDim.2=7",
    ];
    let run = Run::of(SIM, &rules, &["injected", "device"]);
    assert_eq!(
        run.lines(),
        [
            "name: 0, A GPU: with a long name",
            "short name: 0, A GPU: with a l",
            "major: 0, 8",
            "minor: 0, 6",
            "uuid: 0, 00 ff",
            "properties: 0, 512, 7",
        ]
    );
    let trace = run.trace();
    let rules = |seen: &support::SeenCall| seen.call.injection().map(|injection| injection.rules);
    let attributes: Vec<_> = trace
        .of("cuDeviceGetAttribute")
        .into_iter()
        .map(rules)
        .collect();
    assert_eq!(attributes, [Some(0b10), Some(0b100)]);
}

#[test]
fn a_pointer_that_leads_nowhere_is_the_programs_affair() {
    let run = Run::of(SIM, &["--override", CURED], &["injected", "null"]);
    assert_eq!(run.program.end, End::Code(0), "{}", run.program.stderr);
    assert!(
        run.lines()[0].starts_with("one: 0, 85899345920"),
        "{:?}",
        run.lines()
    );
    let withheld = "cuMemGetInfo_v2:error=1:free=1:total=5";
    let run = Run::of(SIM, &["--inject", withheld], &["injected", "null"]);
    assert_eq!(run.lines(), ["one: 1, 5", "both: 1"]);
    let run = Run::of(SIM, &["--inject", withheld], &["injected", "nowhere"]);
    assert_eq!(run.lines(), ["nowhere: 1, 5"]);
}

#[test]
fn a_call_can_be_delayed_and_its_thread_signalled() {
    let rules = [
        "--inject",
        "cuInit:signal=SIGUSR1:delay=20ms:delay-after=10ms",
    ];
    let run = Run::of(SIM, &rules, &["injected", "handler"]);
    assert_eq!(run.lines(), ["cuInit 0, handler ran on this thread: yes"]);
    let trace = run.trace();
    let call = &trace.of("cuInit")[0].call;
    assert!(
        call.duration_ns >= Some(30_000_000),
        "{:?}",
        call.duration_ns
    );
    let text = run.print(&["-e", "injected"]);
    assert_eq!(
        text.trim_end(),
        "cuInit(Flags=0) = CUDA_SUCCESS (0) (DELAYED, SIGNALLED)"
    );
}

#[test]
fn a_signal_that_kills_leaves_the_call_in_flight_and_marked() {
    let rules = ["--inject", "cuMemGetInfo_v2:signal=SIGSEGV"];
    let run = Run::of(SIM, &rules, &["injected", "memory", "1"]);
    assert_eq!(run.program.end, End::Signal(libc::SIGSEGV));
    let text = run.print(&["-e", "injected"]);
    assert!(
        text.trim_end().ends_with("= ? <in flight> (INJECTED)"),
        "{text}"
    );
}

#[test]
fn a_missing_function_is_found_by_nobody() {
    let rules = ["--inject", "cuMemGetInfo:missing"];
    let run = Run::of(SIM, &rules, &["injected", "find", "cuMemGetInfo"]);
    assert_eq!(
        run.lines(),
        [
            "dlsym: not found",
            "cuGetProcAddress_v2: 0, status 1, not found",
            "cuGetProcAddress: 500, not found",
        ]
    );
    let text = run.print(&["-e", "injected", "-n", "1"]);
    assert!(
        text.contains("symbolStatus=CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND"),
        "{text}"
    );
    assert!(text.contains("the driver answered pfn="), "{text}");
    // Where another version is left, look-ups find that.
    let newest = ["--inject", "cuCtxCreate_v3:missing"];
    let run = Run::of(SIM, &newest, &["injected", "find", "cuCtxCreate"]);
    assert!(
        run.lines()[1].ends_with("status 0, found"),
        "{:?}",
        run.lines()
    );
}

#[test]
fn a_rule_can_be_for_one_program_only() {
    for (pattern, expected) in [("inj*", "2: 1, none"), ("other*", "2: 0, a pointer")] {
        let rule = format!("cuMemAlloc:error=1:when=2:in={pattern}");
        let run = Run::of(SIM, &["--inject", &rule], &["injected", "allocate", "2"]);
        assert_eq!(run.lines()[1], expected);
    }
}

#[test]
fn what_a_filter_leaves_out_is_injected_all_the_same() {
    let rules = ["-e", "cuInit", "--override", CURED];
    let run = Run::of(BROKEN, &rules, &["injected", "memory", "1"]);
    assert_eq!(run.lines(), [format!("1: {GIVEN}")]);
    assert_eq!(
        run.trace().counts().into_keys().collect::<Vec<_>>(),
        ["cuInit"]
    );
}

#[test]
fn the_program_says_gpu_and_every_command_says_why() {
    let run = Run::of(BROKEN, &["--override", CURED], &["ggml_startup"]);
    assert!(
        run.program.stdout.starts_with("backend: CUDA0"),
        "{}",
        run.program.stdout
    );
    let said = format!("cutape: --override {CURED}: acted on 1 call\n");
    assert!(run.program.stderr.contains(&said), "{}", run.program.stderr);
    let info = run.command(&["info"], &[]).stdout;
    let line = format!("injected       --override {CURED}: acted on 1 call, first on call 16\n");
    assert!(info.contains(&line), "{info}");
    let doctor = run.command(&["doctor"], &[]);
    assert_eq!(doctor.end, End::Code(0), "{}", doctor.stdout);
    let unknown = "what the driver would have done by itself where the recording's own rules acted";
    let words = doctor
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(words.contains(unknown), "{}", doctor.stdout);
    // The driver is judged by its own answer: the same one conforms, and the cure is no regression.
    let same = run.command(&["replay"], &["--driver", BROKEN]);
    assert_eq!(same.end, End::Code(0), "{}{}", same.stdout, same.stderr);
    let cured = run.command(&["replay"], &["--driver", "sim:shim-fixed"]);
    assert!(cured.stdout.contains("1 fixed"), "{}", cured.stdout);
}

#[test]
fn a_problem_that_a_rule_made_is_not_blamed_on_the_driver() {
    let rule = "cuMemGetInfo_v2:error=NOT_INITIALIZED:free=0:total=0";
    let run = Run::of(SIM, &["--inject", rule], &["ggml_startup"]);
    assert_eq!(run.lines(), ["backend: CPU"]);
    let doctor = run.command(&["doctor"], &[]);
    assert_eq!(doctor.end, End::Code(1));
    for said in ["meminfo-error", "made up by a rule of its own", rule] {
        let words = doctor
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(words.contains(said), "{said}: {}", doctor.stdout);
    }
    let json = run.command(&["doctor", "--json"], &[]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let injected = &json["findings"][0]["evidence"][0]["injected"];
    assert_eq!(*injected, serde_json::json!([format!("--inject {rule}")]));
    let replay = run.command(&["replay"], &["--driver", SIM]);
    assert_eq!(replay.end, End::Code(0), "{}", replay.stdout);
    assert!(
        replay.stdout.contains("a rule of the recording answered"),
        "{}",
        replay.stdout
    );
}

#[test]
fn json_lines_and_csv_say_what_the_driver_answered() {
    let run = Run::of(BROKEN, &["--override", CURED], &["injected", "memory", "1"]);
    let lines = run.print(&["--format", "jsonl", "-e", "injected"]);
    let call: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(
        call["injected"],
        serde_json::json!({
            "rules": [format!("--override {CURED}")],
            "made_up": true,
            "delayed": false,
            "signalled": false,
            "driver": {"args": {"free": 0, "total": 0}, "ret": 3, "ret_name": "CUDA_ERROR_NOT_INITIALIZED"},
        })
    );
    let csv = run.command(&["print", "--format", "csv"], &[]).stdout;
    let mut rows = csv.lines();
    assert!(rows.next().unwrap().ends_with(",ret_name,injected"));
    assert!(rows.next().unwrap().ends_with(",CUDA_SUCCESS,"));
    let own = "\"INJECTED; the driver answered free=0, total=0, CUDA_ERROR_NOT_INITIALIZED (3)\"";
    assert!(csv.contains(own), "{csv}");
}

#[test]
fn a_part_of_the_trace_keeps_the_marks_and_a_redacted_one_too() {
    let run = Run::of(BROKEN, &["--override", CURED], &["injected", "memory", "2"]);
    let part = run.path.with_file_name("part.cutape");
    let part_name = part.to_str().unwrap();
    let trim = ["-e", "injected", "--redact", "all", "-o", part_name];
    let trimmed = run.command(&["trim"], &trim);
    assert_eq!(trimmed.end, End::Code(0), "{}", trimmed.stderr);
    let printed = command_on(&part, &["print"], &["-e", "injected"]).stdout;
    assert_eq!(
        printed
            .matches("INJECTED; the driver answered free=0")
            .count(),
        2
    );
    let info = command_on(&part, &["info"], &[]).stdout;
    assert!(info.contains("acted on 2 calls"), "{info}");
    assert_eq!(command_on(&part, &["verify"], &[]).end, End::Code(0));
}

#[test]
fn what_env_prints_injects_too_and_half_of_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("by-hand");
    let options = [
        "-o",
        out.to_str().unwrap(),
        "--driver",
        BROKEN,
        "--override",
        CURED,
    ];
    let variables = environment_of(&options.map(std::ffi::OsStr::new));
    let named = |name: &str| variables.iter().find(|(known, _)| known == name);
    assert_eq!(named("CUTAPE_OVERRIDE").unwrap().1, CURED);
    assert!(named("CUTAPE_INJECTION").is_some() && named("CUTAPE_INJECT").is_none());
    let run = |without: &str| {
        let mut command = program(client("injected"));
        command.args(["memory", "1"]);
        let kept = variables.iter().filter(|(name, _)| name != without);
        command.envs(kept.map(|(name, value)| (name, value)));
        finish(&mut command)
    };
    assert_eq!(run("").stdout, format!("1: {GIVEN}\n"));
    for half in ["CUTAPE_OVERRIDE", "CUTAPE_INJECTION"] {
        let run = run(half);
        assert_eq!(run.stdout, "1: 3, 0 of 0\n");
        assert!(
            run.stderr
                .contains("cutape: nothing is injected in process"),
            "{}",
            run.stderr
        );
    }
    // A recording inside this one has rules of its own, or none.
    let inner = folder.path().join("inner.cutape");
    let mut command = cutape(["record", "-o"]);
    command
        .arg(&inner)
        .arg("--")
        .arg(client("injected"))
        .args(["memory", "1"]);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let run = finish(&mut command);
    assert_eq!(run.stdout, "1: 3, 0 of 0\n", "{}", run.stderr);
}

#[test]
fn threads_forks_handlers_and_nested_calls_live_with_rules_as_without() {
    for arguments in [
        &["signals"][..],
        &["threads"],
        &["fork_calls"],
        &["exec_chain"],
        &["nested"],
        &["longjmp"],
        &["errno_kept"],
        &["proc_address"],
    ] {
        let mut alone = cutape(["sim", "--"]);
        alone.arg(client(arguments[0])).args(&arguments[1..]);
        let alone = finish(&mut alone);
        let run = Run::of(SIM, &["--inject", "cu*:delay-after=1ns"], arguments);
        assert_eq!(
            (run.program.end, &run.program.stdout),
            (alone.end, &alone.stdout),
            "{arguments:?}: {}",
            run.program.stderr
        );
        let trace = run.trace();
        let touched = trace.calls.iter().filter(|seen| seen.call.is_injected());
        assert_eq!(touched.count(), trace.calls.len(), "{arguments:?}");
    }
}

#[test]
fn the_viewer_chooses_and_marks_what_rules_did() {
    let run = Run::of(BROKEN, &["--override", CURED], &["injected", "memory", "2"]);
    let mut view = Command::new(env!("CARGO_BIN_EXE_cutape"));
    let settings = Path::new(env!("CARGO_TARGET_TMPDIR")).join("view-config");
    view.arg("view")
        .arg(&run.path)
        .env("XDG_CONFIG_HOME", settings);
    let mut terminal = Terminal::start(&mut view, (160, 40));
    terminal.wait_for("0 failed");
    terminal.type_text("&injected\r").wait_for("2 of 4");
    terminal.wait_for("ok (injected)");
    terminal.wait_for("--override cuMemGetInfo_v2:free=78GiB");
    terminal.type_text("q");
    assert_eq!(terminal.finish().code(), Some(0));
}
