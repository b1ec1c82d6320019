//! `cutape diff` as users run it: what it prints and how it ends, on golden traces and on damaged, cut and empty ones.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::sample_story::write_story;
use cutape_trace_format::seal::{SealOptions, seal};

fn golden(name: &str) -> PathBuf {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    traces.join(format!("{name}.cutape"))
}

fn diff(options: &[&str], a: &Path, b: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cutape"))
        .arg("diff")
        .args(options)
        .args([a, b])
        .stdin(Stdio::null())
        .output()
        .expect("runs")
}

/// Exit code, standard output and standard error.
fn run(options: &[&str], a: &Path, b: &Path) -> (Option<i32>, String, String) {
    let output = diff(options, a, b);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("is UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn json(options: &[&str], a: &Path, b: &Path) -> serde_json::Value {
    let (_, text, error) = run(&[&["--json"], options].concat(), a, b);
    serde_json::from_str(&text).unwrap_or_else(|problem| panic!("{problem}: {text} {error}"))
}

#[test]
fn a_trace_is_the_same_as_itself() {
    for name in ["ggml-backend-on-h100", "pytorch-on-shim-uninitialized"] {
        let path = golden(name);
        let (code, text, error) = run(&[], &path, &path);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{text}");
        assert!(text.contains("no difference but time"), "{text}");
        assert_eq!(
            run(&["-q"], &path, &path),
            (Some(0), String::new(), String::new())
        );
        for mode in ["sequence", "profile"] {
            let (code, text, _) = run(&["--mode", mode], &path, &path);
            assert_eq!(code, Some(0), "{text}");
        }
    }
}

#[test]
fn the_first_difference_of_a_broken_and_a_healthy_run_is_named() {
    let (healthy, broken) = (
        golden("ggml-backend-on-h100"),
        golden("ggml-backend-on-shim-uninitialized"),
    );
    let (code, text, error) = run(&[], &healthy, &broken);
    assert_eq!((code, error.as_str()), (Some(1), ""));
    assert!(
        text.contains("sequence: both are runs of ggml_backend"),
        "{text}"
    );
    let first = text.lines().find(|line| {
        line.starts_with(['!', '-', '+']) && !line.starts_with("---") && !line.starts_with("+++")
    });
    assert_eq!(
        first,
        Some(
            "! 621 621  cuMemGetInfo_v2: free 83751862272 (78 GiB) -> 0, total 85899345920 (80 GiB) -> 0, \
             CUDA_SUCCESS (0) -> CUDA_ERROR_NOT_INITIALIZED (3)"
        ),
        "{text}"
    );
    assert!(
        text.ends_with("1 call changed, 70 calls only in A; 621 calls the same\n"),
        "{text}"
    );
    // The other way round, what A had is what B has.
    let (code, text, _) = run(&[], &broken, &healthy);
    assert_eq!(code, Some(1));
    assert!(text.contains("free 0 -> 83751862272 (78 GiB)"), "{text}");
    assert!(
        text.ends_with("1 call changed, 70 calls only in B; 621 calls the same\n"),
        "{text}"
    );
}

#[test]
fn one_broken_driver_and_two_programs_name_the_call_that_one_tolerates() {
    let (torch, ggml) = (
        golden("pytorch-on-shim-uninitialized"),
        golden("ggml-backend-on-shim-uninitialized"),
    );
    let (code, text, error) = run(&[], &torch, &ggml);
    assert_eq!((code, error.as_str()), (Some(1), ""));
    assert!(text.contains("profile: two programs"), "{text}");
    assert!(
        text.contains("both got CUDA_ERROR_NOT_INITIALIZED (3) from cuMemGetInfo_v2 (call 650 of A, call 621 of B)"),
        "{text}"
    );
    assert!(
        text.contains("PyTorch went on: 36 calls followed")
            && text
                .contains("so cuMemGetInfo_v2 is the call that PyTorch tolerates and GGML doesn't"),
        "{text}"
    );
    assert!(
        text.contains("GGML gave the device up: 1 call followed (cuDevicePrimaryCtxRelease)"),
        "{text}"
    );
    let object = json(&[], &torch, &ggml);
    let failure = &object["profile"]["shared_failures"][0];
    assert_eq!(
        (
            &failure["told_apart"],
            &failure["a"]["api"],
            &failure["a"]["went_on"],
            &failure["b"]["went_on"]
        ),
        (
            &true.into(),
            &"cuMemGetInfo_v2".into(),
            &true.into(),
            &false.into()
        )
    );
}

#[test]
fn json_says_what_changed_argument_by_argument() {
    let object = json(
        &[],
        &golden("ggml-startup-on-shim-uninitialized"),
        &golden("ggml-startup-on-shim-fixed"),
    );
    assert_eq!(
        (&object["schema"], &object["version"]),
        (&"cutape.diff".into(), &1.into())
    );
    assert_eq!(
        (&object["verdict"], &object["mode"]),
        (&"differ".into(), &"sequence".into())
    );
    let differences = object["sequence"]["differences"]
        .as_array()
        .expect("is a list");
    assert_eq!(differences.len(), 1);
    let row = &differences[0]["rows"][0];
    assert_eq!(
        (&row["a"], &row["b"], &row["kind"]),
        (&16.into(), &16.into(), &"changed".into())
    );
    let free = &row["change"]["arguments"][0];
    assert_eq!(
        (&free["name"], &free["a"], &free["b"], &free["differs"]),
        (
            &"free".into(),
            &"0".into(),
            &"83751862272 (78 GiB)".into(),
            &true.into()
        )
    );
    let answer = &row["change"]["answer"];
    assert_eq!(
        (&answer["a"], &answer["b"]),
        (
            &"CUDA_ERROR_NOT_INITIALIZED (3)".into(),
            &"CUDA_SUCCESS (0)".into()
        )
    );
}

#[test]
fn stat_counts_by_function() {
    let (code, text, _) = run(
        &["--stat"],
        &golden("ggml-startup-on-shim-uninitialized"),
        &golden("ggml-startup-on-shim-fixed"),
    );
    assert_eq!(code, Some(1));
    let row = text.lines().find(|line| line.ends_with("cuMemGetInfo_v2"));
    let cells: Vec<&str> = row.expect("has the function").split_whitespace().collect();
    assert_eq!(cells, ["0", "1", "1", "0", "0", "cuMemGetInfo_v2"]);
    let (_, text, _) = run(
        &["--stat"],
        &golden("pytorch-on-shim-uninitialized"),
        &golden("ggml-backend-on-shim-uninitialized"),
    );
    let row = text.lines().find(|line| line.ends_with("cuMemAlloc"));
    let cells: Vec<&str> = row.expect("has the function").split_whitespace().collect();
    assert_eq!(cells, ["1", "0", "0", "0", "cuMemAlloc"]);
}

#[test]
fn quiet_says_one_line_and_wrong_options_are_trouble() {
    let (a, b) = (
        golden("ggml-startup-on-shim-uninitialized"),
        golden("ggml-startup-on-shim-fixed"),
    );
    let (code, text, _) = run(&["-q"], &a, &b);
    assert_eq!((code, text.lines().count()), (Some(1), 1));
    assert!(text.ends_with(" differ\n"), "{text}");
    assert_eq!(run(&["--mode", "sideways"], &a, &b).0, Some(2));
    assert_eq!(run(&["-q", "--json"], &a, &b).0, Some(2));
    let (code, _, error) = run(&[], &a, Path::new("/nonexistent.cutape"));
    assert_eq!(code, Some(2));
    assert!(
        error.starts_with("cutape: /nonexistent.cutape: "),
        "{error}"
    );
}

#[test]
fn a_folder_is_the_same_as_the_file_made_of_it() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, file) = (
        scratch.path().join("story.cutape"),
        scratch.path().join("sealed.cutape"),
    );
    write_story(&folder).unwrap();
    seal(&folder, &file, SealOptions::default(), &mut |_| {}).unwrap();
    let (code, text, error) = run(&[], &folder, &file);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{text}");
    assert!(
        text.contains("process 101") || text.contains(" = process "),
        "{text}"
    );
}

