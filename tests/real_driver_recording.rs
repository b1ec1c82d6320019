//! Recording over NVIDIA's own libraries on a machine without a GPU: what they answer is in the trace, and programs get it unchanged.

mod support;

use std::path::{Path, PathBuf};

use cutape_test_clients::{find_or_skip, programs, python, real, skip};
use cutape_trace_format::value::Value;
use support::{
    End, Finished, Recorded, client, cutape, environment_of, exports, finish, program, record,
};

/// The folder of NVIDIA's libcuda on a machine without a GPU; with one the answers are others than those expected here.
fn driver_without_gpu() -> Option<PathBuf> {
    if Path::new("/proc/driver/nvidia").exists() {
        skip("this machine has a GPU, the answers expected are those without one");
        return None;
    }
    real::driver_folder()
}

/// Runs a program over the driver in `folder` without cutape and recorded; fails unless it prints and ends the same.
fn compare(folder: &Path, path: &Path, arguments: &[&str]) -> (Finished, Recorded) {
    let mut alone = program(path);
    let alone = finish(alone.args(arguments).env("LD_LIBRARY_PATH", folder));
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("trace.cutape");
    let driver = folder.join("libcuda.so.1");
    let recorded = finish(&mut record(&trace, driver, path, arguments));
    recorded.assert_same_as(&alone);
    let trace = Recorded::open(&trace);
    trace.assert_nothing_lost();
    (recorded, trace)
}

#[test]
fn a_c_client_shows_no_device_and_memory_of_zero() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    let path = programs::linked_c_program("linked").unwrap();
    let (run, trace) = compare(&driver, &path, &[]);
    assert!(
        run.stdout
            .contains("cuMemGetInfo_v2 = 3\nfree 0 of 0 MiB\n"),
        "{}",
        run.stdout
    );
    let [init] = trace.of("cuInit")[..] else {
        panic!("{:?}", trace.counts())
    };
    assert_eq!((init.args[0], init.returned), (0, Some(100)));
    let [memory] = trace.of("cuMemGetInfo_v2")[..] else {
        panic!("{:?}", trace.counts())
    };
    assert_eq!(memory.returned, Some(3));
    assert_eq!(trace.argument(memory, "free"), Value::Uint(0));
    assert_eq!(trace.argument(memory, "total"), Value::Uint(0));
    let process = &trace.trace.processes()[0].process;
    assert_eq!(
        Path::new(&process.driver),
        driver.join("libcuda.so.1").canonicalize().unwrap()
    );
}

#[test]
fn the_failed_calls_are_printed_with_their_answers() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("trace.cutape");
    let path = programs::linked_c_program("linked").unwrap();
    let run = finish(&mut record(&trace, driver.join("libcuda.so.1"), &path, &[]));
    assert_eq!(run.end, End::Code(0), "{}", run.stderr);
    let printed = finish(cutape(["print"]).arg(&trace));
    assert_eq!(printed.end, End::Code(0), "{}", printed.stderr);
    for expected in [
        "cuInit(Flags=0) = CUDA_ERROR_NO_DEVICE (100)",
        "cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)",
    ] {
        assert!(
            printed.stdout.contains(expected),
            "{expected}: {}",
            printed.stdout
        );
    }
    let first = "first failure: call 1: cuInit(Flags=0) = CUDA_ERROR_NO_DEVICE (100)";
    assert!(run.stderr.contains(first), "{}", run.stderr);
}

#[test]
fn every_client_program_behaves_as_without_cutape() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    for (name, arguments, calls) in [
        ("ggml_startup", &[][..], None),
        ("threads", &[], Some(64 * 1000 + 1)),
        ("thread_per_call", &["2000"], Some(2001)),
        ("fork_calls", &[], Some(7 * 500 + 3)),
        ("exec_chain", &[], None),
        ("reopen", &[], Some(16)),
        ("signals", &[], None),
        ("errno_kept", &[], Some(24)),
        ("nested", &[], None),
        ("proc_address", &[], None),
        ("longjmp", &[], None),
        ("exit_paths", &["atexit"], Some(4)),
        ("exit_paths", &["destructor"], Some(3)),
        ("exit_paths", &["thread-key"], Some(6)),
        ("exit_paths", &["main-ends"], Some(5)),
        ("exit_paths", &["exit-thread"], None),
        ("exit_paths", &["quick-exit"], Some(3)),
        ("limits", &["stack"], None),
        ("conformance", &[], None),
    ] {
        let (_, trace) = compare(&driver, &client(name), arguments);
        match calls {
            Some(calls) => assert_eq!(trace.calls.len(), calls, "{name} {arguments:?}"),
            None => assert!(!trace.calls.is_empty(), "{name} {arguments:?}"),
        }
    }
}

