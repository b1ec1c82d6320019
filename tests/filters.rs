//! `-e FILTER` as users give it: to print, to count, to record.

mod support;

use std::path::{Path, PathBuf};

use support::{End, Finished, Recorded, client, cutape, environment_of, finish, program};

const BROKEN: &str = "sim:shim-uninitialized";
const FAILURE: &str = "cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("traces")
        .join(name)
}

/// `cutape print --columns seq ARGUMENTS` of GGML's start-up on the broken driver: 16 calls, the last of which fails.
fn print(arguments: &[&str]) -> Finished {
    let mut command = cutape(["print", "--columns", "seq", "--raw"]);
    command
        .args(arguments)
        .arg(golden("ggml-startup-on-shim-uninitialized.cutape"));
    finish(&mut command)
}

#[test]
fn print_shows_the_calls_that_match() {
    let failed = print(&["-e", "ret == NOT_INITIALIZED"]);
    assert_eq!(failed.end, End::Code(0));
    assert_eq!(
        (failed.stdout.as_str(), failed.stderr.as_str()),
        (&*format!(" 16  {FAILURE}\n"), "")
    );
    let numbers = |arguments: &[&str]| -> Vec<String> {
        let printed = print(arguments).stdout;
        let words = printed
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        words.map(str::to_owned).collect()
    };
    let all = numbers(&["-e", "cuDevice*"]);
    assert!(all.len() > 3, "{all:?}");
    assert_eq!(numbers(&["-e", "cuDevice*", "-n", "2"]), all[..2]);
    assert_eq!(
        numbers(&["-e", "cuDevice*", "-n", "-2"]),
        all[all.len() - 2..]
    );
    assert_eq!(numbers(&["-e", "cuDevice*", "-n", "0"]), [""; 0]);
    assert_eq!(
        numbers(&["-e", "ctx == ctx#1 and cuMem*", "-n", "-1"]),
        ["16"]
    );
    assert_eq!(
        numbers(&["-e", "seq in {3..5}", "--format", "text"]),
        ["3", "4", "5"]
    );
}

#[test]
fn print_answers_like_grep() {
    for (filter, code) in [
        ("ret != 0", 0),
        ("ret == 100", 1),
        ("kernel", 1),
        ("obj", 0),
    ] {
        let answer = print(&["-q", "-e", filter]);
        assert_eq!(
            (answer.end, answer.stdout.as_str()),
            (End::Code(code), ""),
            "{filter}"
        );
    }
}

#[test]
fn a_filter_that_is_wrong_or_matches_nothing_says_what_may_be_meant() {
    let wrong = print(&["-e", "ret == 3 and kernal"]);
    assert_eq!(wrong.end, End::Code(0), "a bare word is a function");
    assert_eq!(
        wrong.stderr,
        "cutape: no function of the trace is called like kernal\n"
    );
    let wrong = print(&["-e", "kernal == gemm"]);
    assert_eq!(wrong.end, End::Code(2));
    assert_eq!(
        wrong.stderr,
        "cutape: -e: expected a field, found kernal; did you mean kernel?\n  kernal == gemm\n  ^^^^^^\n"
    );
    let nothing = print(&["-e", "cuMemGetInof"]);
    assert_eq!((nothing.end, nothing.stdout.as_str()), (End::Code(0), ""));
    assert!(
        nothing.stderr.contains("did you mean cuMemGetInfo?"),
        "{}",
        nothing.stderr
    );
}

/// Records GGML's start-up on the broken driver with a filter.
fn record(filter: &str) -> (Finished, Recorded) {
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("a.cutape");
    let mut command = cutape(["record", "--driver", BROKEN, "-e", filter, "-o"]);
    let finished = finish(command.arg(&trace).arg("--").arg(client("ggml_startup")));
    assert_eq!(finished.stdout, "backend: CPU\n", "{}", finished.stderr);
    (finished, Recorded::open(&trace))
}

fn functions(trace: &Recorded) -> Vec<&str> {
    trace
        .calls
        .iter()
        .map(|call| call.function.as_str())
        .collect()
}

