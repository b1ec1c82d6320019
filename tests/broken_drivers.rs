//! The shipped profiles of drivers with something wrong: each shows its symptom to a program, where a driver that works does not.

mod support;

use std::collections::BTreeSet;

use support::{End, Finished, client, cutape, finish, record};

/// What a program prints on a driver that works, and on the broken one.
struct Symptom {
    profile: &'static str,
    /// A program of tests/clients with its arguments.
    program: &'static [&'static str],
    works: &'static str,
    broken: &'static str,
}

const fn symptom(
    profile: &'static str,
    program: &'static [&'static str],
    works: &'static str,
    broken: &'static str,
) -> Symptom {
    Symptom {
        profile,
        program,
        works,
        broken,
    }
}

const START: &[&str] = &["symptoms", "start"];
const STARTS: &str = "cuInit 0, cuDeviceGetCount 0, 1\n";
const VERSION: &[&str] = &["symptoms", "version"];
const CONTEXTS: &[&str] = &["symptoms", "contexts"];
const CONTEXTS_WORK: &str =
    "cuInit 0, cuCtxGetCurrent 0, retain 0, cuCtxSetCurrent 0, cuCtxGetDevice 0\n";
const GGML: &[&str] = &["ggml_startup"];
const GGML_WORKS: &str =
    "backend: CUDA0 (NVIDIA H100 80GB HBM3, compute 9.0, 79872 MiB free of 81920 MiB)\n";
const CPU: &str = "backend: CPU\n";
const MEMORY: &[&str] = &["symptoms", "memory"];
const MEMORY_WORKS: &str = "enter 0, cuMemGetInfo 0 (83751862272 of 85899345920) 0 (83751862272 of 85899345920) 0 (83751862272 of 85899345920)\n";
const CODE: &[&str] = &["symptoms", "code"];
const CODE_WORKS: &str = "enter 0, cuModuleLoadData 0, cuLibraryLoadData 0\n";
const DEVICE: &[&str] = &["symptoms", "device"];
const DEVICE_WORKS: &str =
    "cuInit 0, cuDeviceTotalMem 0, 85899345920, cuDeviceGetPCIBusId 0, 0000:19:00.0\n";

