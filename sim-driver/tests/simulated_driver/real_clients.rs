//! Real software on the simulated driver. What is not in the user's cache of clients is skipped, and said so.

use std::path::Path;
use std::process::Command;

use cutape_test_clients::real;

use crate::conformance;
use crate::driver::library_path;

/// A folder in which the simulated driver is `libcuda.so.1`.
fn driver_folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let link = folder.join("libcuda.so.1");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(library_path(), &link).expect("a symbolic link");
    folder
}

/// What the runtime client prints over the simulated driver with a profile.
fn run_runtime(runtime: &Path, profile: &str) -> String {
    let name = format!(
        "{}-{profile}",
        runtime.file_name().unwrap_or_default().to_string_lossy()
    );
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/runtime.c");
    let output = Command::new(conformance::compile(&source, &name))
        .arg(runtime)
        .env("CUTAPE_SIM_PROFILE", profile)
        .env("LD_LIBRARY_PATH", driver_folder(&format!("{name}-driver")))
        .env_remove("CUDA_VISIBLE_DEVICES")
        .output()
        .expect("the client runs");
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const WORKS: &str = "cudaGetDeviceCount 0, 1
cudaMemGetInfo 0, 83751862272 of 85899345920
cudaMalloc 0
cudaMemcpy 0 0, came back
cudaStream 0 0 0
cudaEvent 0 0 0 0, time is not negative
cudaMallocAsync 0 0 0
cudaMallocHost 0 0
cudaFree 0
cudaDeviceReset 0, then cudaMalloc 0
cudaDeviceSynchronize 0
";

#[test]
fn the_runtime_of_cuda_12_9_works() {
    if let Some(runtime) = real::cudart_12() {
        assert_eq!(run_runtime(&runtime, "h100"), WORKS);
    }
}

#[test]
fn the_runtime_of_cuda_13_5_works() {
    if let Some(runtime) = real::cudart_13() {
        assert_eq!(run_runtime(&runtime, "h100"), WORKS);
    }
}

#[test]
fn the_runtime_shows_what_the_seed_s_shim_does() {
    if let Some(runtime) = real::cudart_12() {
        let printed = run_runtime(&runtime, "shim-uninitialized");
        assert!(
            printed.contains("cudaMemGetInfo 3, 0 of 0\ncudaMalloc 0\n"),
            "{printed}"
        );
    }
}

#[test]
fn nvidia_s_library_answers_what_the_golden_file_says() {
    if let Some(folder) = real::driver_folder() {
        conformance::compare_library(
            &folder.join("libcuda.so.1"),
            "no-device",
            "no-device-535.txt",
        );
    }
}