/// One look-up: name, version, flags, code, and whether there was an answer.
type LookUp = (String, i32, u32, u32, &'static str);

/// What the other witness saw of the same program: a wrapper of cuGetProcAddress that has nothing to do with cutape.
fn look_ups_by_the_log(driver: &Path, runtime: &Path) -> Vec<LookUp> {
    let scratch = tempfile::tempdir().unwrap();
    let log = scratch.path().join("log");
    let mut command = program(python::interpreter());
    command
        .arg(programs::python_script("cudart_lookups"))
        .arg(runtime);
    command.env(
        "LD_LIBRARY_PATH",
        programs::driver_library("proc_address_log").unwrap(),
    );
    command
        .env("REAL_DRIVER", driver.join("libcuda.so.1"))
        .env("LOOKUP_LOG", &log);
    let run = finish(&mut command);
    assert_eq!(run.end, End::Code(0), "{}", run.stderr);
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(read_log_line).collect()
}

/// `NAME VERSION FLAGS = CODE ANSWER`; the name may be empty.
fn read_log_line(line: &str) -> LookUp {
    let mut words = line.rsplitn(6, ' ');
    let answer = words.next().unwrap();
    let answer = ["found", "absent", "none"]
        .into_iter()
        .find(|known| *known == answer)
        .unwrap();
    let code = words.next().unwrap().parse().unwrap();
    assert_eq!(words.next(), Some("="));
    let flags = words.next().unwrap().parse().unwrap();
    let version = words.next().unwrap().parse().unwrap();
    (
        words.next().unwrap().to_owned(),
        version,
        flags,
        code,
        answer,
    )
}

fn look_ups_by_the_trace(trace: &Recorded) -> Vec<LookUp> {
    let calls = trace
        .calls
        .iter()
        .filter(|call| call.function.starts_with("cuGetProcAddress"));
    let look_up = |call: &support::SeenCall| {
        let name = call.call.capture(0, false).expect("the name").bytes;
        let name = std::str::from_utf8(name)
            .unwrap()
            .trim_end_matches('\0')
            .to_owned();
        let answer = match call.call.capture(1, true) {
            None => "none",
            Some(pointer) if pointer.bytes.iter().all(|&byte| byte == 0) => "absent",
            Some(_) => "found",
        };
        let code = call.returned.expect("it returned") as u32;
        (name, call.args[2] as i32, call.args[3] as u32, code, answer)
    };
    calls.map(look_up).collect()
}

fn run_runtime(driver: &Path, runtime: &Path) -> (Finished, Recorded) {
    let script = programs::python_script("cudart_lookups");
    let arguments = [script.to_str().unwrap(), runtime.to_str().unwrap()];
    compare(driver, Path::new(&python::interpreter()), &arguments)
}

#[test]
fn every_look_up_of_the_real_runtime_is_on_record() {
    let (Some(driver), Some(runtime)) = (driver_without_gpu(), real::cudart_12()) else {
        return;
    };
    let (run, trace) = run_runtime(&driver, &runtime);
    assert!(
        run.stdout
            .contains("cudaGetDeviceCount = 100 (cudaErrorNoDevice)"),
        "{}",
        run.stdout
    );
    let expected = look_ups_by_the_log(&driver, &runtime);
    assert!(expected.len() > 400, "{}", expected.len());
    assert!(expected.iter().any(|look_up| look_up.4 == "absent"));
    assert_eq!(look_ups_by_the_trace(&trace), expected);
    let [init] = trace.of("cuInit")[..] else {
        panic!("{:?}", trace.counts())
    };
    assert_eq!(init.returned, Some(100));
}

#[test]
fn every_look_up_of_the_newest_runtime_is_on_record() {
    let (Some(driver), Some(runtime)) = (driver_without_gpu(), real::cudart_13()) else {
        return;
    };
    let (run, trace) = run_runtime(&driver, &runtime);
    let too_old = "cudaGetDeviceCount = 35 (cudaErrorInsufficientDriver)";
    assert!(run.stdout.contains(too_old), "{}", run.stdout);
    let expected = look_ups_by_the_log(&driver, &runtime);
    assert!(expected.len() > 300, "{}", expected.len());
    assert_eq!(look_ups_by_the_trace(&trace), expected);
}

#[test]
fn export_tables_are_recorded_by_their_id() {
    let (Some(driver), Some(runtime)) = (driver_without_gpu(), real::cudart_12()) else {
        return;
    };
    let (_, trace) = run_runtime(&driver, &runtime);
    // Without a device it asks for one before it gives up, and NVIDIA's 535 does not have it.
    let [table] = trace.of("cuGetExportTable")[..] else {
        panic!("{:?}", trace.counts())
    };
    assert_eq!(table.returned, Some(1));
    let id = table.call.capture(1, false).expect("the id").bytes;
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(id, "f8cff95121468b4eb9e2fb469e7c0dd9");
}

#[test]
fn export_tables_are_printed_by_name() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    let script = programs::python_script("export_tables");
    let interpreter = python::interpreter();
    let arguments = [script.to_str().unwrap()];
    let (run, _) = compare(&driver, Path::new(&interpreter), &arguments);
    assert!(
        run.stdout.contains(" = 0, a table, the same again\n"),
        "{}",
        run.stdout
    );
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("trace.cutape");
    let library = driver.join("libcuda.so.1");
    let run = finish(&mut record(
        &trace,
        library,
        Path::new(&interpreter),
        &arguments,
    ));
    assert_eq!(run.end, End::Code(0), "{}", run.stderr);
    let printed = finish(cutape(["print"]).arg(&trace)).stdout;
    for name in [
        "CUDART_INTERFACE",
        "TOOLS_RUNTIME_CALLBACK_HOOKS",
        "TOOLS_TLS",
        "CONTEXT_LOCAL_STORAGE",
        "INTEGRITY_CHECK",
    ] {
        let named = printed.matches(&format!("pExportTableId={name} ")).count();
        assert_eq!(named, 2, "{name}: {printed}");
    }
}

