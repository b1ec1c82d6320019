//! Real software on the simulated driver. What is not in the user's cache of clients is skipped, and said so.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cutape_cuda_api::{Api, Function, Library, Param, Type, TypeKind};
use cutape_test_clients::{programs, python, real};

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

/// The letter of a parameter for tests/clients/error_order.py; `None` for those that are no word.
fn letter(api: &Api, param: &Param) -> Option<char> {
    match api.without_aliases(&param.ty) {
        Type::Pointer { .. } => Some('p'),
        Type::Int { .. } => Some('n'),
        Type::Named(name) => match api.type_def(name)?.kind {
            TypeKind::Handle => Some('h'),
            TypeKind::Callback => Some('p'),
            TypeKind::Enum { .. } | TypeKind::DevicePointer => Some('n'),
            _ => None,
        },
        _ => None,
    }
}

/// A line of the list of functions, if it can be called with words, changes nothing for the next one, and is one form only of a function.
fn line(api: &Api, function: &Function) -> Option<String> {
    const OTHERS: [&str; 9] = [
        "cuInit",
        "cudbg",
        "cuGL",
        "cuEGL",
        "cuVDPAU",
        "cuGraphics",
        "cuCheckpoint",
        "cuCoredump",
        "cuLogs",
    ];
    let name = &function.name;
    let is_wanted = function.library == Library::Cuda
        && !OTHERS.iter().any(|begin| name.starts_with(begin))
        && !name.ends_with("_ptsz")
        && !name.ends_with("_ptds");
    let params = &function.signature.as_ref().filter(|_| is_wanted)?.params;
    let letters = params.iter().map(|param| letter(api, param));
    let letters: String = letters
        .map(|letter| Some([' ', letter?]))
        .collect::<Option<Vec<_>>>()?
        .concat()
        .iter()
        .collect();
    Some(format!("{name}{letters}\n"))
}

/// What a library answers, by function and arguments.
fn error_order(library: &Path, functions: &Path, before: bool) -> BTreeMap<String, String> {
    let mut command = Command::new(python::interpreter());
    command.arg(programs::python_script("error_order"));
    command.arg(library).arg(functions);
    if before {
        command.arg("before");
    }
    let output = command
        .env("CUTAPE_SIM_PROFILE", "no-device")
        .output()
        .expect("the interpreter runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let pairs = printed.lines().filter_map(|line| line.rsplit_once(": "));
    pairs
        .map(|(call, code)| (call.to_owned(), code.to_owned()))
        .collect()
}

/// Where the simulated driver differs on purpose: cuBLASLt 13 asks about clusters of no kernel, and takes an error for a broken GPU.
const ALLOWS_NO_KERNEL: [&str; 2] = [
    "cuOccupancyMaxActiveClusters, places",
    "cuOccupancyMaxPotentialClusterSize, places",
];

#[test]
fn every_function_says_no_in_the_order_in_which_nvidia_s_library_does() {
    let Some(folder) = real::driver_folder() else {
        return;
    };
    if Path::new("/proc/driver/nvidia").exists() {
        cutape_test_clients::skip("what NVIDIA's library says without a GPU: this machine has one");
        return;
    }
    let api = Api::get();
    let functions = Path::new(env!("CARGO_TARGET_TMPDIR")).join("functions.txt");
    let lines: String = api
        .functions()
        .iter()
        .filter_map(|function| line(api, function))
        .collect();
    std::fs::write(&functions, lines).expect("a temporary file");
    for before in [true, false] {
        let nvidia = error_order(&folder.join("libcuda.so.1"), &functions, before);
        let simulated = error_order(&library_path(), &functions, before);
        assert!(nvidia.len() > 1500, "{} calls", nvidia.len());
        let mut compared = 0;
        for (call, expected) in nvidia.iter().filter(|(_, code)| *code != "died") {
            let found = &simulated[call];
            // What is not simulated says so.
            if found != "801" && !ALLOWS_NO_KERNEL.contains(&call.as_str()) {
                assert_eq!(found, expected, "{call}, before cuInit: {before}");
                compared += 1;
            }
        }
        assert!(compared > 1000, "{compared} calls were compared");
        let died = simulated.iter().find(|(_, code)| *code == "died");
        assert_eq!(died, None);
    }
}
