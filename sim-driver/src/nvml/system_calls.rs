//! `nvmlInit` and `nvmlSystem*`.

use std::ffi::c_char;
use std::sync::atomic::Ordering;

use super::{USERS, place, ready, write_text};
use crate::boundary::Out;
use crate::status::{NvmlAnswer, NvmlError};
use crate::surface::{Library, errors};

fn start() -> NvmlAnswer {
    crate::driver::machine().ok_or(NvmlError::UNINITIALIZED)?;
    USERS.fetch_add(1, Ordering::AcqRel);
    Ok(())
}

pub fn nvmlInit() -> NvmlAnswer {
    start()
}

pub fn nvmlInit_v2() -> NvmlAnswer {
    start()
}

pub fn nvmlInitWithFlags(_flags: u32) -> NvmlAnswer {
    start()
}

pub fn nvmlShutdown() -> NvmlAnswer {
    let less = |users: u32| users.checked_sub(1);
    let was_ready = USERS.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    was_ready.map(|_| ()).map_err(|_| NvmlError::UNINITIALIZED)
}

pub fn nvmlErrorString(result: u32) -> *const c_char {
    let known = errors(Library::Nvml)
        .iter()
        .find(|info| info.code == result);
    known.map_or(c"Unknown Error".as_ptr(), |info| info.text.as_ptr().cast())
}

pub fn nvmlSystemGetDriverVersion(version: Out<u8>, length: u32) -> NvmlAnswer {
    write_text(version, length, &ready()?.profile.driver_version)
}

pub fn nvmlSystemGetNVMLVersion(version: Out<u8>, length: u32) -> NvmlAnswer {
    let driver = ready()?;
    let cuda_major = driver.profile.cuda_version / 1000;
    write_text(
        version,
        length,
        &format!("{cuda_major}.{}", driver.profile.driver_version),
    )
}

pub fn nvmlSystemGetCudaDriverVersion(cudaDriverVersion: Out<i32>) -> NvmlAnswer {
    // Works before nvmlInit, as documented.
    let driver = crate::driver::machine().ok_or(NvmlError::UNINITIALIZED)?;
    place(cudaDriverVersion)?.set(driver.profile.cuda_version);
    Ok(())
}

pub fn nvmlSystemGetCudaDriverVersion_v2(cudaDriverVersion: Out<i32>) -> NvmlAnswer {
    nvmlSystemGetCudaDriverVersion(cudaDriverVersion)
}
