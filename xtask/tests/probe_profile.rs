//! `cargo xtask probe-profile`: what it writes is a profile, and says what the probed driver says.

use std::path::Path;
use std::process::{Command, Output};

fn probe(driver: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutape-xtask"));
    command
        .args(["probe-profile", "--driver", driver])
        .env_remove("CUDA_VISIBLE_DEVICES");
    command.output().expect("xtask runs")
}

fn profile_of(driver: &str) -> String {
    let output = probe(driver);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{driver}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_probed_profile_simulates_the_gpu_that_was_probed() {
    for profile in ["h100", "t4", "two-gpu", "integrated"] {
        let text = profile_of(&format!("sim:{profile}"));
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("probed-{profile}.toml"));
        std::fs::write(&file, &text).expect("a temporary file");
        assert_eq!(
            profile_of(&format!("sim:{}", file.display())),
            text,
            "{profile}"
        );
    }
}

#[test]
fn the_profile_names_what_the_driver_answers() {
    let text = profile_of("sim:two-gpu");
    for line in [
        "name = \"NVIDIA H100 80GB HBM3\"",
        "count = 2",
        "compute_capability = \"9.0\"",
        "total_memory = \"80 GiB\"",
        "free_memory = \"78 GiB\"",
        "cuda_version = \"13.5\"",
        "driver_version = \"595.99\"",
        "uuid = \"GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a60\"",
        "pci = \"0000:19:00.0\"",
        "multiprocessor_count = 132",
        "power_limit_mw = 700000",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

#[test]
fn a_driver_that_does_not_start_is_told_with_its_code() {
    let output = probe("sim:no-device");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("CUDA_ERROR_NO_DEVICE (100)"), "{errors}");
    let output = probe("/nowhere/libcuda.so.1");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("--driver sim simulates one"), "{errors}");
}
