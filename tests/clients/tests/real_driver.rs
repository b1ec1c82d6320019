//! Our client programs over NVIDIA's own library on a machine without a GPU: they build without a warning, end as their headers say, and
//! print the same twice. What they print with cutape is compared with this by other tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cutape_test_clients::counting::Counting;
use cutape_test_clients::{programs, python, real, skip};

/// A program, its arguments, the end that its header promises without a GPU, and something that it must print.
struct Case {
    name: &'static str,
    arguments: &'static [&'static str],
    end: End,
    prints: &'static str,
}

#[derive(Debug, PartialEq)]
enum End {
    Code(i32),
    Signal(i32),
}

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

const fn case(
    name: &'static str,
    arguments: &'static [&'static str],
    end: End,
    prints: &'static str,
) -> Case {
    Case {
        name,
        arguments,
        end,
        prints,
    }
}

const CASES: &[Case] = &[
    case("shared_streams", &[], End::Code(0), "start = 100\n"),
    case("copies", &[], End::Code(0), "start: 100\n"),
    case("conditional", &[], End::Code(0), "start: 100\n"),
    case("large_parameters", &[], End::Code(0), "start: 100\n"),
    case("ggml_startup", &[], End::Code(0), "backend: CPU\n"),
    case(
        "injected",
        &["fork"],
        End::Code(0),
        "parent 2: 0, 12020\nchild 1: 0, 12020\n",
    ),
    case(
        "injected",
        &["find", "cuMemGetInfo"],
        End::Code(0),
        "dlsym: found\n",
    ),
    case(
        "threads",
        &[],
        End::Code(0),
        "threads 64, calls 64000, codes: 3 x 64000\n",
    ),
    case(
        "thread_per_call",
        &["2000"],
        End::Code(0),
        "threads 2000, codes: 3 x 2000\n",
    ),
    case(
        "fork_calls",
        &[],
        End::Code(0),
        "grandchild: 500 calls, code 3\nfork: 500 calls, code 3\nclone: 500 calls, code 3\n",
    ),
    case(
        "exec_chain",
        &[],
        End::Code(0),
        "link 5: cuInit = 100, codes: 3 x 500\n",
    ),
    case(
        "reopen",
        &[],
        End::Code(0),
        "round 4: cuInit = 100, cuDriverGetVersion = 0 (12020), cuMemGetInfo_v2 = 3, from a thread 0",
    ),
    case(
        "signals",
        &[],
        End::Code(0),
        "handler calls 300, wrong codes in the handler 0, wrong answers in the main loop 0\nerrno changed: no\n",
    ),
    case(
        "errno_kept",
        &[],
        End::Code(0),
        "thread: cuMemGetInfo_v2(&free_bytes, &total_bytes) = 3, errno kept\n",
    ),
    case("nested", &[], End::Code(0), "start = 100\n"),
    case("stacks", &[], End::Code(0), "coroutine 3\nmany 100\n"),
    case("step", &[], End::Code(0), "cuInit = 100\n"),
    case(
        "proc_address",
        &[],
        End::Code(0),
        "v2 \"cuMemGetInfo\" 12000 0: 0, status 0, cuMemGetInfo_v2\n",
    ),
    case(
        "longjmp",
        &[],
        End::Code(0),
        "left a crash in cuDriverGetVersion(16)\ncuGetErrorName(3) = 0 (CUDA_ERROR_NOT_INITIALIZED)\n",
    ),
    case(
        "exit_paths",
        &["atexit"],
        End::Code(0),
        "registered before the driver was opened: cuGetErrorName = 4 (no name)\n",
    ),
    case(
        "exit_paths",
        &["destructor"],
        End::Code(0),
        "destructor function: cuGetErrorName = 4 (no name)\n",
    ),
    case(
        "exit_paths",
        &["thread-key"],
        End::Code(0),
        "second key: cuGetErrorName = 0 (CUDA_ERROR_NO_DEVICE)\n",
    ),
    case(
        "exit_paths",
        &["main-ends"],
        End::Code(0),
        "thread after main: cuGetErrorName = 0",
    ),
    case(
        "exit_paths",
        &["exit-thread"],
        End::Code(5),
        "thread that calls exit: cuGetErrorName = 0",
    ),
    case(
        "exit_paths",
        &["quick-exit"],
        End::Code(6),
        "at_quick_exit handler: cuGetErrorName = 0",
    ),
    case(
        "limits",
        &["files"],
        End::Code(0),
        "no descriptor left: yes\ncuInit = 100\n",
    ),
    case(
        "limits",
        &["memory"],
        End::Code(0),
        "still under it: codes: 3 x 500\n",
    ),
    case(
        "limits",
        &["file-size"],
        End::Code(0),
        "still under it: codes: 3 x 500\n",
    ),
    case(
        "limits",
        &["stderr-closed"],
        End::Code(0),
        "still under it: codes: 3 x 500\n",
    ),
    case(
        "limits",
        &["all-closed"],
        End::Code(0),
        "own file 7: as written\n",
    ),
    case(
        "limits",
        &["all-closed", "after"],
        End::Code(0),
        "own file 7: as written\n",
    ),
    case(
        "limits",
        &["stack"],
        End::Code(0),
        "the thread with a small stack has ended\n",
    ),
    case(
        "limits",
        &["seccomp", "after"],
        End::Code(0),
        "still under it: codes: 3 x 500\n",
    ),
    case(
        "counting",
        &["FILE", "4", "return", "1000"],
        End::Code(0),
        "threads 4, completed calls 4000\n",
    ),
    case(
        "counting",
        &["FILE", "4", "abort", "1000"],
        End::Signal(SIGABRT),
        "",
    ),
    case(
        "counting",
        &["FILE", "4", "segv-driver", "1000"],
        End::Signal(SIGSEGV),
        "",
    ),
    case(
        "counting",
        &["FILE", "4", "segv-callback", "1000"],
        End::Code(4),
        "",
    ),
    case(
        "counting",
        &["FILE", "4", "_exit", "1000"],
        End::Code(7),
        "",
    ),
    case("counting", &["FILE", "4", "exit", "1000"], End::Code(7), ""),
    case(
        "symptoms",
        &["start"],
        End::Code(0),
        "cuInit 100, cuDeviceGetCount 3, -1\n",
    ),
    case(
        "symptoms",
        &["found", "cuMemcpyAsync", "12000", "2"],
        End::Code(0),
        "cuMemcpyAsync 12000 2: 0, status 0, cuMemcpyAsync_ptsz\n",
    ),
];

