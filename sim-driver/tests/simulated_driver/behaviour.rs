//! What a program sees of the simulated driver.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};

use crate::driver::{Library, in_child, in_child_with, memory, profile_file, start, to};

const GIB: u64 = 1 << 30;

#[test]
fn the_seed_s_shim_fails_at_memory_info_and_only_there() {
    in_child(
        "the_seed_s_shim_fails_at_memory_info_and_only_there",
        "shim-uninitialized",
        |cuda| {
            let mut value = 0i32;
            start(cuda);
            for (attribute, expected) in [(75, 9), (76, 0), (41, 1), (102, 1)] {
                assert_eq!(
                    cuda.call("cuDeviceGetAttribute", [to(&mut value), attribute, 0]),
                    0
                );
                assert_eq!(value, expected, "attribute {attribute}");
            }
            for _ in 0..3 {
                assert_eq!(memory(cuda), (3, 0, 0));
            }
            let mut pointer = 0u64;
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut pointer), 1024]), 0);
        },
    );
}

#[test]
fn the_cured_shim_has_78_of_80_gib_free() {
    in_child(
        "the_cured_shim_has_78_of_80_gib_free",
        "shim-fixed",
        |cuda| {
            start(cuda);
            assert_eq!(memory(cuda), (0, 78 * GIB, 80 * GIB));
        },
    );
}

#[test]
fn a_flag_of_a_pointer_fills_the_four_bytes_that_programs_read() {
    in_child(
        "a_flag_of_a_pointer_fills_the_four_bytes_that_programs_read",
        "h100",
        |cuda| {
            start(cuda);
            const IS_MANAGED: u64 = 8;
            const OF_ANY_CONTEXT: u64 = 1;
            let mut pinned = 0u64;
            assert_eq!(cuda.call("cuMemHostAlloc", [to(&mut pinned), 128, 0]), 0);
            let mut managed = 0u64;
            assert_eq!(
                cuda.call("cuMemAllocManaged", [to(&mut managed), 128, OF_ANY_CONTEXT]),
                0
            );
            for (pointer, expected) in [(pinned, 0), (managed, 1)] {
                let mut one = u32::MAX;
                assert_eq!(
                    cuda.call("cuPointerGetAttribute", [to(&mut one), IS_MANAGED, pointer]),
                    0
                );
                assert_eq!(one, expected);
                let (mut several, mut attribute) = (u32::MAX, IS_MANAGED as u32);
                let mut places = [to(&mut several)];
                assert_eq!(
                    cuda.call(
                        "cuPointerGetAttributes",
                        [1, to(&mut attribute), to(&mut places), pointer]
                    ),
                    0
                );
                assert_eq!(several, expected);
            }
        },
    );
}

#[test]
fn who_registers_for_messages_may_leave_once() {
    in_child(
        "who_registers_for_messages_may_leave_once",
        "h100",
        |cuda| {
            start(cuda);
            let (mut first, mut second) = (0u64, 0u64);
            let told = who_registers_for_messages_may_leave_once as fn() as usize as u64;
            for handle in [&mut first, &mut second] {
                assert_eq!(
                    cuda.call("cuLogsRegisterCallback", [told, 0, to(handle)]),
                    0
                );
            }
            assert_ne!(first, second);
            assert_eq!(
                cuda.call("cuLogsRegisterCallback", [0, 0, to(&mut second)]),
                1
            );
            assert_eq!(cuda.call("cuLogsUnregisterCallback", [first]), 0);
            assert_eq!(cuda.call("cuLogsUnregisterCallback", [first]), 1);
            assert_eq!(cuda.call("cuLogsUnregisterCallback", [second]), 0);
        },
    );
}

