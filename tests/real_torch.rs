//! PyTorch on the simulated GPU, alone and recorded: tests/clients/pytorch_startup.py, whose steps print what they got.

mod support;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutape_test_clients::{find_or_skip, programs, python};
use support::{End, Finished, Recorded, cutape, finish};

/// One PyTorch at a time: each takes seconds and all cores to start, and side by side they near the limit after which a program counts as
/// hanging.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What each step prints on the profile h100, as PyTorch prints it on that GPU. Kernels are accepted and not executed, so nothing here
/// depends on what a kernel computes.
const ON_H100: &[(&str, &str)] = &[
    ("available", "True, devices 1"),
    ("initialized", "True, current device 0"),
    (
        "properties",
        "NVIDIA H100 80GB HBM3, 9.0, 81920 MiB, 132 multiprocessors, L2 50 MiB, 5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a60",
    ),
    ("memory_info", "total 81920 MiB, free 97 %"),
    ("copies", "equal True, a copy of its own True"),
    ("copies_of_all_types", "8 of 8"),
    ("copies_on_the_device", "clone True, part True"),
    ("pinned_memory", "pinned True True, came back True"),
    ("streams", "different True, done True True, came back True"),
    ("events", "done True True, time is not negative True, True"),
    ("allocator", "held 8 MiB, kept True, after empty_cache True"),
    (
        "out_of_memory",
        "OutOfMemoryError, and copies still work True: CUDA out of memory",
    ),
    ("memory_summary", "47 lines, tells what is allocated True"),
    ("libraries", "cuDNN True, compiled for CUDA 13.2"),
    ("products", "accepted 4, shapes [(64, 16)]"),
    ("network", "one training step accepted, parameters 72234"),
    (
        "libraries_of_nvidia",
        "cuFFT, cuDNN, cuSPARSE and cuSOLVER accepted",
    ),
    ("graph", "captured and replayed, (1000,)"),
    ("green_context", "32 multiprocessors, came back True"),
    ("loader_fork", "64 of 64, in order True"),
    ("loader_spawn", "64 of 64, in order True"),
    ("processes", "exit codes [0, 0], came back [True, True]"),
    (
        "forked_after_init",
        "Cannot re-initialize CUDA in forked subprocess",
    ),
];

/// The command followed by the script with these steps, if PyTorch is in the user's cache.
fn with_torch(mut command: Command, steps: &[&str]) -> Option<Command> {
    let torch = find_or_skip("torch")?;
    command
        .arg(python::interpreter())
        .arg(programs::python_script("pytorch_startup"))
        .args(steps)
        .env("PYTHONPATH", torch);
    Some(command)
}

/// What the steps print on a profile.
fn on_profile(profile: &str, steps: &[&str]) -> Option<Finished> {
    let command = cutape(["sim", "--profile", profile, "--"]);
    with_torch(command, steps).map(|mut command| finish(&mut command))
}

fn expected(steps: &[(&str, &str)]) -> String {
    steps
        .iter()
        .map(|(step, outcome)| format!("{step}: {outcome}\n"))
        .collect()
}

#[test]
fn it_starts_copies_and_works_with_processes_and_recording_changes_nothing() {
    let _alone = alone();
    let Some(run) = alone_and_recorded(ON_H100) else {
        return;
    };
    let trace = &run.trace;
    trace.assert_nothing_lost();
    // The script itself, and the two children of the step `processes`; workers of a loader do not touch the driver.
    let processes = trace.trace.processes().len();
    assert!(processes >= 3, "{processes} processes");
    let counts = trace.counts();
    for function in [
        "cuMemHostAlloc",
        "cuMemcpyHtoDAsync_v2",
        "cuMemcpyDtoHAsync_v2",
        "cuStreamCreateWithPriority",
        "cuEventElapsedTime_v2",
        "cuLaunchKernelEx",
    ] {
        assert!(counts.contains_key(function), "{function}: {counts:?}");
    }
    let report = run.replayed();
    assert!(!report.contains("not played"), "{report}");
}

/// A recording of steps that printed what they print on this profile, as they did without one.
struct Run {
    folder: tempfile::TempDir,
    trace: Recorded,
}