const SYMPTOMS: &[Symptom] = &[
    symptom(
        "meminfo-error",
        MEMORY,
        MEMORY_WORKS,
        "enter 0, cuMemGetInfo 999 (7 of 7) 999 (7 of 7) 999 (7 of 7)\n",
    ),
    symptom("meminfo-error", GGML, GGML_WORKS, CPU),
    symptom(
        "meminfo-zero",
        MEMORY,
        MEMORY_WORKS,
        "enter 0, cuMemGetInfo 0 (0 of 0) 0 (0 of 0) 0 (0 of 0)\n",
    ),
    symptom("meminfo-zero", GGML, GGML_WORKS, CPU),
    symptom(
        "meminfo-free-zero",
        MEMORY,
        MEMORY_WORKS,
        "enter 0, cuMemGetInfo 0 (0 of 85899345920) 0 (0 of 85899345920) 0 (0 of 85899345920)\n",
    ),
    symptom(
        "meminfo-implausible",
        GGML,
        GGML_WORKS,
        "backend: CUDA0 (NVIDIA H100 80GB HBM3, compute 9.0, 81920 MiB free of 79872 MiB)\n",
    ),
    symptom(
        "meminfo-missing",
        &[
            "symptoms",
            "exports",
            "cuMemGetInfo",
            "cuMemGetInfo_v2",
            "cuMemAlloc_v2",
        ],
        "cuMemGetInfo: there; cuMemGetInfo_v2: there; cuMemAlloc_v2: there\n",
        "cuMemGetInfo: absent; cuMemGetInfo_v2: absent; cuMemAlloc_v2: there\n",
    ),
    symptom(
        "meminfo-missing",
        &["symptoms", "found", "cuMemGetInfo", "12000", "0"],
        "cuMemGetInfo 12000 0: 0, status 0, cuMemGetInfo_v2\n",
        "cuMemGetInfo 12000 0: 0, status 1, nothing\n",
    ),
    symptom("shim-uninitialized", GGML, GGML_WORKS, CPU),
    symptom(
        "ctx-retain-failed",
        CONTEXTS,
        CONTEXTS_WORK,
        "cuInit 0, cuCtxGetCurrent 0, retain 801, cuCtxSetCurrent 0, cuCtxGetDevice 201\n",
    ),
    symptom(
        "ctx-set-failed",
        CONTEXTS,
        CONTEXTS_WORK,
        "cuInit 0, cuCtxGetCurrent 0, retain 0, cuCtxSetCurrent 201, cuCtxGetDevice 201\n",
    ),
    symptom(
        "ctx-get-failed",
        CONTEXTS,
        CONTEXTS_WORK,
        "cuInit 0, cuCtxGetCurrent 201, retain 0, cuCtxSetCurrent 0, cuCtxGetDevice 0\n",
    ),
    symptom(
        "ctx-device-failed",
        CONTEXTS,
        CONTEXTS_WORK,
        "cuInit 0, cuCtxGetCurrent 0, retain 0, cuCtxSetCurrent 0, cuCtxGetDevice 3\n",
    ),
    symptom(
        "masked-code",
        CONTEXTS,
        CONTEXTS_WORK,
        "cuInit 0, cuCtxGetCurrent 0, retain 101, cuCtxSetCurrent 0, cuCtxGetDevice 201\n",
    ),
    symptom(
        "init-not-initialized",
        START,
        STARTS,
        "cuInit 3, cuDeviceGetCount 3, -1\n",
    ),
    symptom(
        "init-no-device",
        START,
        STARTS,
        "cuInit 100, cuDeviceGetCount 3, -1\n",
    ),
    symptom(
        "no-device",
        START,
        STARTS,
        "cuInit 100, cuDeviceGetCount 3, -1\n",
    ),
    symptom(
        "init-unknown",
        START,
        STARTS,
        "cuInit 999, cuDeviceGetCount 3, -1\n",
    ),
    symptom(
        "init-system-not-ready",
        START,
        STARTS,
        "cuInit 802, cuDeviceGetCount 3, -1\n",
    ),
    symptom(
        "init-mismatch",
        START,
        STARTS,
        "cuInit 803, cuDeviceGetCount 3, -1\n",
    ),
    symptom(
        "init-other",
        START,
        STARTS,
        "cuInit 304, cuDeviceGetCount 3, -1\n",
    ),
    symptom(
        "no-devices",
        START,
        STARTS,
        "cuInit 0, cuDeviceGetCount 0, 0\n",
    ),
    symptom(
        "ctx-lost-permission",
        MEMORY,
        MEMORY_WORKS,
        "enter 0, cuMemGetInfo 0 (83751862272 of 85899345920) 800 (7 of 7) 800 (7 of 7)\n",
    ),
    symptom(
        "driver-too-old",
        VERSION,
        "cuDriverGetVersion 0, 13050\n",
        "cuDriverGetVersion 0, 11040\n",
    ),
    symptom(
        "driver-version-failed",
        VERSION,
        "cuDriverGetVersion 0, 13050\n",
        "cuDriverGetVersion 999, -1\n",
    ),
    symptom(
        "integrity-mismatch",
        VERSION,
        "cuDriverGetVersion 0, 13050\n",
        "cuDriverGetVersion 0, 13060\n",
    ),
    symptom(
        "device-query-failed",
        DEVICE,
        DEVICE_WORKS,
        "cuInit 0, cuDeviceTotalMem 999, 0, cuDeviceGetPCIBusId 0, 0000:19:00.0\n",
    ),
    symptom(
        "pci-missing",
        DEVICE,
        DEVICE_WORKS,
        "cuInit 0, cuDeviceTotalMem 0, 85899345920, cuDeviceGetPCIBusId 801, none\n",
    ),
    symptom(
        "export-table-refused",
        &["symptoms", "table"],
        "cuGetExportTable 0, a table\n",
        "cuGetExportTable 1, nothing\n",
    ),
    symptom(
        "wrong-abi",
        &["symptoms", "found", "cuCtxCreate", "13030", "0"],
        "cuCtxCreate 13030 0: 0, status 0, cuCtxCreate_v4\n",
        "cuCtxCreate 13030 0: 0, status 0, cuCtxCreate_v2\n",
    ),
    symptom(
        "ptsz-ignored",
        &["symptoms", "found", "cuMemcpyAsync", "12000", "2"],
        "cuMemcpyAsync 12000 2: 0, status 0, cuMemcpyAsync_ptsz\n",
        "cuMemcpyAsync 12000 2: 0, status 0, cuMemcpyAsync\n",
    ),
    symptom(
        "backend-absent",
        &[
            "symptoms",
            "exports",
            "cuMemGetAllocationGranularity",
            "cuMemCreate",
        ],
        "cuMemGetAllocationGranularity: there; cuMemCreate: there\n",
        "cuMemGetAllocationGranularity: absent; cuMemCreate: there\n",
    ),
    symptom(
        "shim-bypassed",
        &[
            "symptoms",
            "exports",
            "cuCtxCreate_v3",
            "cuCtxDestroy",
            "cuCtxDestroy_v2",
        ],
        "cuCtxCreate_v3: there; cuCtxDestroy: there; cuCtxDestroy_v2: there\n",
        "cuCtxCreate_v3: absent; cuCtxDestroy: absent; cuCtxDestroy_v2: there\n",
    ),
    symptom(
        "vmm-missing",
        &["symptoms", "granularity"],
        "enter 0, cuMemGetAllocationGranularity 0, 2097152\n",
        "enter 0, cuMemGetAllocationGranularity 801, 0\n",
    ),
    symptom("unified-addressing-off", GGML, GGML_WORKS, CPU),
    symptom(
        "arch-unsupported",
        &["symptoms", "attributes", "75", "76"],
        "75: 0, 9; 76: 0, 0\n",
        "75: 0, 3; 76: 0, 7\n",
    ),
    symptom(
        "ptx-too-new",
        CODE,
        CODE_WORKS,
        "enter 0, cuModuleLoadData 222, cuLibraryLoadData 222\n",
    ),
    symptom(
        "no-kernel-image",
        CODE,
        CODE_WORKS,
        "enter 0, cuModuleLoadData 209, cuLibraryLoadData 209\n",
    ),
    symptom(
        "pinned-fallback",
        &["symptoms", "pinned"],
        "enter 0, cuMemHostAlloc 0, cuMemHostRegister 0\n",
        "enter 0, cuMemHostAlloc 2, cuMemHostRegister 2\n",
    ),
    symptom(
        "integrated-lie",
        &["symptoms", "attributes", "18"],
        "18: 0, 0\n",
        "18: 0, 1\n",
    ),
    symptom(
        "nvml-overrides",
        &["symptoms", "nvml"],
        "NVML 0, NVIDIA H100 80GB HBM3, 81920 MiB; driver 0, NVIDIA H100 80GB HBM3, 81920 MiB\n",
        "NVML 0, Tesla T4, 15360 MiB; driver 0, NVIDIA H100 80GB HBM3, 81920 MiB\n",
    ),
    symptom(
        "too-slow",
        &["symptoms", "slow"],
        "ten calls take less than 250 ms\n",
        "ten calls take at least 250 ms\n",
    ),
    symptom(
        "killed-in-call",
        &["symptoms", "hang"],
        "cuDevicePrimaryCtxRetain 0\n",
        "cuDevicePrimaryCtxRetain does not come back\n",
    ),
];

