//! `cutape replay` of what belongs to calls: copied data with gaps between rows, by addresses of either side, and to the host at a later time; graphs in
//! conditional nodes; large arguments of kernels.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{End, Finished, client, cutape, finish};

fn recorded(folder: &Path, payload: &str) -> PathBuf {
    let trace = folder.join(format!("{payload}.cutape"));
    let mut command = cutape(["record", "--driver", "sim", "--payload", payload, "-o"]);
    let recorded = finish(command.arg(&trace).arg("--").arg(client("copies")));
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    let wrong = [": 1\n", ": 2\n", ": -1\n"];
    let is_well = !wrong.iter().any(|end| recorded.stdout.contains(end));
    assert!(is_well, "{}", recorded.stdout);
    trace
}

/// On a driver of which these functions say that they copy, and don't.
fn replay(trace: &Path, copies_nothing: &[&str]) -> Finished {
    let profile = trace.with_extension("toml");
    let fault = format!("[[fault]]\nfunction = {copies_nothing:?}\nerror = 0\n");
    let fault = if copies_nothing.is_empty() {
        ""
    } else {
        &fault
    };
    fs::write(&profile, format!("extends = \"h100\"\n{fault}")).unwrap();
    let driver = format!("sim:{}", profile.display());
    finish(cutape(["replay"]).arg(trace).args(["--driver", &driver]))
}

fn assert_line(report: &Finished, start: &str) {
    let found = report.stdout.lines().any(|line| line.starts_with(start));
    assert!(found, "no line {start:?} in\n{}", report.stdout);
}

#[test]
fn copied_data_conforms_on_the_driver_that_it_was_recorded_on() {
    let scratch = tempfile::tempdir().unwrap();
    let report = replay(&recorded(scratch.path(), "full"), &[]);
    assert_eq!(report.end, End::Code(0), "{}", report.stdout);
    assert_line(
        &report,
        "copies to the host whose data was not compared: 2 calls",
    );
    assert_line(&report, "       1  never-waited-for (");
    assert_line(&report, "       1  overwritten (");
}

#[test]
fn a_driver_that_leaves_rows_out_is_told_at_the_copy_that_brings_them() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = recorded(scratch.path(), "full");
    let report = replay(&trace, &["cuMemcpy2D_v2"]);
    assert_eq!(report.end, End::Code(1), "{}", report.stdout);
    assert_line(&report, "changed: #7 cuMemcpy2D_v2 pCopy other data");
    let report = replay(&trace, &["cuMemcpy3D_v2"]);
    assert_line(&report, "changed: #13 cuMemcpy3D_v2 pCopy other data");
    let report = replay(&trace, &["cuMemcpy"]);
    assert_line(&report, "changed: #18 cuMemcpy dst other data");
}

#[test]
fn data_that_comes_later_is_judged_where_the_program_has_waited_for_it() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = recorded(scratch.path(), "full");
    let report = replay(&trace, &["cuMemcpyDtoHAsync_v2"]);
    assert_eq!(report.end, End::Code(1), "{}", report.stdout);
    for line in [
        "changed: #29 cuStreamSynchronize dstHost other data, brought by call 26, cuMemcpyDtoHAsync_v2",
        "changed: #33 cuEventSynchronize dstHost other data, brought by call 30, cuMemcpyDtoHAsync_v2",
        "changed: #37 cuStreamSynchronize dstHost other data, brought by call 34, cuMemcpyDtoHAsync_v2",
    ] {
        assert_line(&report, line);
    }
    let report = replay(&trace, &["cuMemcpy2DAsync_v2"]);
    let line =
        "changed: #11 cuStreamSynchronize pCopy other data, brought by call 10, cuMemcpy2DAsync_v2";
    assert_line(&report, line);
    let report = replay(&trace, &["cuMemcpyAsync"]);
    let line = "changed: #20 cuCtxSynchronize dst other data, brought by call 19, cuMemcpyAsync";
    assert_line(&report, line);
}

#[test]
fn without_data_in_the_recording_nothing_is_said_of_it() {
    let scratch = tempfile::tempdir().unwrap();
    let report = replay(&recorded(scratch.path(), "modules"), &["cuMemcpy2D_v2"]);
    assert_eq!(report.end, End::Code(0), "{}", report.stdout);
    assert!(!report.stdout.contains("not compared"), "{}", report.stdout);
}

#[test]
fn a_graph_inside_a_conditional_node_is_found_again() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("conditional.cutape");
    let mut command = cutape(["record", "--driver", "sim", "--payload", "full", "-o"]);
    let recorded = finish(command.arg(&trace).arg("--").arg(client("conditional")));
    assert!(
        recorded.stdout.ends_with("found: 7\n"),
        "{}",
        recorded.stdout
    );
    let report = replay(&trace, &[]);
    assert_eq!(report.end, End::Code(0), "{}", report.stdout);
    // The data that the graph has brought is compared, too.
    let report = replay(&trace, &["cuGraphLaunch"]);
    assert_line(&report, "changed: #13 cuMemcpyDtoH_v2 dstHost other data");
}

#[test]
fn arguments_of_many_kilobytes_are_recorded_and_played() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("large.cutape");
    let mut command = cutape(["record", "--driver", "sim", "-o"]);
    let program = client("large_parameters");
    let recorded = finish(command.arg(&trace).arg("--").arg(program));
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    let shown = finish(cutape(["print"]).arg(&trace).args(["-e", "cuLaunch*"]));
    let both = shown.stdout.matches(", dptr#1, 1234567]").count();
    assert_eq!(both, 2, "{}", shown.stdout);
    let report = replay(&trace, &[]);
    assert_eq!(report.end, End::Code(0), "{}", report.stdout);
    assert!(!report.stdout.contains("not played"), "{}", report.stdout);
}
