//! Broken drivers that a plain start-up does not show, each under real software for which its rule was written, alone and recorded.

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cutape_test_clients::real::{self, LlamaCpp};
use cutape_test_clients::{find_or_skip, programs, python};
use cutape_trace_format::trace::Trace;
use support::{Compared, End, Recorded, client, compare_on_profile, cutape, finish};

const GPU: &str = "GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a60";

/// The CUDA runtimes that are there.
fn runtimes() -> Vec<PathBuf> {
    [real::cudart_12(), real::cudart_13()]
        .into_iter()
        .flatten()
        .collect()
}

/// A program of ours that uses a CUDA runtime.
fn over_runtime(profile: &str, name: &str, runtime: &Path) -> Compared {
    compare_on_profile(profile, |command| {
        command.arg(client(name)).arg(runtime);
    })
}

fn add_llama(command: &mut Command, llama: &LlamaCpp) {
    command
        .arg(client("llama_devices"))
        .arg(llama.library("libggml.cuda"))
        .arg(llama.library("libllama.cuda"))
        .arg(&llama.folder)
        .env("LD_LIBRARY_PATH", &llama.library_path);
}

#[test]
fn ptsz_ignored_puts_the_work_of_a_thread_s_stream_on_the_one_that_all_wait_for() {
    const WORKS: &str = "\
cudaMalloc 0, cudaStreamCreate 0
default stream: 0 0, one of this thread
beside a capture: begin 0, memset 0, end 0
captured: begin 0, memset 0, end 0
";
    const BROKEN: &str = "\
cudaMalloc 0, cudaStreamCreate 0
default stream: 0 0, the legacy one
beside a capture: begin 0, memset 906, end 901
captured: begin 900, memset 0, end 401
";
    for runtime in runtimes() {
        for (profile, expected) in [("h100", WORKS), ("ptsz-ignored", BROKEN)] {
            let run = over_runtime(profile, "per_thread_stream", &runtime);
            assert_eq!(run.recorded.stdout, expected, "{profile}");
            let per_thread = run.trace.of("cuMemsetD8Async_ptsz").len();
            assert_eq!(per_thread > 0, profile == "h100", "{profile}");
        }
    }
}

#[test]
fn unified_addressing_off_refuses_copies_that_don_t_say_which_way() {
    const WORKS: &str = "\
unified addressing: 0, 1
cudaMalloc 0
told: 0 0, came back
default: 0 0, came back
";
    const BROKEN: &str = "\
unified addressing: 0, 0
cudaMalloc 0
told: 0 0, came back
default: 1 1, did not come back
";
    for runtime in runtimes() {
        for (profile, expected) in [("h100", WORKS), ("unified-addressing-off", BROKEN)] {
            let run = over_runtime(profile, "copy_directions", &runtime);
            assert_eq!(run.recorded.stdout, expected, "{profile}");
        }
    }
}

#[test]
fn wrong_abi_lets_the_bindings_pass_flags_where_a_device_is_read() {
    const WORKS: &str = "\
CU_CTX_SCHED_AUTO: CUDA_SUCCESS
  has flags 0
CU_CTX_SCHED_BLOCKING_SYNC: CUDA_SUCCESS
  has flags 4
";
    const BROKEN: &str = "\
CU_CTX_SCHED_AUTO: CUDA_SUCCESS
  has flags 0
CU_CTX_SCHED_BLOCKING_SYNC: CUDA_ERROR_INVALID_DEVICE
";
    let Some(bindings) = find_or_skip("cuda-bindings@13") else {
        return;
    };
    for (profile, expected) in [("h100", WORKS), ("wrong-abi", BROKEN)] {
        let run = compare_on_profile(profile, |command| {
            command
                .arg(python::interpreter())
                .arg(programs::python_script("context_versions"))
                .env("PYTHONPATH", &bindings);
        });
        assert_eq!(run.recorded.stdout, expected, "{profile}");
        // The trace has what was called, and so what the bindings were given.
        let called = if profile == "h100" {
            "cuCtxCreate_v4"
        } else {
            "cuCtxCreate_v2"
        };
        assert_eq!(run.trace.of(called).len(), 2, "{profile}");
    }
}