#[test]
fn memory_is_lazy_ends_at_the_profile_s_size_and_comes_back() {
    in_child(
        "memory_is_lazy_ends_at_the_profile_s_size_and_comes_back",
        "h100",
        |cuda| {
            let context = start(cuda);
            let (mut big, mut more) = (0u64, 0u64);
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut big), 70 * GIB]), 0);
            assert_eq!(memory(cuda).1, 8 * GIB);
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut more), 9 * GIB]), 2);
            assert_eq!(more, 0);
            assert!(
                resident_bytes() < GIB,
                "70 GiB that were not touched take {} bytes",
                resident_bytes()
            );
            let (word, mut back) = (0x1234_5678u32, 0u32);
            assert_eq!(
                cuda.call(
                    "cuMemcpyHtoD_v2",
                    [big + 69 * GIB, std::ptr::from_ref(&word) as u64, 4]
                ),
                0
            );
            assert_eq!(
                cuda.call("cuMemcpyDtoH_v2", [to(&mut back), big + 69 * GIB, 4]),
                0
            );
            assert_eq!(back, word);
            assert_eq!(cuda.call("cuMemFree_v2", [big]), 0);
            assert_eq!(memory(cuda).1, 78 * GIB);
            // What a context leaves behind goes with it.
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut big), GIB]), 0);
            assert_eq!(cuda.call("cuDevicePrimaryCtxRelease_v2", [0]), 0);
            assert_eq!(memory(cuda).0, 709);
            assert_eq!(start(cuda), context, "a primary context keeps its handle");
            assert_eq!(memory(cuda).1, 78 * GIB);
        },
    );
}

fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    4096 * pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .expect("a number of pages")
}

#[test]
fn many_small_allocations_do_not_run_out_of_mappings() {
    in_child(
        "many_small_allocations_do_not_run_out_of_mappings",
        "h100",
        |cuda| {
            start(cuda);
            let mut pointers = vec![0u64; 100_000];
            for pointer in &mut pointers {
                assert_eq!(cuda.call("cuMemAlloc_v2", [to(pointer), 256]), 0);
            }
            for pointer in pointers.iter().rev() {
                assert_eq!(cuda.call("cuMemFree_v2", [*pointer]), 0);
            }
            assert_eq!(memory(cuda).1, 78 * GIB);
        },
    );
}

#[test]
fn a_forked_child_is_not_initialised_and_the_parent_goes_on() {
    in_child(
        "a_forked_child_is_not_initialised_and_the_parent_goes_on",
        "h100",
        |cuda| {
            start(cuda);
            // SAFETY: the child makes calls of the library and leaves by `_exit`.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let mut count = 0i32;
                let codes = [
                    cuda.call("cuInit", [0]),
                    cuda.call("cuDeviceGetCount", [to(&mut count)]),
                    memory(cuda).0,
                ];
                // SAFETY: ends the child without running the parent's clean-up.
                unsafe { libc::_exit(if codes == [3, 3, 3] { 0 } else { 1 }) }
            }
            let mut status = 0;
            // SAFETY: waits for the child made above.
            unsafe { libc::waitpid(child, &mut status, 0) };
            assert_eq!(status, 0);
            assert_eq!(memory(cuda).0, 0);
        },
    );
}

#[test]
fn a_child_forked_before_cu_init_may_initialise() {
    in_child(
        "a_child_forked_before_cu_init_may_initialise",
        "h100",
        |cuda| {
            let mut version = 0i32;
            assert_eq!(cuda.call("cuDriverGetVersion", [to(&mut version)]), 0);
            // SAFETY: as above.
            let child = unsafe { libc::fork() };
            if child == 0 {
                start(cuda);
                let code = memory(cuda).0;
                // SAFETY: as above.
                unsafe { libc::_exit(code as i32) }
            }
            let mut status = 0;
            // SAFETY: as above.
            unsafe { libc::waitpid(child, &mut status, 0) };
            assert_eq!(status, 0);
        },
    );
}

#[test]
fn each_thread_has_its_own_current_context() {
    in_child("each_thread_has_its_own_current_context", "h100", |cuda| {
        let context = start(cuda);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut seen = 7u64;
                    assert_eq!(cuda.call("cuCtxGetCurrent", [to(&mut seen)]), 0);
                    assert_eq!(seen, 0);
                    assert_eq!(memory(cuda).0, 201);
                    assert_eq!(cuda.call("cuCtxSetCurrent", [context]), 0);
                    assert_eq!(memory(cuda).0, 0);
                });
            }
        });
    });
}

static GATE: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
static ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());

