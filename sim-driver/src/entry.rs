//! What every exported call passes through before and after its implementation: the profile's faults, and the wall that no panic
//! crosses.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::Instant;

use crate::driver;
use crate::profile::Fault;
use crate::status::Code;
use crate::surface::FUNCTIONS;

/// What a call answers when the profile cannot be used: `CUDA_ERROR_NOT_INITIALIZED`, `NVML_ERROR_UNINITIALIZED`.
#[derive(Clone, Copy)]
pub struct Refusals {
    pub without_profile: u32,
    pub after_panic: u32,
}

/// The refusals of the driver API.
pub const CUDA: Refusals = Refusals {
    without_profile: 3,
    after_panic: 999,
};
/// The refusals of NVML.
pub const NVML: Refusals = Refusals {
    without_profile: 1,
    after_panic: 999,
};

/// Faults by the function's place in the table; `None` for profiles without faults, which is all but the broken ones.
static FAULTS: OnceLock<Option<Vec<Vec<&'static Fault>>>> = OnceLock::new();

/// When the process made its first call; faults may depend on it.
static FIRST_CALL: OnceLock<Instant> = OnceLock::new();

/// Runs an implementation. `function` is its place in [`FUNCTIONS`], `arguments` the C arguments as words.
#[inline]
pub fn call<A: Code>(
    refusals: Refusals,
    function: usize,
    arguments: &[u64],
    implementation: impl FnOnce() -> A,
) -> u32 {
    if driver::machine().is_none() {
        return refusals.without_profile;
    }
    match FAULTS.get_or_init(sort_faults) {
        None => guarded(refusals, function, implementation),
        Some(faults) => faulty(
            refusals,
            function,
            (&faults[function], arguments),
            implementation,
        ),
    }
}

#[inline]
fn guarded<A: Code>(
    refusals: Refusals,
    function: usize,
    implementation: impl FnOnce() -> A,
) -> u32 {
    catch_unwind(AssertUnwindSafe(|| implementation().code())).unwrap_or_else(|_| {
        eprintln!("cutape: the simulated driver failed inside {}: this is a bug in cutape, please report it", FUNCTIONS[function].name);
        refusals.after_panic
    })
}

#[cold]
fn faulty<A: Code>(
    refusals: Refusals,
    function: usize,
    (faults, arguments): (&[&'static Fault], &[u64]),
    implementation: impl FnOnce() -> A,
) -> u32 {
    // Every fault counts the call, so that "the third call" means the same whatever other faults there are.
    let since_first_call = || FIRST_CALL.get_or_init(Instant::now).elapsed();
    let hit: Vec<(&Fault, u64)> = faults
        .iter()
        .filter_map(|fault| Some((*fault, fault.count_call(since_first_call)?)))
        .collect();
    for (fault, call) in &hit {
        fault.effect.before_the_work(fault.function, *call);
    }
    let effects = || hit.iter().map(|(fault, _)| &fault.effect);
    let error = effects().find_map(|effect| effect.error);
    let code = error.unwrap_or_else(|| guarded(refusals, function, implementation));
    for effect in effects().filter(|effect| effect.error.is_some() || code == 0) {
        for (place, bytes) in &effect.set {
            write(arguments[*place], bytes);
        }
    }
    code
}

/// Writes a fault's value where the caller expects the parameter's.
fn write(address: u64, bytes: &[u8]) {
    if address != 0 {
        // SAFETY: the profile was checked when it was read: the parameter is an out pointer to this many bytes; the C caller
        // provides that room.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as usize as *mut u8, bytes.len())
        }
    }
}

fn sort_faults() -> Option<Vec<Vec<&'static Fault>>> {
    FIRST_CALL.get_or_init(Instant::now);
    let faults = &driver::machine()?.profile.faults;
    if faults.is_empty() {
        return None;
    }
    let of = |name: &str| {
        faults
            .iter()
            .filter(|fault| fault.function == name)
            .collect()
    };
    Some(FUNCTIONS.iter().map(|function| of(function.name)).collect())
}

/// What a function of the driver API without an implementation does.
pub fn not_supported_cuda() -> crate::status::Answer {
    Err(crate::status::CuError::NOT_SUPPORTED)
}

/// What a function of NVML without an implementation does.
pub fn not_supported_nvml() -> crate::status::NvmlAnswer {
    Err(crate::status::NvmlError::NOT_SUPPORTED)
}

/// Runs a function of an export table: as [`call`], without faults, which name functions of the API table.
pub fn table_call(implementation: impl FnOnce() -> crate::status::Answer) -> u32 {
    catch_unwind(AssertUnwindSafe(|| implementation().code())).unwrap_or_else(|_| {
        eprintln!("cutape: the simulated driver failed inside an export table: this is a bug in cutape, please report it");
        CUDA.after_panic
    })
}