/// Profiles whose symptom is no line of output; each has a test of its own below.
const OTHERS: [&str; 2] = ["crashed-in-call", "visible-devices-ignored"];

fn run(profile: &str, program: &[&str]) -> Finished {
    let mut command = cutape(["sim", "--profile", profile, "--"]);
    command.arg(client(program[0])).args(&program[1..]);
    finish(&mut command)
}

#[test]
fn each_broken_driver_shows_its_symptom() {
    for symptom in SYMPTOMS {
        let printed = run(symptom.profile, symptom.program);
        let place = format!(
            "{:?} on {}: {}",
            symptom.program, symptom.profile, printed.stderr
        );
        assert_eq!(printed.stdout, symptom.broken, "{place}");
        assert_eq!(printed.end, End::Code(0), "{place}");
    }
}

#[test]
fn a_driver_that_works_shows_none_of_the_symptoms() {
    let mut asked = BTreeSet::new();
    for symptom in SYMPTOMS.iter().filter(|one| asked.insert(one.program)) {
        let printed = run("h100", symptom.program);
        assert_eq!(printed.stdout, symptom.works, "{:?}", symptom.program);
    }
}

/// Symptoms that depend on what a program finds, and one of each other kind.
const RECORDED: [&str; 8] = [
    "meminfo-missing",
    "backend-absent",
    "shim-bypassed",
    "wrong-abi",
    "ptsz-ignored",
    "nvml-overrides",
    "meminfo-zero",
    "init-unknown",
];