#[test]
fn the_python_bindings_reach_the_driver_as_without_cutape() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    for wanted in ["cuda-bindings@12", "cuda-bindings@13"] {
        let Some(bindings) = find_or_skip(wanted) else {
            continue;
        };
        let script = programs::python_script("bindings");
        let mut alone = program(python::interpreter());
        alone
            .arg(&script)
            .env("LD_LIBRARY_PATH", &driver)
            .env("PYTHONPATH", &bindings);
        let alone = finish(&mut alone);
        let scratch = tempfile::tempdir().unwrap();
        let trace = scratch.path().join("trace.cutape");
        let interpreter = python::interpreter();
        let arguments = [script.to_str().unwrap()];
        let mut recorded = record(
            &trace,
            driver.join("libcuda.so.1"),
            Path::new(&interpreter),
            &arguments,
        );
        let recorded = finish(recorded.env("PYTHONPATH", &bindings));
        recorded.assert_same_as(&alone);
        assert!(
            alone
                .stdout
                .contains("cuInit = CUDA_ERROR_NO_DEVICE (100)\n"),
            "{}",
            alone.stdout
        );
        let trace = Recorded::open(&trace);
        trace.assert_nothing_lost();
        assert_eq!(trace.of("cuInit").len(), 1, "{wanted}");
    }
}

#[test]
fn nvidias_libraries_export_nothing_that_the_front_lacks_and_the_other_way_round() {
    let (Some(cuda), Some(nvml)) = (driver_without_gpu(), real::nvml_folder()) else {
        return;
    };
    // NVML is found beside the driver, as where both are installed.
    let scratch = tempfile::tempdir().unwrap();
    for (folder, name) in [(&cuda, "libcuda.so.1"), (&nvml, "libnvidia-ml.so.1")] {
        std::os::unix::fs::symlink(folder.join(name), scratch.path().join(name)).unwrap();
    }
    let driver = scratch.path().join("libcuda.so.1");
    let out = scratch.path().join("trace");
    let options = [
        "-o".as_ref(),
        out.as_os_str(),
        "--driver".as_ref(),
        driver.as_os_str(),
    ];
    let environment = environment_of(&options);
    let path = &environment
        .iter()
        .find(|(name, _)| name == "LD_LIBRARY_PATH")
        .unwrap()
        .1;
    let front = std::env::split_paths(path).next().unwrap();
    let Some(mut real) = exports::api_names(&driver) else {
        return;
    };
    real.extend(exports::api_names(&scratch.path().join("libnvidia-ml.so.1")).unwrap());
    let shown = exports::api_names(&front.join("libcuda.so.1")).unwrap();
    assert!(real.len() > 900, "{}", real.len());
    assert_eq!(shown, real);
    assert_eq!(
        exports::api_names(&front.join("libnvidia-ml.so.1")),
        Some(real)
    );
}