extern "C" fn waits_at_the_gate(_: *mut c_void) {
    let mut is_open = GATE.0.lock().unwrap();
    while !*is_open {
        is_open = GATE.1.wait(is_open).unwrap();
    }
    ORDER.lock().unwrap().push("first");
}

extern "C" fn comes_second(_: *mut c_void) {
    ORDER.lock().unwrap().push("second");
}

fn open_the_gate() {
    *GATE.0.lock().unwrap() = true;
    GATE.1.notify_all();
}

#[test]
fn host_functions_run_apart_from_the_caller_and_hold_up_what_follows() {
    in_child(
        "host_functions_run_apart_from_the_caller_and_hold_up_what_follows",
        "h100",
        |cuda| {
            start(cuda);
            let (mut one, mut two, mut event, mut memory) = (0u64, 0u64, 0u64, 0u64);
            for stream in [&mut one, &mut two] {
                assert_eq!(cuda.call("cuStreamCreate", [to(stream), 1]), 0);
            }
            assert_eq!(cuda.call("cuEventCreate", [to(&mut event), 0]), 0);
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut memory), 64]), 0);
            assert_eq!(cuda.call("cuMemsetD8_v2", [memory, 1, 64]), 0);
            assert_eq!(
                cuda.call(
                    "cuLaunchHostFunc",
                    [one, waits_at_the_gate as *const () as u64, 0]
                ),
                0
            );
            // The source may change as soon as the call is back, because it is ordinary memory.
            let mut source = [2u8; 64];
            assert_eq!(
                cuda.call("cuMemcpyHtoDAsync_v2", [memory, to(&mut source), 64, one]),
                0
            );
            source.fill(9);
            assert_eq!(cuda.call("cuEventRecord", [event, one]), 0);
            assert_eq!(cuda.call("cuStreamWaitEvent", [two, event, 0]), 0);
            assert_eq!(
                cuda.call(
                    "cuLaunchHostFunc",
                    [two, comes_second as *const () as u64, 0]
                ),
                0
            );
            assert_eq!(cuda.call("cuStreamQuery", [one]), 600);
            assert_eq!(cuda.call("cuEventQuery", [event]), 600);
            open_the_gate();
            assert_eq!(cuda.call("cuStreamSynchronize", [two]), 0);
            assert_eq!(*ORDER.lock().unwrap(), ["first", "second"]);
            assert_eq!(cuda.call("cuStreamQuery", [one]), 0);
            let mut copied = [0u8; 64];
            assert_eq!(
                cuda.call("cuMemcpyDtoH_v2", [to(&mut copied), memory, 64]),
                0
            );
            assert_eq!(copied, [2; 64]);
        },
    );
}

#[test]
fn the_legacy_stream_waits_for_blocking_streams_and_holds_them_up() {
    in_child(
        "the_legacy_stream_waits_for_blocking_streams_and_holds_them_up",
        "h100",
        |cuda| {
            start(cuda);
            let (mut blocking, mut free) = (0u64, 0u64);
            assert_eq!(cuda.call("cuStreamCreate", [to(&mut blocking), 0]), 0);
            assert_eq!(cuda.call("cuStreamCreate", [to(&mut free), 1]), 0);
            assert_eq!(
                cuda.call(
                    "cuLaunchHostFunc",
                    [blocking, waits_at_the_gate as *const () as u64, 0]
                ),
                0
            );
            assert_eq!(
                cuda.call("cuLaunchHostFunc", [0, comes_second as *const () as u64, 0]),
                0
            );
            // A non-blocking stream is not held up.
            assert_eq!(cuda.call("cuStreamSynchronize", [free]), 0);
            assert!(ORDER.lock().unwrap().is_empty());
            open_the_gate();
            assert_eq!(cuda.call("cuStreamSynchronize", [0]), 0);
            assert_eq!(*ORDER.lock().unwrap(), ["first", "second"]);
        },
    );
}

static NESTED: AtomicU32 = AtomicU32::new(u32::MAX);
static NESTED_LIBRARY: Mutex<Option<usize>> = Mutex::new(None);