/// The real driver's folder on a machine without a GPU; a machine with one gives other answers than those expected here.
fn driver_without_gpu() -> Option<PathBuf> {
    // Not /dev/nvidiactl: run by root, NVIDIA's library makes that node itself.
    if Path::new("/proc/driver/nvidia").exists() {
        skip("this machine has a GPU, the answers expected are those without one");
        return None;
    }
    real::driver_folder()
}

fn run(command: &mut Command, driver: &Path) -> (End, String) {
    let output: Output = command.env("LD_LIBRARY_PATH", driver).output().unwrap();
    let end = match output.status.code() {
        Some(code) => End::Code(code),
        None => End::Signal(std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap()),
    };
    (end, String::from_utf8(output.stdout).unwrap())
}

#[test]
fn c_programs_end_as_documented_and_print_the_same_twice() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let shared = scratch.path().join("counting");
    for case in CASES {
        let program = programs::c_program(case.name).unwrap();
        let run_once = || {
            let mut command = Command::new(&program);
            for argument in case.arguments {
                match *argument {
                    "FILE" => command.arg(&shared),
                    other => command.arg(other),
                };
            }
            run(&mut command, &driver)
        };
        let (end, printed) = run_once();
        let name = format!("{} {}", case.name, case.arguments.join(" "));
        assert_eq!(end, case.end, "{name}: {printed}");
        assert!(printed.contains(case.prints), "{name}: {printed}");
        assert_eq!(run_once(), (end, printed), "{name}, second run");
    }
}

#[test]
fn a_killed_program_leaves_its_count_behind() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let shared = scratch.path().join("counting");
    let program = programs::c_program("counting").unwrap();
    let mut client = Command::new(program)
        .arg(&shared)
        .args(["4", "run"])
        .env("LD_LIBRARY_PATH", driver)
        .spawn()
        .unwrap();
    let under_way = |count: &Counting| count.threads.iter().all(|thread| thread.completed > 1000);
    while !Counting::read(&shared).is_ok_and(|count| count.running && under_way(&count)) {
        assert_eq!(client.try_wait().unwrap(), None);
        std::thread::yield_now();
    }
    client.kill().unwrap();
    client.wait().unwrap();
    let count = Counting::read(&shared).unwrap();
    assert_eq!(count.process_id, client.id());
    for (thread, progress) in count.threads.iter().enumerate() {
        assert!(
            progress.started - progress.completed <= 1,
            "{thread}: {progress:?}"
        );
        if let Some(number) = progress.in_flight() {
            let published = (progress.function, progress.argument);
            assert_eq!(published, (number % 4, number), "{thread}: {progress:?}");
        }
    }
}