#[test]
fn a_trace_without_calls_differs_from_one_with_calls_and_not_from_itself() {
    let scratch = tempfile::tempdir().unwrap();
    let empty = scratch.path().join("empty.cutape");
    drop(SampleRecording::create(&empty).unwrap());
    let (code, text, error) = run(&[], &empty, &empty);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{text}");
    let full = golden("ggml-startup-on-shim-fixed");
    let (code, text, _) = run(&[], &empty, &full);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("16 calls only in B"), "{text}");
    let file = scratch.path().join("nothing");
    std::fs::write(&file, b"").unwrap();
    let (code, _, error) = run(&[], &file, &full);
    assert_eq!(code, Some(2));
    assert!(error.contains("the file is empty"), "{error}");
}

#[test]
fn ignored_calls_are_left_out_and_counted() {
    let (a, b) = (
        golden("ggml-startup-on-shim-uninitialized"),
        golden("ggml-startup-on-shim-fixed"),
    );
    let (code, text, error) = run(&["--ignore", "cuMemGetInfo*"], &a, &b);
    assert_eq!((code, error.as_str()), (Some(0), ""), "{text}");
    assert!(text.contains("A: calls left out: 1 by --ignore"), "{text}");
    let (code, _, error) = run(&["--ignore", "cuMem* and"], &a, &b);
    assert_eq!(code, Some(2));
    assert!(error.starts_with("cutape: --ignore: expected "), "{error}");
    let (code, _, error) = run(&["--ignore", "api == cuMemGetInf"], &a, &b);
    assert_eq!(code, Some(1));
    assert!(error.contains("warning: --ignore: "), "{error}");
}

#[test]
fn two_programs_on_two_drivers_are_told_what_was_answered_differently() {
    let (_, text, _) = run(
        &[],
        &golden("cudart-12.9-on-535-without-gpu"),
        &golden("ggml-backend-on-h100"),
    );
    let answers: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "same question, another answer")
        .skip(1)
        .take(2)
        .collect();
    assert_eq!(
        answers,
        [
            "! 421 1  cuDriverGetVersion(): driverVersion=12020 (12.2) -> driverVersion=13050 (13.5)",
            "! 422 484  cuInit(Flags=0): CUDA_ERROR_NO_DEVICE (100) -> CUDA_SUCCESS (0)",
        ],
        "{text}"
    );
}