extern "C" fn makes_a_call(_: *mut c_void) {
    let address = NESTED_LIBRARY.lock().unwrap().expect("set by the test");
    // SAFETY: the address of cuDriverGetVersion, set by the test.
    let function: unsafe extern "C" fn(*mut i32) -> u32 = unsafe { std::mem::transmute(address) };
    let mut version = 0;
    // SAFETY: a place for one number.
    NESTED.store(unsafe { function(&mut version) }, Ordering::SeqCst);
}

#[test]
fn a_host_function_may_make_calls() {
    in_child("a_host_function_may_make_calls", "h100", |cuda| {
        start(cuda);
        *NESTED_LIBRARY.lock().unwrap() = cuda
            .symbol("cuDriverGetVersion")
            .map(|address| address as usize);
        assert_eq!(
            cuda.call("cuLaunchHostFunc", [0, makes_a_call as *const () as u64, 0]),
            0
        );
        assert_eq!(cuda.call("cuDevicePrimaryCtxReset_v2", [0]), 0);
        assert_eq!(NESTED.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn faults_hit_the_calls_they_name() {
    let profile = profile_file(
        "faults",
        r#"
        extends = "h100"
        [[fault]]
        function = "cuMemAlloc_v2"
        error = "CUDA_ERROR_OUT_OF_MEMORY"
        when = "2..3"
        [[fault]]
        function = "cuMemGetInfo_v2"
        set = { free = "1 GiB" }
        when = "every 2"
        [[fault]]
        function = "cuTexRefDestroy"
        error = 400
        "#,
    );
    in_child("faults_hit_the_calls_they_name", &profile, |cuda| {
        start(cuda);
        let mut pointer = 0u64;
        let codes = [(); 4].map(|()| cuda.call("cuMemAlloc_v2", [to(&mut pointer), 64]));
        assert_eq!(codes, [0, 2, 2, 0]);
        let free = [(); 4].map(|()| memory(cuda).1 == GIB);
        assert_eq!(free, [false, true, false, true]);
        assert_eq!(cuda.call("cuTexRefDestroy", [0]), 400);
        assert_eq!(cuda.call("cuTexRefCreate", [0]), 801);
    });
}

#[test]
fn a_wrong_profile_is_told_once_with_its_line_and_every_call_refuses() {
    const NAME: &str = "a_wrong_profile_is_told_once_with_its_line_and_every_call_refuses";
    let wrong = [
        (
            "unknown-key",
            "extends = \"h100\"\n\ntotal_memry = \"80 GiB\"\n",
            "line 3: unknown key `total_memry`",
            "did you mean \"total_memory\"?",
        ),
        ("not-toml", "name = \n", "line 1: not TOML", ""),
        (
            "bad-size",
            "total_memory = \"80 GB\"\n",
            "line 1: `total_memory`: expected bytes",
            "found \"80 GB\"",
        ),
        (
            "bad-attribute",
            "[attributes]\nwarp_sice = 32\n",
            "line 2: unknown device attribute `warp_sice`",
            "\"warp_size\"",
        ),
        (
            "bad-function",
            "[[fault]]\nfunction = \"cuMemGetInf_v2\"\nerror = 3\n",
            "line 2: `function`",
            "\"cuMemGetInfo_v2\"",
        ),
        (
            "bad-error",
            "[[fault]]\nfunction = \"cuInit\"\nerror = \"CUDA_ERROR_NO_DEVISE\"\n",
            "line 3",
            "\"CUDA_ERROR_NO_DEVICE\"",
        ),
        (
            "bad-when",
            "[[fault]]\nfunction = \"cuInit\"\nerror = 3\nwhen = \"soon\"\n",
            "line 4: `when`",
            "every 4",
        ),
        (
            "bad-set",
            "[[fault]]\nfunction = \"cuMemGetInfo_v2\"\nset = { fre = 1 }\n",
            "line 3: `fre` is not an out parameter",
            "free, total",
        ),
        (
            "bad-base",
            "\nextends = \"h10\"\n",
            "line 2: `extends`",
            "\"h100\"",
        ),
        (
            "too-free",
            "total_memory = 4096\nfree_memory = 8192\n",
            "free_memory (8192 bytes) is more",
            "",
        ),
        (
            "circle",
            "extends = \"./circle.toml\"\n",
            "extend one another",
            "",
        ),
    ];
    for (name, text, line, hint) in wrong {
        let path = profile_file(name, text);
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "behaviour::every_call_refuses",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("CUTAPE_SIM_PROFILE", &path)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{NAME} {name}: {errors}");
        assert!(
            errors.contains(line) && errors.contains(hint),
            "{name}: {errors}"
        );
        assert_eq!(
            errors.matches("cutape: simulated driver").count(),
            1,
            "{name}: {errors}"
        );
    }
}

#[test]
#[ignore = "runs as the child of a_wrong_profile_is_told_once_with_its_line_and_every_call_refuses"]
fn every_call_refuses() {
    let cuda = Library::load();
    let mut number = 0i32;
    for _ in 0..2 {
        assert_eq!(cuda.call("cuInit", [0]), 3);
        assert_eq!(cuda.call("cuDriverGetVersion", [to(&mut number)]), 3);
        assert_eq!(cuda.call("cuArray3DCreate_v2", [0, 0]), 3);
        assert_eq!(cuda.call("nvmlInit_v2", []), 1);
    }
}

#[test]
fn visible_devices_choose_among_two_gpus() {
    const NAME: &str = "visible_devices_choose_among_two_gpus";
    let second = [
        ("CUDA_VISIBLE_DEVICES", "1"),
        ("CUTAPE_SIM_PROFILE", "two-gpu"),
    ];
    in_child_with(NAME, &second, |cuda| {
        let (mut count, mut bus) = (0i32, 0i32);
        assert_eq!(cuda.call("cuInit", [0]), 0);
        assert_eq!(cuda.call("cuDeviceGetCount", [to(&mut count)]), 0);
        assert_eq!(cuda.call("cuDeviceGetAttribute", [to(&mut bus), 33, 0]), 0);
        assert_eq!((count, bus), (1, 0x1a));
        // NVML shows all of them.
        assert_eq!(cuda.call("nvmlInit_v2", []), 0);
        assert_eq!(cuda.call("nvmlDeviceGetCount_v2", [to(&mut count)]), 0);
        assert_eq!(count, 2);
    });
}

#[test]
fn nvml_tells_the_same_gpu_as_the_driver() {
    in_child("nvml_tells_the_same_gpu_as_the_driver", "a100", |cuda| {
        let mut device = 0u64;
        let mut text = [0u8; 96];
        assert_eq!(
            cuda.call("nvmlDeviceGetHandleByIndex_v2", [0, to(&mut device)]),
            1
        );
        assert_eq!(cuda.call("nvmlInit_v2", []), 0);
        assert_eq!(
            cuda.call("nvmlDeviceGetHandleByIndex_v2", [7, to(&mut device)]),
            2
        );
        assert_eq!(
            cuda.call("nvmlDeviceGetHandleByIndex_v2", [0, to(&mut device)]),
            0
        );
        assert_eq!(
            cuda.call("nvmlDeviceGetName", [device, to(&mut text), 96]),
            0
        );
        assert!(text.starts_with(b"NVIDIA A100-SXM4-80GB\0"));
        assert_eq!(
            cuda.call("nvmlDeviceGetName", [device, to(&mut text), 5]),
            7
        );
        start(cuda);
        let mut pointer = 0u64;
        assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut pointer), GIB]), 0);
        let mut memory = [0u64; 3];
        assert_eq!(
            cuda.call("nvmlDeviceGetMemoryInfo", [device, to(&mut memory)]),
            0
        );
        assert_eq!(memory, [80 * GIB, 77 * GIB, 3 * GIB]);
        assert_eq!(
            cuda.call("nvmlDeviceGetName", [pointer, to(&mut text), 96]),
            2
        );
        assert_eq!(cuda.call("nvmlShutdown", []), 0);
        assert_eq!(cuda.call("nvmlShutdown", []), 1);
    });
}

