//! The simulated driver is fast enough not to hide what recording costs. Only optimised builds are measured:
//! `cargo test --release -p cutape-sim-driver --test speed`.
//!
//! Each figure is the least of many short runs: another program on the machine makes runs longer and never shorter.

#[allow(dead_code, reason = "this test needs a part of it")]
#[path = "simulated_driver/driver.rs"]
mod driver;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use cutape_test_clients::{programs, real, skip};
use driver::{Library, library_path, start, to};

/// What a call that only asks may cost.
const CALL_LIMIT: Duration = Duration::from_nanos(50);
/// What the start of a CUDA runtime may cost.
const START_LIMIT: Duration = Duration::from_millis(50);

fn is_optimised() -> bool {
    if cfg!(debug_assertions) {
        skip("the speed of a build that is not optimised says nothing (use --release)");
    }
    !cfg!(debug_assertions)
}

/// The least time of one call among bursts.
fn least_call_time(call: impl Fn()) -> Duration {
    const BURSTS: u32 = 2000;
    const CALLS: u32 = 500;
    let burst = || {
        let begin = Instant::now();
        (0..CALLS).for_each(|_| call());
        begin.elapsed()
    };
    (0..BURSTS).map(|_| burst()).min().unwrap_or_default() / CALLS
}

type TwoWords = unsafe extern "C" fn(u64, u64) -> u32;

#[test]
fn asking_for_memory_or_the_context_takes_less_than_50_ns() {
    if !is_optimised() {
        return;
    }
    let cuda = Library::load();
    start(&cuda);
    for name in ["cuMemGetInfo_v2", "cuCtxGetCurrent"] {
        let address = cuda.symbol(name).expect("an exported function");
        // SAFETY: both functions take at most two pointers, and are given two that point to eight bytes each.
        let function = unsafe { std::mem::transmute::<*mut std::ffi::c_void, TwoWords>(address) };
        let (mut one, mut other) = (0u64, 0u64);
        let (one, other) = (to(&mut one), to(&mut other));
        let time = least_call_time(|| {
            // SAFETY: as above.
            assert_eq!(unsafe { function(black_box(one), black_box(other)) }, 0);
        });
        println!("{name}: {time:?}");
        assert!(time < CALL_LIMIT, "{name} takes {time:?}");
    }
}

#[test]
fn cuda_runtimes_start_in_less_than_50_ms() {
    if !is_optimised() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("speed-driver");
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let link = folder.join("libcuda.so.1");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(library_path(), &link).expect("a symbolic link");
    for runtime in [real::cudart_12(), real::cudart_13()].into_iter().flatten() {
        let once = || {
            let output = Command::new(programs::c_program("runtime_start").unwrap())
                .arg(&runtime)
                .env("LD_LIBRARY_PATH", &folder)
                .env("CUTAPE_SIM_PROFILE", "h100")
                .env_remove("CUDA_VISIBLE_DEVICES")
                .output()
                .expect("the client runs");
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{}: {errors}", output.status);
            Duration::from_micros(printed.trim().parse().expect("microseconds"))
        };
        let time = (0..20).map(|_| once()).min().unwrap_or_default();
        println!("{}: {time:?}", runtime.display());
        assert!(time < START_LIMIT, "{}: {time:?}", runtime.display());
    }
}
