//! Replaying recordings of real software: NVIDIA's own library without a GPU, and llama.cpp's CUDA backend with its images and kernels.

mod support;

use std::path::Path;

use cutape_test_clients::real::{self, LlamaCpp};
use cutape_test_clients::skip;
use support::{End, Finished, client, cutape, finish, record};

fn replay(trace: &Path, driver: &str) -> Finished {
    let mut command = cutape(["replay"]);
    finish(command.arg(trace).args(["--driver", driver]))
}

#[test]
fn nvidias_driver_without_a_gpu_conforms_to_itself_and_the_simulated_one_answers_better() {
    if Path::new("/proc/driver/nvidia").exists() {
        skip("this machine has a GPU, the answers expected are those without one");
        return;
    }
    let Some(folder) = real::driver_folder() else {
        return;
    };
    let driver = folder.join("libcuda.so.1");
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("conformance.cutape");
    let arguments = ["libcuda.so.1", "no-device"];
    let recorded = finish(&mut record(
        &trace,
        &driver,
        &client("conformance"),
        &arguments,
    ));
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    let itself = replay(&trace, driver.to_str().unwrap());
    assert_eq!(
        itself.end,
        End::Code(0),
        "{}{}",
        itself.stdout,
        itself.stderr
    );
    assert!(itself.stdout.contains("\nconforms"), "{}", itself.stdout);

    let startup = scratch.path().join("startup.cutape");
    let recorded = finish(&mut record(&startup, &driver, &client("ggml_startup"), &[]));
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    let better = replay(&startup, "sim");
    assert!(
        better.stdout.contains("fixed: #1 cuInit 100 -> 0"),
        "{}",
        better.stdout
    );
    assert!(!better.stdout.contains("regressed:"), "{}", better.stdout);
}

#[test]
fn ggmls_backend_with_its_images_and_kernels_is_played_to_the_last_call() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("ggml.cutape");
    let mut command = cutape(["record", "--driver", "sim", "-o"]);
    command.arg(&trace).arg("--");
    llama.add_backend(&mut command);
    let recorded = finish(&mut command);
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    let report = replay(&trace, "sim");
    assert_eq!(
        report.end,
        End::Code(0),
        "{}{}",
        report.stdout,
        report.stderr
    );
    assert!(!report.stdout.contains("skipped"), "{}", report.stdout);
    let fixed = replay(&trace, "sim:shim-uninitialized");
    assert_eq!(fixed.end, End::Code(1));
    let first = fixed.stdout.lines().nth(2).unwrap_or_default();
    assert!(
        first.starts_with("regressed: #621 cuMemGetInfo_v2 0 -> 3"),
        "{}",
        fixed.stdout
    );
}
