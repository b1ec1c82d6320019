//! Two runs of one program on one driver are the same, whatever hazards the program is made of.

mod support;

use std::path::Path;

use support::{client, cutape, finish, record};

/// Programs and their arguments. `signals` and `exec_chain` are not among them: how many calls they make is a matter of chance (timers, a
/// thread that goes on until exec).
const PROGRAMS: [(&str, &[&str]); 12] = [
    ("conformance", &[]),
    ("errno_kept", &[]),
    ("exit_paths", &["thread-key"]),
    ("fork_calls", &[]),
    ("ggml_startup", &[]),
    ("longjmp", &[]),
    ("nested", &[]),
    ("proc_address", &[]),
    ("reopen", &[]),
    ("symptoms", &[]),
    ("thread_per_call", &["2000"]),
    ("threads", &["16", "500"]),
];

fn diff(options: &[&str], a: &Path, b: &Path) -> support::Finished {
    finish(cutape(["diff"]).args(options).args([a, b]))
}

#[test]
fn two_runs_of_one_program_are_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    for (name, arguments) in PROGRAMS {
        let program = client(name);
        let traces = [1, 2].map(|run| scratch.path().join(format!("{name}-{run}.cutape")));
        for trace in &traces {
            finish(&mut record(trace, "sim", &program, arguments));
            assert!(trace.exists(), "{name} was not recorded");
        }
        let end = diff(&[], &traces[0], &traces[1]);
        assert_eq!(
            (end.end, end.stderr.as_str()),
            (support::End::Code(0), ""),
            "{name}: {}",
            end.stdout
        );
        assert!(
            end.stdout.contains("no difference but time"),
            "{name}: {}",
            end.stdout
        );
    }
}

#[test]
fn how_the_programs_ended_is_told_where_it_differs() {
    let scratch = tempfile::tempdir().unwrap();
    let program = client("exit_paths");
    let traces = ["destructor", "quick-exit"].map(|mode| {
        let trace = scratch.path().join(format!("{mode}.cutape"));
        finish(&mut record(&trace, "sim", &program, &[mode]));
        trace
    });
    let end = diff(&["--mode", "sequence"], &traces[0], &traces[1]);
    assert_eq!(end.end, support::End::Code(1), "{}", end.stdout);
    assert!(
        end.stdout.contains("! end: exit code 0 -> exit code 6"),
        "{}",
        end.stdout
    );
}

#[test]
fn each_broken_profile_differs_from_the_healthy_one_where_it_breaks() {
    let scratch = tempfile::tempdir().unwrap();
    let program = client("ggml_startup");
    let healthy = scratch.path().join("healthy.cutape");
    finish(&mut record(&healthy, "sim:h100", &program, &[]));
    for (profile, call) in [
        ("shim-uninitialized", "cuMemGetInfo_v2"),
        ("no-device", "cuInit"),
        ("a100", "cuDeviceGetName"),
    ] {
        let broken = scratch.path().join(format!("{profile}.cutape"));
        finish(&mut record(
            &broken,
            format!("sim:{profile}"),
            &program,
            &[],
        ));
        let end = diff(&[], &healthy, &broken);
        assert_eq!(end.end, support::End::Code(1), "{profile}: {}", end.stdout);
        let first = end.stdout.lines().find(|line| line.starts_with("! "));
        assert!(
            first.is_some_and(|line| line.contains(call)),
            "{profile}: expected {call} first: {}",
            end.stdout
        );
    }
}
