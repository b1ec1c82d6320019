//! `cutape doctor` over real software from the user's cache of clients: what GGML, the CUDA runtimes and PyTorch meet on broken drivers, on
//! drivers that work, and on NVIDIA's own without a GPU.

mod support;

use std::path::Path;
use std::process::Command;

use cutape_test_clients::real::{self, LlamaCpp};
use cutape_test_clients::{find_or_skip, programs, python};
use support::{Diagnosed, client, cutape, finish};

/// Records on a profile of the simulated driver what `add_program` adds to the command, and asks doctor.
fn diagnose(profile: &str, add_program: impl Fn(&mut Command)) -> Diagnosed {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("trace.cutape");
    let mut command = cutape(["record", "--driver", &format!("sim:{profile}"), "-o"]);
    command.arg(&path).arg("--");
    add_program(&mut command);
    finish(&mut command);
    Diagnosed::of(&path)
}

fn assert_first(profile: &str, rule: &str, client: &str, diagnosed: &Diagnosed) {
    let ids = diagnosed.ids();
    assert_eq!(ids.first(), Some(&rule), "{client} on {profile}: {ids:?}");
}

fn assert_none(profile: &str, client: &str, diagnosed: &Diagnosed) {
    assert!(
        diagnosed.ids().is_empty(),
        "{client} on {profile}: {}",
        diagnosed.json["findings"]
    );
}

const HEALTHY: [&str; 8] = [
    "h100",
    "h200",
    "a100",
    "l4",
    "t4",
    "two-gpu",
    "integrated",
    "shim-fixed",
];

/// Profile and rule, which are the same but for the seed's own name and NVIDIA's library without a GPU.
const OF_GGML: &[(&str, &str)] = &[
    ("shim-uninitialized", "meminfo-error"),
    ("no-device", "init-no-device"),
    ("meminfo-error", "meminfo-error"),
    ("meminfo-zero", "meminfo-zero"),
    ("meminfo-free-zero", "meminfo-free-zero"),
    ("meminfo-implausible", "meminfo-implausible"),
    ("meminfo-missing", "meminfo-missing"),
    ("ctx-retain-failed", "ctx-retain-failed"),
    ("ctx-set-failed", "ctx-set-failed"),
    ("ctx-get-failed", "ctx-get-failed"),
    ("ctx-device-failed", "ctx-device-failed"),
    ("ctx-lost-permission", "ctx-lost-permission"),
    ("masked-code", "masked-code"),
    ("device-query-failed", "device-query-failed"),
    ("no-devices", "no-devices"),
    ("driver-too-old", "driver-too-old"),
    ("export-table-refused", "export-table-refused"),
    ("integrity-mismatch", "integrity-mismatch"),
    ("backend-absent", "backend-absent"),
    ("shim-bypassed", "shim-bypassed"),
    ("vmm-missing", "vmm-missing"),
    ("pci-missing", "pci-missing"),
    ("arch-unsupported", "arch-unsupported"),
    ("no-kernel-image", "no-kernel-image"),
    ("ptx-too-new", "ptx-too-new"),
    ("integrated-lie", "integrated-lie"),
    ("unified-addressing-off", "unified-addressing-off"),
    ("crashed-in-call", "crashed-in-call"),
    ("too-slow", "too-slow"),
];

fn ggml(llama: &LlamaCpp) -> impl Fn(&mut Command) {
    |command| llama.add_backend(command)
}

#[test]
fn ggml_s_backend_gets_the_rule_of_each_broken_driver_first() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    for (profile, rule) in OF_GGML {
        let diagnosed = diagnose(profile, ggml(&llama));
        assert_first(profile, rule, "GGML", &diagnosed);
    }
    let aborts = diagnose("arch-unsupported", ggml(&llama));
    assert_eq!(aborts.consequences(), ["no-kernel-image"]);
    let silent = diagnose("meminfo-zero", ggml(&llama));
    assert_eq!(silent.first()["silent"], true, "{}", silent.json);
    let seed = diagnose("shim-uninitialized", ggml(&llama));
    let clients = seed.json["processes"][0]["clients"].to_string();
    assert!(clients.contains("GGML"), "{clients}");
    for question in ["unified addressing", "virtual memory", "compute capability"] {
        assert_eq!(seed.answer(question), "yes", "{question}");
    }
    assert_eq!(seed.answer("memory info"), "no");
}