#[test]
fn a_recorded_program_meets_the_same_symptoms() {
    let scratch = tempfile::tempdir().unwrap();
    for (number, symptom) in SYMPTOMS
        .iter()
        .filter(|symptom| RECORDED.contains(&symptom.profile))
        .enumerate()
    {
        let path = scratch.path().join(format!("{number}.cutape"));
        let driver = format!("sim:{}", symptom.profile);
        let program = client(symptom.program[0]);
        let printed = finish(&mut record(&path, driver, &program, &symptom.program[1..]));
        let place = format!("{:?} on {}", symptom.program, symptom.profile);
        assert_eq!(
            printed.stdout, symptom.broken,
            "{place}: {}",
            printed.stderr
        );
    }
}

#[test]
fn a_crash_inside_a_call_ends_the_program_by_the_signal() {
    let printed = run("crashed-in-call", GGML);
    assert_eq!(printed.end, End::Signal(libc::SIGSEGV));
    assert_eq!(printed.stdout, "");
}

#[test]
fn a_driver_that_misreads_visible_devices_loses_the_gpu_with_a_uuid_only() {
    let see = |profile: &str, visible: &str| {
        let mut command = cutape(["sim", "--profile", profile, "--"]);
        command.arg(client("symptoms")).arg("start");
        finish(command.env("CUDA_VISIBLE_DEVICES", visible)).stdout
    };
    assert_eq!(see("h100", "GPU-5e0e8f2a"), STARTS);
    assert_eq!(see("visible-devices-ignored", "0"), STARTS);
    assert_eq!(
        see("visible-devices-ignored", "GPU-5e0e8f2a"),
        "cuInit 100, cuDeviceGetCount 3, -1\n"
    );
}

#[test]
fn every_broken_profile_that_is_shipped_is_shown_here() {
    let listed = finish(&mut cutape(["sim", "--profiles"]));
    assert_eq!(listed.end, End::Code(0), "{}", listed.stderr);
    let (_, broken) = listed
        .stdout
        .split_once("with something wrong:\n")
        .expect("the list of broken drivers");
    let names: BTreeSet<&str> = broken
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let shown = SYMPTOMS.iter().map(|symptom| symptom.profile);
    let shown: BTreeSet<&str> = shown.chain(OTHERS).collect();
    assert_eq!(names, shown);
}
