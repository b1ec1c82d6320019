//! Every trace in traces/ is what it was when it was recorded, is sound, and reads as its provenance says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// Golden traces are small, so that they can be many.
const MOST_BYTES: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provenance {
    trace: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    crc32: u32,
    format: u32,
    program: String,
    driver: String,
    recorded: String,
    calls: u64,
    failed: u64,
    shows: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces")
}

fn provenance() -> Vec<Entry> {
    let text = fs::read_to_string(folder().join("provenance.toml")).unwrap();
    toml::from_str::<Provenance>(&text).unwrap().trace
}

fn cutape(arguments: &[&str], trace: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_cutape"))
        .args(arguments)
        .arg(trace)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?} {}: {}",
        trace.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_golden_trace_has_its_provenance_and_each_provenance_its_trace() {
    let entries = provenance();
    let told: BTreeSet<String> = entries.iter().map(|entry| entry.file.clone()).collect();
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = files.filter(|name| name.ends_with(".cutape")).collect();
    assert_eq!(told, there);
    assert!(entries.iter().all(|entry| !entry.program.is_empty()
        && !entry.driver.is_empty()
        && !entry.recorded.is_empty()));
}

#[test]
fn golden_traces_are_never_rewritten() {
    for entry in provenance() {
        let bytes = fs::read(folder().join(&entry.file)).unwrap();
        assert!(
            bytes.len() <= MOST_BYTES,
            "{} has {} bytes",
            entry.file,
            bytes.len()
        );
        let found = crc32fast::hash(&bytes);
        assert_eq!(
            found, entry.crc32,
            "{}: expected crc32 {:#010x}, found {found:#010x}",
            entry.file, entry.crc32
        );
    }
}

#[test]
fn golden_traces_read_as_their_provenance_says() {
    for entry in provenance() {
        let path = folder().join(&entry.file);
        assert!(entry.format >= 1);
        cutape(&["verify"], &path);
        let text = cutape(&["print"], &path);
        assert_eq!(text.lines().count() as u64, entry.calls, "{}", entry.file);
        assert!(
            text.lines().any(|line| line.ends_with(&entry.shows)),
            "{} does not show {}",
            entry.file,
            entry.shows
        );
        let info: serde_json::Value =
            serde_json::from_str(&cutape(&["info", "--json"], &path)).unwrap();
        assert_eq!(
            info["failed"].as_u64(),
            Some(entry.failed),
            "{}",
            entry.file
        );
        let lines = cutape(&["print", "--format", "jsonl"], &path);
        assert!(
            lines
                .lines()
                .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
            "{}",
            entry.file
        );
        assert_eq!(
            lines.lines().count() as u64,
            entry.calls + 1,
            "{}: a header and a line for each call",
            entry.file
        );
    }
}