#[test]
fn the_linked_program_finds_the_driver_by_dt_needed() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    let program = programs::linked_c_program("linked").unwrap();
    let (end, printed) = run(&mut Command::new(program), &driver);
    assert_eq!(end, End::Code(0), "{printed}");
    assert!(printed.starts_with("cuInit = 100\n"), "{printed}");
    assert!(
        printed.contains("cuMemGetInfo_v2 = 3\nfree 0 of 0 MiB\n"),
        "{printed}"
    );
    assert!(
        printed.contains("cuInit: dladdr cuInit in libcuda.so.1, RTLD_DEFAULT same, RTLD_NEXT same, handle same\n"),
        "{printed}"
    );
}

#[test]
fn the_go_program_makes_every_call() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    let program = match programs::go_program("goroutines") {
        Err(error @ programs::BuildError::NoCompiler { .. }) => return skip(&error.to_string()),
        built => built.unwrap(),
    };
    let (end, printed) = run(&mut Command::new(program), &driver);
    assert_eq!(end, End::Code(0), "{printed}");
    assert!(
        printed.contains("goroutines 64, calls 32000, codes: 3 x 32000\n"),
        "{printed}"
    );
    assert!(
        printed.contains("child 3: cuInit = 100; goroutines 1, calls 500, codes: 3 x 500\n"),
        "{printed}"
    );
}

#[test]
fn python_pools_make_every_call() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    if let Err(error) = python::version() {
        return skip(&error.to_string());
    }
    let mut command = Command::new(python::interpreter());
    let (end, printed) = run(
        command.arg(programs::python_script("multiprocessing_pool")),
        &driver,
    );
    assert_eq!(
        (end, &*printed),
        (
            End::Code(0),
            "cuInit = 100\nfork: 1000 calls, codes: 3 x 1000\nspawn: 1000 calls, codes: 3 x 1000\n"
        )
    );
}

#[test]
fn the_real_runtime_sees_no_device_or_too_old_a_driver() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    for (runtime, expected) in [
        (
            real::cudart_12(),
            "cudaGetDeviceCount = 100 (cudaErrorNoDevice)",
        ),
        (
            real::cudart_13(),
            "cudaGetDeviceCount = 35 (cudaErrorInsufficientDriver)",
        ),
    ] {
        let Some(runtime) = runtime else { continue };
        let mut command = Command::new(python::interpreter());
        command
            .arg(programs::python_script("cudart_lookups"))
            .arg(runtime);
        let (end, printed) = run(&mut command, &driver);
        assert_eq!(end, End::Code(0), "{printed}");
        assert!(printed.contains(expected), "{printed}");
    }
}

#[test]
fn the_python_bindings_of_both_versions_reach_the_driver() {
    let Some(driver) = driver_without_gpu() else {
        return;
    };
    for wanted in ["cuda-bindings@12", "cuda-bindings@13"] {
        let Some(bindings) = cutape_test_clients::find_or_skip(wanted) else {
            continue;
        };
        let mut command = Command::new(python::interpreter());
        command
            .arg(programs::python_script("bindings"))
            .env("PYTHONPATH", bindings);
        let (end, printed) = run(&mut command, &driver);
        assert_eq!(end, End::Code(0), "{wanted}: {printed}");
        assert!(
            printed.contains("cuInit = CUDA_ERROR_NO_DEVICE (100)\n"),
            "{wanted}: {printed}"
        );
    }
}

#[test]
fn a_program_without_a_driver_says_so_and_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    // A file that is no library: the loader stops here, whatever else is installed.
    std::fs::write(folder.path().join("libcuda.so.1"), "").unwrap();
    let program = programs::c_program("ggml_startup").unwrap();
    let (end, printed) = run(&mut Command::new(program), folder.path());
    assert_eq!(end, End::Code(3), "{printed}");
    assert!(printed.starts_with("driver: none: "), "{printed}");
}