#[test]
fn functions_that_the_filter_leaves_out_are_never_recorded() {
    let (run, trace) = record("cuMem* or cuInit");
    let recorded = ["cuInit", "cuMemGetAllocationGranularity", "cuMemGetInfo_v2"];
    assert_eq!(functions(&trace), recorded);
    assert_eq!(trace.notes("filter"), ["cuMem* or cuInit"]);
    assert!(
        trace.notes("left-out").is_empty(),
        "nothing was left for sealing to leave out"
    );
    let said = "cutape: only calls that the filter means: cuMem* or cuInit\n";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    trace.assert_nothing_lost();
}

#[test]
fn what_only_the_call_tells_is_decided_when_the_recording_is_sealed() {
    let (run, trace) = record("ret != 0");
    assert_eq!(functions(&trace), ["cuMemGetInfo_v2"]);
    assert_eq!(trace.notes("left-out"), ["ret != 0"]);
    let said = "cutape: only calls that the filter means: ret != 0 (15 left out)\n";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    let (_, trace) = record("cuCtx* and ctx == ctx#1");
    assert!(
        functions(&trace).contains(&"cuCtxSetCurrent"),
        "objects of calls that are left out count"
    );
    let (run, trace) = record("cuTexRef*");
    assert_eq!(functions(&trace), [""; 0]);
    assert!(
        run.stderr
            .contains("no call that the filter means was seen"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_filter_of_env_is_applied_by_seal() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("a.cutape");
    let options = [
        "-o".as_ref(),
        folder.as_os_str(),
        "--driver".as_ref(),
        BROKEN.as_ref(),
    ];
    let filter = ["-e".as_ref(), "cuDevice* or dur < 0ns".as_ref()];
    let mut command = program(client("ggml_startup"));
    command.envs(environment_of(&[&options[..], &filter[..]].concat()));
    assert_eq!(finish(&mut command).stdout, "backend: CPU\n");
    let before = Recorded::open(&folder).calls.len();
    let sealed = finish(cutape(["seal"]).arg(&folder));
    assert_eq!(sealed.end, End::Code(0), "{}", sealed.stderr);
    let trace = Recorded::open(&folder);
    assert!(
        functions(&trace)
            .iter()
            .all(|name| name.starts_with("cuDevice"))
    );
    assert!(!trace.calls.is_empty() && trace.calls.len() < before);
    assert_eq!(trace.notes("filter"), ["cuDevice* or dur < 0ns"]);
}

#[test]
fn a_wrong_filter_records_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("a.cutape");
    for what in ["record", "env"] {
        let mut command = cutape([what, "-e", "ret = 3", "-o"]);
        command.arg(&trace);
        if what == "record" {
            command.args(["--", "true"]);
        }
        let refused = finish(&mut command);
        assert_eq!(refused.end, End::Code(125));
        assert!(
            refused.stderr.contains("did you mean ==?"),
            "{}",
            refused.stderr
        );
        assert!(!trace.exists());
    }
}

#[test]
fn stats_counts_what_a_filter_means_and_compares_two_traces() {
    let broken = golden("ggml-startup-on-shim-uninitialized.cutape");
    let fixed = golden("ggml-startup-on-shim-fixed.cutape");
    let counted = finish(cutape(["stats", "-e", "ret != 0", "--by", "caller"]).arg(&broken));
    assert_eq!((counted.end, counted.stderr.as_str()), (End::Code(0), ""));
    let lines: Vec<&str> = counted.stdout.lines().collect();
    assert!(
        lines[1].contains("  1       1  ") && lines[1].ends_with("  ggml_startup"),
        "{lines:?}"
    );
    let compared = finish(
        cutape(["stats", "-e", "cuMemGetInfo"])
            .arg(&broken)
            .arg(&fixed),
    );
    assert_eq!((compared.end, compared.stderr.as_str()), (End::Code(0), ""));
    let lines: Vec<&str> = compared.stdout.lines().collect();
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(
        words[..4],
        ["1", "1", "1", "0"],
        "fails on the one and not on the other"
    );
    assert_eq!(words.last(), Some(&"cuMemGetInfo_v2"));
    let wrong = finish(cutape(["stats", "-e", "ret = 0"]).arg(&broken));
    assert_eq!(wrong.end, End::Code(2));
}