#[test]
fn nvml_overrides_tells_monitors_of_another_gpu_than_programs_have() {
    let Some(bindings) = find_or_skip("nvidia-ml-py") else {
        return;
    };
    for (profile, monitored) in [
        ("h100", "0 NVIDIA H100 80GB HBM3 GPU-"),
        ("nvml-overrides", "0 Tesla T4 GPU-"),
    ] {
        let run = compare_on_profile(profile, |command| {
            command
                .arg(python::interpreter())
                .arg(programs::python_script("nvml_devices"))
                .env("PYTHONPATH", &bindings);
        });
        let (_, gpu) = run.recorded.stdout.split_once('\n').unwrap();
        assert!(gpu.starts_with(monitored), "{profile}: {gpu}");
        let total = if profile == "h100" { 80u64 } else { 15 } << 30;
        assert!(gpu.contains(&format!("  memory {total} ")), "{gpu}");
        for runtime in runtimes() {
            let run = over_runtime(profile, "runtime", &runtime);
            let has = "cudaMemGetInfo 0, 83751862272 of 85899345920\n";
            assert!(run.recorded.stdout.contains(has), "{profile}");
        }
    }
}

/// What PyTorch says of its GPUs.
fn torch_counts(profile: &str, visible: &str) -> Option<Compared> {
    let torch = find_or_skip("torch")?;
    Some(compare_on_profile(profile, |command| {
        command
            .arg(python::interpreter())
            .arg(programs::python_script("pytorch_startup"))
            .args(["available"])
            .env("PYTHONPATH", &torch)
            .env("CUDA_VISIBLE_DEVICES", visible);
    }))
}

#[test]
fn visible_devices_ignored_loses_the_gpu_where_it_is_chosen_by_uuid() {
    const BROKEN: &str = "visible-devices-ignored";
    for runtime in runtimes() {
        for (profile, visible, expected) in [
            ("h100", GPU, "cudaGetDeviceCount 0, 1\n"),
            (BROKEN, "0", "cudaGetDeviceCount 0, 1\n"),
            (BROKEN, GPU, "cudaGetDeviceCount 100, "),
        ] {
            let run = compare_on_profile(profile, |command| {
                command
                    .arg(client("runtime"))
                    .arg(&runtime)
                    .env("CUDA_VISIBLE_DEVICES", visible);
            });
            let printed = &run.recorded.stdout;
            assert!(printed.starts_with(expected), "{profile}: {printed}");
        }
    }
    // llama.cpp, as Ollama's second pass starts it.
    if let Some(llama) = LlamaCpp::find() {
        for (profile, gpus) in [("h100", 1), (BROKEN, 0)] {
            let run = compare_on_profile(profile, |command| {
                add_llama(command, &llama);
                command.env("CUDA_VISIBLE_DEVICES", GPU);
            });
            let printed = &run.recorded.stdout;
            assert_eq!(printed.matches("GPU: CUDA0").count(), gpus, "{printed}");
        }
    }
    // PyTorch counts by NVML, which knows the UUID, and is refused by the driver.
    for (profile, expected) in [("h100", "True, devices 1"), (BROKEN, "False, devices 1")] {
        if let Some(run) = torch_counts(profile, GPU) {
            let printed = &run.recorded.stdout;
            assert_eq!(*printed, format!("available: {expected}\n"), "{profile}");
        }
    }
}

/// The search of Ollama up to 0.12.3, of which no package registry has a build: tests/clients/ollama_discovery.c does what it did. The
/// library that it comes upon next is NVIDIA's own.
#[test]
fn shim_bypassed_makes_ollama_s_search_take_the_next_driver() {
    let Some(nvidia) = real::driver_folder() else {
        return;
    };
    let search = |profile: &str| {
        compare_on_profile(profile, |command| {
            command.arg(client("ollama_discovery")).arg(&nvidia);
        })
    };
    let works = search("h100");
    assert_eq!(
        works.recorded.stdout,
        "library 1: cuInit 0, cuDeviceGetCount 0, 1\n\
         NVIDIA H100 80GB HBM3, compute 9.0, GPU-5e0e8f2a: 0 0, 79872 of 81920 MiB, destroyed 0\n"
    );
    assert_eq!(works.trace.of("cuCtxCreate_v3").len(), 1);
    if Path::new("/proc/driver/nvidia").exists() {
        cutape_test_clients::skip("what the next driver finds: this machine has a GPU");
        return;
    }
    let bypassed = search("shim-bypassed");
    assert_eq!(
        bypassed.recorded.stdout,
        "library 1: cuCtxCreate_v3 is absent\nlibrary 2: cuInit 100\nno GPU: CPU only\n"
    );
    assert_eq!(bypassed.trace.calls.len(), 0);
}

