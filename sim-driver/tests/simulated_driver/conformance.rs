//! The conformance client's output, line by line: without a GPU it must be what NVIDIA's own library answers, with one it must stay
//! what it is.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::library_path;

/// Compiles a client, under a name of its own for each test because tests run in parallel.
pub fn compile(source: &Path, name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let status = Command::new(&compiler)
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-o"])
        .args([&program, source])
        .arg("-ldl")
        .status()
        .unwrap_or_else(|error| {
            panic!("a C compiler is needed, and `{compiler}` could not be run: {error}")
        });
    assert!(status.success(), "{} does not compile", source.display());
    program
}

/// Runs a section of the conformance client over a library, and compares.
pub fn compare_library(library: &Path, section: &str, golden: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/conformance.c");
    let name = library
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    let output = Command::new(compile(&source, &format!("conformance-{section}-{name}")))
        .args([library.as_os_str(), section.as_ref()])
        .env(
            "CUTAPE_SIM_PROFILE",
            if section == "device" { "h100" } else { section },
        )
        .env_remove("CUDA_VISIBLE_DEVICES")
        .env_remove("CUDA_MODULE_LOADING")
        .output()
        .expect("the client runs");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/simulated_driver/golden")
        .join(golden);
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let expected: Vec<_> = expected
        .lines()
        .filter(|line| !line.starts_with("## "))
        .collect();
    let found = String::from_utf8_lossy(&output.stdout);
    let found: Vec<_> = found.lines().collect();
    for (number, (expected, found)) in expected.iter().zip(&found).enumerate() {
        assert_eq!(
            found,
            expected,
            "line {} of {golden}, without its ## lines",
            number + 1
        );
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "the client ended with {}",
        output.status
    );
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn without_a_gpu_it_answers_as_nvidia_s_own_library_does() {
    compare_library(&library_path(), "no-device", "no-device-535.txt");
}

#[test]
fn with_a_gpu_it_answers_as_it_did() {
    compare_library(&library_path(), "device", "device-h100.txt");
}
