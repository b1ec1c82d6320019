//! What `print --format jsonl` writes, and that a reader in another language agrees with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use cutape_analysis::json_lines;
use cutape_trace_format::sample_story::{STORY_CALLS, write_story};
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;
use serde_json::Value;

/// A folder for one test, removed when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("cutape-json-lines-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a writable folder for temporary files");
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn lines(path: &Path) -> Vec<String> {
    let trace = Trace::open(path).expect("opens");
    assert!(trace.damages().is_empty(), "{:?}", trace.damages());
    let calls = trace
        .calls()
        .map(|call| json_lines::call(&trace, &call.expect("no damage")));
    std::iter::once(json_lines::header(&trace))
        .chain(calls)
        .collect()
}

/// Folder and sealed file of the story.
fn story(scratch: &Scratch) -> (PathBuf, PathBuf) {
    let (folder, file) = (
        scratch.0.join("folder.cutape"),
        scratch.0.join("file.cutape"),
    );
    write_story(&folder).expect("writes");
    seal(&folder, &file, SealOptions::default(), &mut |_| {}).expect("seals");
    (folder, file)
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn every_line_is_json_and_says_what_happened() {
    let scratch = Scratch::new("lines");
    let (folder, file) = story(&scratch);
    let lines = lines(&folder);
    assert_eq!(lines, self::lines(&file), "a sealed file prints the same");
    assert_eq!(lines.len() as u64, 1 + STORY_CALLS);
    let header = parse(&lines[0]);
    assert_eq!(
        (header["schema"].as_str(), header["version"].as_u64()),
        (Some("cutape.print"), Some(1))
    );
    let of = |api: &str, place: usize| {
        let calls: Vec<Value> = lines[1..]
            .iter()
            .map(|line| parse(line))
            .filter(|call| call["api"] == api)
            .collect();
        calls[place].clone()
    };
    let memory = of("cuMemGetInfo_v2", 0);
    assert_eq!(memory["args"], serde_json::json!({"free": 0, "total": 0}));
    assert_eq!(
        (memory["ret"].as_i64(), memory["ret_name"].as_str()),
        (Some(3), Some("CUDA_ERROR_NOT_INITIALIZED"))
    );
    assert_eq!(memory["caller"]["module"], "/usr/lib/libclient.so");
    assert_eq!(
        (
            memory["pid"].as_u64(),
            memory["t_ns"].as_u64(),
            memory["dur_ns"].as_u64()
        ),
        (Some(100), Some(520_000), Some(400))
    );
    assert_eq!(
        of("cuDeviceGetName", 1)["args"]["name"],
        serde_json::json!({"not_captured": "0x7ffe0100"})
    );
    assert_eq!(
        of("cuMemCreate", 0)["args"]["prop"]["requestedHandleTypes"],
        "POSIX|FABRIC|0x10"
    );
    let unknown = of("cuMemGetInfo_v2", 1);
    assert_eq!(
        unknown["args"],
        serde_json::json!({"free": null, "total": "18446744073709551615"})
    );
    assert_eq!(
        (unknown["ret"].as_i64(), &unknown["ret_name"]),
        (Some(4711), &Value::Null)
    );
    let in_flight = of("cuMemGetInfo_v2", 2);
    assert_eq!(
        (
            &in_flight["in_flight"],
            &in_flight["dur_ns"],
            &in_flight["ret"]
        ),
        (&Value::Bool(true), &Value::Null, &Value::Null)
    );
}

#[test]
fn arguments_come_in_the_order_of_the_prototype() {
    let scratch = Scratch::new("order");
    let (folder, _) = story(&scratch);
    let lines = lines(&folder);
    let launch = lines
        .iter()
        .find(|line| line.contains("cuLaunchKernel"))
        .expect("is there");
    let places: Vec<_> = [
        "\"f\":",
        "\"gridDimX\":",
        "\"blockDimX\":",
        "\"hStream\":",
        "\"extra\":",
    ]
    .iter()
    .map(|key| launch.find(key).expect("is there"))
    .collect();
    assert!(places.is_sorted(), "{launch}");
}

/// A trace written by format version 1, and what it says; neither is ever rewritten.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../trace-format/tests/golden")
        .join(name)
}

#[test]
fn a_trace_of_format_version_1_is_read_as_it_always_was() {
    let expected = std::fs::read_to_string(golden("format-1.jsonl")).expect("reads");
    let found = lines(&golden("format-1.cutape"));
    assert_eq!(found.len(), expected.lines().count());
    for (found, expected) in found.iter().zip(expected.lines()) {
        assert_eq!(parse(found), parse(expected));
    }
}

#[test]
#[ignore = "writes the golden files of a new format version; run it once, after raising the version"]
fn write_golden_files() {
    let scratch = Scratch::new("golden");
    let (_, file) = story(&scratch);
    let version = cutape_trace_format::block::FORMAT_VERSION;
    let (trace, text) = (
        golden(&format!("format-{version}.cutape")),
        golden(&format!("format-{version}.jsonl")),
    );
    assert!(!trace.exists(), "golden files are never rewritten");
    std::fs::copy(&file, trace).expect("copies");
    std::fs::write(text, lines(&file).join("\n") + "\n").expect("writes");
}

#[test]
fn the_reader_in_python_prints_the_same_lines() {
    let python = std::env::var_os("CUTAPE_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let has_packages = Command::new(&python)
        .args(["-c", "import msgpack, zstandard"])
        .output();
    if !has_packages.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: needs Python with msgpack and zstandard; name one in CUTAPE_TEST_PYTHON"
        );
        return;
    }
    let scratch = Scratch::new("python");
    let (_, file) = story(&scratch);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/read_trace.py");
    let output = Command::new(&python)
        .arg(script)
        .arg(&file)
        .output()
        .expect("runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let ours = lines(&file);
    assert_eq!(printed.lines().count(), ours.len());
    for (theirs, ours) in printed.lines().zip(&ours) {
        assert_eq!(theirs, ours);
    }
}
