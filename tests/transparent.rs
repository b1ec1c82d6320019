//! What a program sees of its own symbols is what it would see without cutape.

mod support;

use std::ffi::OsStr;
use std::path::PathBuf;

use cutape_cuda_api::Api;
use cutape_test_clients::programs;
use support::{compare_on_simulated_gpu, environment_of, exports, library};

/// The folder that stands first in the program's LD_LIBRARY_PATH.
fn front(driver: &OsStr) -> PathBuf {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("trace");
    let environment =
        environment_of(&["-o".as_ref(), out.as_os_str(), "--driver".as_ref(), driver]);
    let path = environment
        .iter()
        .find(|(name, _)| name == "LD_LIBRARY_PATH")
        .unwrap();
    std::env::split_paths(&path.1).next().unwrap()
}

#[test]
fn a_linked_program_sees_the_drivers_symbols() {
    let program = programs::linked_c_program("linked").unwrap();
    let run = compare_on_simulated_gpu(&program, &[]);
    let printed = &run.recorded.stdout;
    let own =
        "cuInit: dladdr cuInit in libcuda.so.1, RTLD_DEFAULT same, RTLD_NEXT same, handle same\n";
    assert!(printed.contains(own), "{printed}");
    for absent in ["cuNoSuchFunction", "cutape"] {
        let line = format!("{absent}: RTLD_DEFAULT absent, RTLD_NEXT absent\n");
        assert!(printed.contains(&line), "{printed}");
    }
    let counts = run.trace.counts();
    let calls = [
        "cuDeviceGetCount",
        "cuDriverGetVersion",
        "cuInit",
        "cuMemGetInfo_v2",
    ];
    assert_eq!(counts, calls.into_iter().map(|name| (name, 1)).collect());
}

#[test]
fn the_interposer_exports_every_function_and_object_of_the_table() {
    let Some(exported) = exports::api_names(&library("libcutape_interposer.so")) else {
        return;
    };
    let api = Api::get();
    let functions = api
        .functions()
        .iter()
        .map(|function| function.name.as_str());
    let names = functions.chain(api.objects().iter().map(|object| object.name.as_str()));
    let missing: Vec<&str> = names.filter(|name| !exported.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(exported.len() > 1000, "{}", exported.len());
}

#[test]
fn a_front_has_the_functions_of_its_driver_and_no_others() {
    let front = front("sim".as_ref());
    let Some(shown) = exports::api_names(&front.join("libcuda.so.1")) else {
        return;
    };
    let mut real = exports::api_names(&library("libcutape_sim.so")).unwrap();
    // The simulated driver's own symbol, no function of a driver's.
    real.retain(|name| !name.starts_with("cutape"));
    assert_eq!(shown, real);
}
