//! Exports are read by the tools that they are for: by Perfetto's own schema, and by DuckDB as docs/export.md says.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutape_test_clients::{find_or_skip, python};
use cutape_trace_format::sample_story::write_story;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden(name: &str) -> PathBuf {
    root().join("traces").join(name)
}

/// Exports a trace and returns the file.
fn export(trace: &Path, to: &str, folder: &Path) -> PathBuf {
    let file = folder.join(format!("calls.{to}"));
    let status = Command::new(env!("CARGO_BIN_EXE_cutape"))
        .args(["export", "--to", to, "-o"])
        .arg(&file)
        .arg(trace)
        .status()
        .unwrap();
    assert!(status.success(), "{} to {to}: {status}", trace.display());
    file
}

fn python_output(script: &[&str], packages: &[PathBuf], folder: &Path) -> String {
    let output = Command::new(python::interpreter())
        .args(script)
        .env("PYTHONPATH", env::join_paths(packages).unwrap())
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{script:?}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn perfetto(trace: &Path) -> Option<Value> {
    let packages = find_or_skip("perfetto")?;
    let folder = tempfile::tempdir().unwrap();
    let file = export(trace, "perfetto", folder.path());
    let script = root().join("tests/python/check_perfetto.py");
    let arguments = [script.to_str().unwrap(), file.to_str().unwrap()];
    let text = python_output(&arguments, &[packages], folder.path());
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn perfetto_reads_what_a_real_program_did_with_its_streams() {
    let Some(read) = perfetto(&golden("ggml-backend-on-h100.cutape")) else {
        return;
    };
    assert_eq!(read["clock"], 3, "CLOCK_MONOTONIC");
    assert_eq!(read["processes"], serde_json::json!(["ggml_backend"]));
    let slices = read["slices"].as_array().unwrap();
    assert_eq!(slices.len(), 692);
    assert!(slices.iter().all(|slice| !slice["end"].is_null()));
    let launch = slices
        .iter()
        .find(|slice| slice["name"] == "cuLaunchKernelEx")
        .unwrap();
    assert_eq!(launch["args"]["config"]["gridDimX"], 4);
    assert_eq!(launch["args"]["config"]["hStream"], "stream#1");
    assert_eq!(launch["args"]["ret"], "CUDA_SUCCESS (0)");
    let failed = slices.iter().filter(|slice| {
        let categories = slice["categories"].as_array().unwrap();
        categories.iter().any(|category| category == "failed")
    });
    let failed: Vec<&Value> = failed.collect();
    assert!(
        failed
            .iter()
            .all(|slice| slice["args"]["ret"] != "CUDA_SUCCESS (0)")
    );
    assert!(!failed.is_empty());
    let marks = read["marks"].as_array().unwrap();
    let on_stream = marks.iter().filter(|mark| mark["track"] == "stream#1");
    let names: Vec<&str> = on_stream
        .map(|mark| mark["name"].as_str().unwrap())
        .collect();
    assert!(names[0].starts_with("_Z11k_bin_bcast"), "{names:?}");
    assert_eq!(
        names[1..],
        ["cuGraphLaunch"; 4],
        "the captured launch is not on the stream"
    );
    assert_eq!(
        read["counters"]["device memory allocated"],
        serde_json::json!([12288, 0])
    );
    assert_eq!(read["arrows"], 10);
}

#[test]
fn calls_that_never_returned_have_no_end_in_perfetto() {
    let folder = tempfile::tempdir().unwrap();
    let story = folder.path().join("story.cutape");
    write_story(&story).unwrap();
    let Some(read) = perfetto(&story) else {
        return;
    };
    assert_eq!(read["processes"].as_array().unwrap().len(), 2);
    let slices = read["slices"].as_array().unwrap();
    let open: Vec<&Value> = slices
        .iter()
        .filter(|slice| slice["end"].is_null())
        .collect();
    assert!(!open.is_empty());
    assert!(
        open.iter()
            .all(|slice| slice["args"]["ret"] == "? <in flight>")
    );
}

#[test]
fn perfetto_reads_every_golden_trace() {
    let mut traces = fs::read_dir(root().join("traces")).unwrap();
    while let Some(Ok(entry)) = traces.next() {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".cutape") && perfetto(&golden(&name)).is_none() {
            return;
        }
    }
}

/// The queries of docs/export.md for DuckDB, in order.
fn documented_queries() -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/export.md")).unwrap();
    let (_, section) = text.split_once("\n## DuckDB\n").unwrap();
    let blocks = section.split("```sql\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// What DuckDB answers to the queries of docs/export.md about a golden trace.
fn duckdb_answers(trace: &str, packages: &Path) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    export(&golden(trace), "csv", folder.path());
    export(&golden(trace), "jsonl", folder.path());
    let queries = documented_queries();
    assert_eq!(queries.len(), 3);
    let program = "import duckdb, json, sys\nfor query in sys.argv[1:]: print(json.dumps(duckdb.sql(query).fetchall(), default=str))";
    let mut arguments = vec!["-c", program];
    arguments.extend(queries.iter().map(String::as_str));
    let text = python_output(&arguments, &[packages.to_owned()], folder.path());
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn duckdb_answers_the_documented_queries() {
    let Some(packages) = find_or_skip("duckdb") else {
        return;
    };
    let answers = duckdb_answers("ggml-backend-on-h100.cutape", &packages);
    assert_eq!(
        answers[0][0][0], "cuLibraryLoadData",
        "the slowest function"
    );
    assert_eq!(answers[0].as_array().unwrap().len(), 10);
    let allocation = answers[1].as_array().unwrap();
    assert_eq!(allocation.first().unwrap()[1], "cuMemAlloc_v2");
    assert_eq!(allocation.last().unwrap()[1], "cuMemFree_v2");
    let asked = answers[2].as_array().unwrap();
    assert_eq!(asked.len(), 10);
    assert!(
        asked.iter().all(|row| {
            row[0].as_str().unwrap().starts_with("lib")
                && row[1].as_str().unwrap().starts_with("CU_DEVICE_ATTRIBUTE_")
                && row[2].as_str().unwrap().parse::<i32>().is_ok()
        }),
        "{asked:?}"
    );
    // Arguments of this one have names that differ in case only.
    let answers = duckdb_answers("cudart-12.9-on-535-without-gpu.cutape", &packages);
    assert_eq!(answers[0][0][0], "cuInit");
}