/// Nanoseconds that the calls of a trace took together.
fn time_in_calls(trace: &Recorded) -> u64 {
    let ends = trace.calls.iter().map(|call| &call.call);
    ends.filter_map(|call| call.duration_ns).sum()
}

/// Ollama waits 3 seconds for its runner to list devices, and then kills it.
#[test]
fn too_slow_keeps_llama_cpp_from_listing_the_gpu_before_ollama_gives_up() {
    const LIMIT: Duration = Duration::from_secs(3);
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    for (profile, is_too_slow) in [("h100", false), ("too-slow", true)] {
        let patient = compare_on_profile(profile, |command| add_llama(command, &llama));
        assert!(patient.recorded.stdout.contains("GPU: CUDA0"));
        let nanoseconds = time_in_calls(&patient.trace);
        let exceeds = nanoseconds > LIMIT.as_nanos() as u64;
        assert_eq!(exceeds, is_too_slow, "{profile}: {nanoseconds} ns in calls");
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("trace.cutape");
    let mut recorded = cutape(["record", "--driver", "sim:too-slow", "-o"]);
    recorded.arg(&path).arg("--");
    let alone = cutape(["sim", "--profile", "too-slow", "--"]);
    for mut command in [alone, recorded] {
        command.args(["timeout", "--signal=KILL"]);
        command.arg(LIMIT.as_secs().to_string());
        add_llama(&mut command, &llama);
        let killed = finish(&mut command);
        assert_eq!(killed.end, End::Signal(libc::SIGKILL), "{}", killed.stderr);
        assert!(!killed.stdout.contains("GPU:"), "{}", killed.stdout);
    }
    let trace = Recorded::open(&path);
    trace.assert_nothing_lost();
    assert!(time_in_calls(&trace) < LIMIT.as_nanos() as u64);
}

/// Starts a command in a process group of its own and reads its output up to the line that begins so.
fn start_until(command: &mut Command, line: &str) -> Child {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.as_mut().unwrap());
    let seen = output.lines().map_while(Result::ok);
    let found = seen.into_iter().any(|printed| printed.starts_with(line));
    assert!(found, "{command:?} ended without the line {line}");
    child
}

/// Kills the whole group and gives the signal by which the command died.
fn kill(mut child: Child) -> Option<i32> {
    // SAFETY: the group was made for this child, which was not waited for.
    unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
    child.wait().unwrap().signal()
}

/// Whether the recording in a folder has a call of that function that did not return.
fn is_in_flight(folder: &Path, function: &str) -> bool {
    Trace::open(folder).is_ok_and(|trace| {
        let seen = Recorded::of_trace(trace);
        let calls = seen.of(function);
        calls.iter().any(|call| call.returned.is_none())
    })
}

/// The runtime hangs where it first needs the GPU; whoever waits for it kills it, and the recording, a folder still, says which call it was.
#[test]
fn killed_in_call_leaves_the_call_that_hung_on_record() {
    const HANGS: &str = "cuDevicePrimaryCtxRetain";
    const BEFORE: &str = "cudaGetDeviceCount 0, 1";
    for runtime in runtimes() {
        let mut alone = cutape(["sim", "--profile", "killed-in-call", "--"]);
        alone.arg(client("runtime")).arg(&runtime);
        let mut hanging = start_until(&mut alone, BEFORE);
        assert!(hanging.try_wait().unwrap().is_none());
        assert_eq!(kill(hanging), Some(libc::SIGKILL));

        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("trace.cutape");
        let mut recorded = cutape(["record", "--driver", "sim:killed-in-call", "-o"]);
        recorded.arg(&path).arg("--");
        recorded.arg(client("runtime")).arg(&runtime);
        let mut hanging = start_until(&mut recorded, BEFORE);
        let folder = recording_folder(scratch.path());
        while !is_in_flight(&folder, HANGS) {
            assert!(hanging.try_wait().unwrap().is_none(), "it ended by itself");
        }
        assert_eq!(kill(hanging), Some(libc::SIGKILL));
        let seen = Recorded::of_trace(Trace::open(&folder).unwrap());
        let open: Vec<_> = seen
            .calls
            .iter()
            .filter(|call| call.returned.is_none())
            .collect();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].function, HANGS);
        assert_eq!(open[0].args[1], 0, "of the first GPU");
    }
}

/// The folder that a recording is while it is being made.
fn recording_folder(scratch: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(scratch).unwrap();
    let folder = entries.find_map(|entry| Some(entry.ok()?.path()).filter(|path| path.is_dir()));
    folder.expect("the folder of a recording that is going on")
}