#[test]
fn ggml_s_backend_has_no_finding_on_drivers_that_work_and_would_be_offered() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    for profile in HEALTHY {
        let diagnosed = diagnose(profile, ggml(&llama));
        assert_none(profile, "GGML", &diagnosed);
        let decision = &diagnosed.json["processes"][0]["devices"][0]["decision"];
        assert_eq!(decision["offered"], true, "{profile}: {decision}");
    }
}

const OF_RUNTIME: &[&str] = &[
    "init-not-initialized",
    "init-unknown",
    "init-system-not-ready",
    "init-mismatch",
    "init-other",
    "driver-version-failed",
    "driver-too-old",
    "export-table-refused",
    "device-query-failed",
    "masked-code",
    "meminfo-missing",
    "pinned-fallback",
    "ptsz-ignored",
];

#[test]
fn programs_on_the_cuda_runtime_get_the_rule_first_and_nothing_on_drivers_that_work() {
    let runtimes = [(12, real::cudart_12()), (13, real::cudart_13())];
    for (version, runtime) in runtimes {
        let Some(runtime) = runtime else { continue };
        let name = format!("the runtime of CUDA {version}");
        let program = |command: &mut Command| {
            command.arg(client("runtime")).arg(&runtime);
        };
        for profile in OF_RUNTIME {
            assert_first(profile, profile, &name, &diagnose(profile, program));
        }
        for profile in HEALTHY {
            assert_none(profile, &name, &diagnose(profile, program));
        }
    }
}

/// A program that only counts devices makes the same calls whether or not the runtime then refuses the driver; it must not be blamed.
#[test]
fn counting_devices_is_no_sign_of_a_failed_integrity_check() {
    for runtime in [real::cudart_12(), real::cudart_13()].into_iter().flatten() {
        let diagnosed = diagnose("h100", |command| {
            command
                .arg(python::interpreter())
                .args(["-c", COUNT])
                .arg(&runtime);
        });
        assert_none("h100", "a program that counts devices", &diagnosed);
    }
}

#[test]
fn nvidia_s_bindings_get_the_wrong_binary_interface() {
    let Some(bindings) = find_or_skip("cuda-bindings@13") else {
        return;
    };
    let program = |command: &mut Command| {
        command
            .arg(python::interpreter())
            .arg(programs::python_script("context_versions"))
            .env("PYTHONPATH", &bindings);
    };
    let diagnosed = diagnose("wrong-abi", program);
    assert_first("wrong-abi", "wrong-abi", "cuda-bindings", &diagnosed);
    assert_none("h100", "cuda-bindings", &diagnose("h100", program));
}

/// The search of Ollama up to 0.12.3 finds a function missing and makes no call: what the driver exports says why.
#[test]
fn ollama_s_old_search_passes_over_a_driver_without_the_old_names() {
    let Some(nvidia) = real::driver_folder() else {
        return;
    };
    let diagnosed = diagnose("shim-bypassed", |command| {
        command.arg(client("ollama_discovery")).arg(&nvidia);
    });
    assert_eq!(diagnosed.ids(), ["shim-bypassed"]);
    assert_eq!(diagnosed.consequences(), ["no-calls"]);
}

/// The second pass of Ollama's discovery: the GPU is chosen by its UUID.
#[test]
fn llama_cpp_loses_a_gpu_that_is_chosen_by_its_uuid() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let program = |command: &mut Command| {
        command
            .arg(client("llama_devices"))
            .arg(llama.library("libggml.cuda"))
            .arg(llama.library("libllama.cuda"))
            .arg(&llama.folder)
            .env("LD_LIBRARY_PATH", &llama.library_path)
            .env(
                "CUDA_VISIBLE_DEVICES",
                "GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a60",
            );
    };
    let profile = "visible-devices-ignored";
    assert_first(profile, profile, "llama.cpp", &diagnose(profile, program));
    assert_none("h100", "llama.cpp", &diagnose("h100", program));
}