#[test]
fn every_function_of_the_table_is_exported() {
    let cuda = Library::load();
    let missing: Vec<_> = cutape_cuda_api::Api::get()
        .functions()
        .iter()
        .map(|function| function.name.as_str())
        .filter(|name| cuda.symbol(name).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn look_ups_agree_with_the_table_for_every_name_and_version() {
    in_child(
        "look_ups_agree_with_the_table_for_every_name_and_version",
        "h100",
        |cuda| {
            use cutape_cuda_api::{Api, DefaultStream};
            let api = Api::get();
            let mut compared = 0;
            for function in api.functions().iter().filter(|function| function.since > 0) {
                let name = std::ffi::CString::new(function.base.as_str()).unwrap();
                for version in [function.since - 10, function.since, 12_000, 13_050] {
                    for (flags, stream) in
                        [(0, DefaultStream::Legacy), (2, DefaultStream::PerThread)]
                    {
                        let (mut address, mut status) = (7u64, 7u32);
                        let words = [
                            name.as_ptr() as u64,
                            to(&mut address),
                            u64::from(version),
                            flags,
                            to(&mut status),
                        ];
                        assert_eq!(cuda.call("cuGetProcAddress_v2", words), 0);
                        let expected = api
                            .resolve(&function.base, version, stream)
                            .and_then(|id| cuda.symbol(&api.at(id).name));
                        assert_eq!(
                            address,
                            expected.map_or(0, |symbol| symbol as u64),
                            "{} {version} {flags}",
                            function.base
                        );
                        assert_eq!(status == 0, expected.is_some());
                        compared += 1;
                    }
                }
            }
            assert!(compared > 4000, "only {compared} look-ups were compared");
        },
    );
}

#[test]
fn threads_may_create_and_destroy_at_once() {
    static FAILED: AtomicBool = AtomicBool::new(false);
    in_child("threads_may_create_and_destroy_at_once", "h100", |cuda| {
        let context = start(cuda);
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                scope.spawn(move || {
                    assert_eq!(cuda.call("cuCtxSetCurrent", [context]), 0);
                    for round in 0..500u64 {
                        let (mut stream, mut event, mut pointer) = (0u64, 0u64, 0u64);
                        let bytes = 1 + (thread * 7919 + round * 104_729) % 3_000_000;
                        let codes = [
                            cuda.call("cuStreamCreate", [to(&mut stream), round & 1]),
                            cuda.call("cuEventCreate", [to(&mut event), 0]),
                            cuda.call("cuMemAlloc_v2", [to(&mut pointer), bytes]),
                            cuda.call(
                                "cuMemsetD8Async",
                                [pointer, round & 0xff, bytes.min(4096), stream],
                            ),
                            cuda.call("cuEventRecord", [event, stream]),
                            cuda.call("cuEventSynchronize", [event]),
                            cuda.call("cuMemFree_v2", [pointer]),
                            cuda.call("cuEventDestroy_v2", [event]),
                            cuda.call("cuStreamDestroy_v2", [stream]),
                        ];
                        if codes != [0; 9] {
                            FAILED.store(true, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(!FAILED.load(Ordering::SeqCst));
        assert_eq!(memory(cuda), (0, 78 * GIB, 80 * GIB));
    });
}

#[test]
fn look_ups_give_its_own_functions_where_another_library_has_the_same_names() {
    const NAME: &str = "look_ups_give_its_own_functions_where_another_library_has_the_same_names";
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, other) = (folder.join("other.c"), folder.join("libother.so"));
    std::fs::write(
        &source,
        "int cuInit(unsigned flags) { return 77 + (int)flags; }\n",
    )
    .unwrap();
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let status = std::process::Command::new(compiler)
        .args(["-shared", "-fPIC", "-o"])
        .args([&other, &source])
        .status()
        .unwrap();
    assert!(status.success());
    in_child_with(NAME, &[("LD_PRELOAD", other.to_str().unwrap())], |cuda| {
        // SAFETY: asks for the first definition in the process.
        let first = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"cuInit".as_ptr()) };
        let own = cuda.symbol("cuInit").unwrap();
        assert_ne!(first, own, "the other library was not loaded");
        let (mut address, mut status) = (0u64, 7u32);
        let words = [
            c"cuInit".as_ptr() as u64,
            to(&mut address),
            12_000,
            0,
            to(&mut status),
        ];
        assert_eq!(cuda.call("cuGetProcAddress_v2", words), 0);
        assert_eq!(address, own as u64);
    });
}
