//! A reader in Python that has none of our code, only docs/format.md, reads every call as `cutape print --format jsonl` does.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutape_test_clients::{find_or_skip, python};

fn golden_traces() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("traces"), root.join("trace-format/tests/golden")];
    let files = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "cutape")
        })
        .collect()
}

fn stdout_of(command: &mut Command) -> Vec<u8> {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}

#[test]
fn python_reads_every_golden_trace_to_the_same_lines() {
    let (Some(msgpack), Some(zstandard)) = (find_or_skip("msgpack"), find_or_skip("zstandard"))
    else {
        return;
    };
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/read_trace.py");
    let packages = env::join_paths([msgpack, zstandard]).unwrap();
    let traces = golden_traces();
    assert!(traces.len() >= 4, "{traces:?}");
    for trace in traces {
        let ours = stdout_of(
            Command::new(env!("CARGO_BIN_EXE_cutape"))
                .args(["print", "--format", "jsonl"])
                .arg(&trace),
        );
        let theirs = stdout_of(
            Command::new(python::interpreter())
                .arg(&reader)
                .arg(&trace)
                .env("PYTHONPATH", &packages),
        );
        let (ours, theirs) = (
            String::from_utf8(ours).unwrap(),
            String::from_utf8(theirs).unwrap(),
        );
        for (number, (our, their)) in ours.lines().zip(theirs.lines()).enumerate() {
            assert_eq!(our, their, "{}, line {}", trace.display(), number + 1);
        }
        assert_eq!(
            ours.lines().count(),
            theirs.lines().count(),
            "{}",
            trace.display()
        );
    }
}