fn alone_and_recorded(steps: &[(&str, &str)]) -> Option<Run> {
    let names: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
    let alone = on_profile("h100", &names)?;
    assert_eq!(alone.stdout, expected(steps), "{}", alone.stderr);
    assert_eq!(alone.end, End::Code(0), "{}", alone.stderr);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("torch.cutape");
    let mut command = cutape(["record", "--driver", "sim", "-o"]);
    command.arg(&path).arg("--");
    let recorded = finish(&mut with_torch(command, &names)?);
    recorded.assert_same_as(&alone);
    Some(Run {
        folder,
        trace: Recorded::open(&path),
    })
}

impl Run {
    /// The report of a replay on the driver of the recording, which conforms.
    fn replayed(&self) -> String {
        let mut command = cutape(["replay", "--driver", "sim"]);
        let replayed = finish(command.arg(self.folder.path().join("torch.cutape")));
        let told = format!("{}{}", replayed.stdout, replayed.stderr);
        assert_eq!(replayed.end, End::Code(0), "{told}");
        replayed.stdout
    }
}

/// Steps apart from the others, which take long enough together.
const MORE_ON_H100: &[(&str, &str)] = &[
    // CUPTI finds no GPU that it could watch, and says so; PyTorch goes on.
    ("profiler", "sees the product True, on the GPU 0"),
    ("shared_tensor", "came there True, came back True"),
];

#[test]
fn it_is_profiled_and_hands_tensors_to_other_processes_and_recording_changes_nothing() {
    let _alone = alone();
    let Some(run) = alone_and_recorded(MORE_ON_H100) else {
        return;
    };
    run.trace.assert_nothing_lost();
    let counts = run.trace.counts();
    for function in ["cuIpcOpenMemHandle_v2", "cuIpcOpenEventHandle"] {
        assert!(counts.contains_key(function), "{function}: {counts:?}");
    }
    // What goes from process to process can't be played, nor what is done with it there.
    let report = run.replayed();
    let skipped = report
        .lines()
        .skip_while(|line| !line.starts_with("not played"));
    let reasons: Vec<_> = skipped
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(reasons, ["other-process", "consequence"], "{report}");
}

#[test]
fn the_seed_s_shim_is_available_and_cannot_tell_its_memory() {
    let _alone = alone();
    let steps = ["available", "initialized", "memory_info", "copies"];
    if let Some(run) = on_profile("shim-uninitialized", &steps) {
        assert_eq!(
            run.stdout,
            expected(&[
                ("available", "True, devices 1"),
                ("initialized", "True, current device 0"),
                (
                    "memory_info",
                    "AcceleratorError: CUDA error: initialization error"
                ),
                ("copies", "equal True, a copy of its own True"),
            ]),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn its_check_by_nvml_agrees_with_the_driver() {
    let _alone = alone();
    for (profile, devices) in [("h100", 1), ("two-gpu", 2), ("no-device", 0)] {
        let command = cutape(["sim", "--profile", profile, "--"]);
        let Some(mut command) = with_torch(command, &["available"]) else {
            return;
        };
        let by_driver = finish(&mut command);
        let by_nvml = finish(command.env("PYTORCH_NVML_BASED_CUDA_CHECK", "1"));
        let is_there = if devices > 0 { "True" } else { "False" };
        let outcome = format!("{is_there}, devices {devices}");
        assert_eq!(
            (&by_driver.stdout, &by_nvml.stdout),
            (
                &expected(&[("available", &outcome)]),
                &expected(&[("available", &outcome)])
            ),
            "{profile}: {}{}",
            by_driver.stderr,
            by_nvml.stderr
        );
    }
}

#[test]
fn the_other_gpus_take_a_matrix_product_too() {
    let _alone = alone();
    for profile in ["a100", "l4", "t4"] {
        let Some(run) = on_profile(profile, &["products"]) else {
            return;
        };
        assert_eq!(
            run.stdout,
            expected(&[("products", "accepted 4, shapes [(64, 16)]")]),
            "{profile}: {}",
            run.stderr
        );
    }
}