const COUNT: &str = "import ctypes, sys; n = ctypes.c_int(-1); print(ctypes.CDLL(sys.argv[1]).cudaGetDeviceCount(ctypes.byref(n)), n.value)";

#[test]
fn nvidia_s_driver_without_a_gpu_has_no_device_and_the_rest_follows() {
    let Some(folder) = real::driver_folder() else {
        return;
    };
    if Path::new("/proc/driver/nvidia").exists() {
        cutape_test_clients::skip("this machine has NVIDIA's kernel module, and so perhaps a GPU");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let see = |name: &str, program: &[&str]| {
        let path = scratch.path().join(name);
        let mut command = cutape(["record", "-o"]);
        command.arg(&path).arg("--driver");
        command.arg(folder.join("libcuda.so.1")).arg("--");
        finish(command.arg(client(program[0])).args(&program[1..]));
        Diagnosed::of(&path)
    };
    let asked = see("memory.cutape", &["symptoms", "memory"]);
    assert_eq!(asked.ids(), ["init-no-device"]);
    assert_eq!(asked.consequences(), ["meminfo-error"]);
    assert_eq!(see("start.cutape", GGML_START).ids(), ["init-no-device"]);
    // Five hundred look-ups by NVIDIA's own bindings, each answered rightly by NVIDIA's own driver.
    if let Some(bindings) = find_or_skip("cuda-bindings@13") {
        let path = scratch.path().join("bindings.cutape");
        let mut command = cutape(["record", "-o"]);
        command.arg(&path).arg("--driver");
        command.arg(folder.join("libcuda.so.1")).arg("--");
        command
            .arg(python::interpreter())
            .arg(programs::python_script("context_versions"))
            .env("PYTHONPATH", &bindings);
        finish(&mut command);
        assert_eq!(Diagnosed::of(&path).ids(), ["init-no-device"]);
    }
    if let Some(runtime) = real::cudart_12() {
        let runtime = runtime.to_str().unwrap().to_owned();
        let diagnosed = see("runtime.cutape", &["runtime", &runtime]);
        assert_eq!(
            diagnosed.ids(),
            ["init-no-device"],
            "{}",
            diagnosed.json["findings"]
        );
    }
}

const GGML_START: &[&str] = &["ggml_startup"];

#[test]
fn pytorch_meets_the_seed_s_shim_and_has_no_finding_on_drivers_that_work() {
    let Some(torch) = find_or_skip("torch") else {
        return;
    };
    let program = |steps: &'static [&'static str]| {
        let torch = torch.clone();
        move |command: &mut Command| {
            command
                .arg(python::interpreter())
                .arg(programs::python_script("pytorch_startup"))
                .args(steps)
                .env("PYTHONPATH", &torch);
        }
    };
    const STEPS: &[&str] = &[
        "available",
        "initialized",
        "properties",
        "memory_info",
        "copies",
        "pinned_memory",
    ];
    let seed = diagnose("shim-uninitialized", program(STEPS));
    assert_eq!(seed.ids(), ["meminfo-error"]);
    let reactions = seed.first()["reactions"].to_string();
    assert!(
        reactions.contains("torch.cuda.mem_get_info raises"),
        "{reactions}"
    );
    const MORE: &[&str] = &[
        "available",
        "products",
        "network",
        "out_of_memory",
        "graph",
        "loader_fork",
        "processes",
    ];
    assert_none("h100", "PyTorch", &diagnose("h100", program(STEPS)));
    assert_none("h100", "PyTorch", &diagnose("h100", program(MORE)));
    assert_none("two-gpu", "PyTorch", &diagnose("two-gpu", program(STEPS)));
    // Two at a time: loading PyTorch takes seconds, many of them waiting for the disk.
    for profiles in [["t4", "h200"], ["a100", "l4"], ["integrated", "shim-fixed"]] {
        std::thread::scope(|scope| {
            for profile in profiles {
                let program = program(STEPS);
                scope.spawn(move || {
                    assert_none(profile, "PyTorch", &diagnose(profile, program));
                });
            }
        });
    }
}
