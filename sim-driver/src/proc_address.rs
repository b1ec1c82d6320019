//! `cuGetProcAddress`: which exported function a name, a version and a default stream stand for.

use std::ffi::c_void;

use crate::boundary::{Out, Text};
use crate::driver;
use crate::profile::LookUps;
use crate::status::{Answer, CuError};
use crate::surface::{DefaultStream, FUNCTIONS, FunctionInfo, Library};

/// `CUdriverProcAddressQueryResult`.
const FOUND: u32 = 0;
const NOT_FOUND: u32 = 1;
const VERSION_NOT_SUFFICIENT: u32 = 2;

/// `CUdriverProcAddress_flags`: 1 asks for the legacy stream, 2 for the per-thread one.
const LEGACY_STREAM: u64 = 1;
const PER_THREAD_STREAM: u64 = 2;

/// What a look-up finds.
enum Found {
    Function(&'static FunctionInfo),
    /// The name is known, but only in versions after the one asked for.
    TooOld,
    Nothing,
}

fn look_up(name: &str, version: u32, stream: DefaultStream, faults: &LookUps) -> Found {
    let known = || {
        FUNCTIONS
            .iter()
            .filter(|info| info.library == Library::Cuda && info.since > 0 && info.base == name)
            .filter(|info| !faults.missing.contains(info.name))
    };
    // As measured on 535: where a per-thread form exists, asking for it never falls back to the legacy form.
    let has_per_thread = known().any(|info| info.default_stream == DefaultStream::PerThread);
    let wanted = if has_per_thread {
        stream
    } else {
        DefaultStream::Legacy
    };
    let newest = known()
        .filter(|info| info.default_stream == wanted && info.since <= version)
        .max_by_key(|info| info.since);
    match newest {
        Some(info) => Found::Function(stand_in(info, faults)),
        None if known().next().is_some() => Found::TooOld,
        None => Found::Nothing,
    }
}

fn search(symbol: Text, version: i32, flags: u64) -> Result<Found, CuError> {
    let name = symbol.required()?;
    // Measured on 535: both stream flags together ask for the per-thread form, other bits are refused.
    let stream = match flags {
        0 | LEGACY_STREAM => DefaultStream::Legacy,
        _ if flags & !(LEGACY_STREAM | PER_THREAD_STREAM) == 0 => DefaultStream::PerThread,
        _ => return Err(CuError::INVALID_VALUE),
    };
    let profile = &driver::machine().ok_or(CuError::NOT_INITIALIZED)?.profile;
    let look_ups = &profile.look_ups;
    // A driver does not know what came after it. A negative version counts as a very new one (measured, too).
    let newest = profile.cuda_version.cast_unsigned();
    let version = if look_ups.ignores_version {
        newest
    } else {
        version.cast_unsigned().min(newest)
    };
    let stream = if look_ups.ignores_stream {
        DefaultStream::Legacy
    } else {
        stream
    };
    Ok(look_up(&name, version, stream, look_ups))
}

/// What a driver with the wrong code behind a name gives instead.
fn stand_in(info: &'static FunctionInfo, faults: &LookUps) -> &'static FunctionInfo {
    let other = faults
        .found_as
        .get(info.name)
        .and_then(|name| FUNCTIONS.iter().find(|info| info.name == *name));
    other.unwrap_or(info)
}

pub fn cuGetProcAddress(
    symbol: Text,
    pfn: Out<*mut c_void>,
    cudaVersion: i32,
    flags: u64,
) -> Answer {
    let pfn = pfn.required()?;
    match search(symbol, cudaVersion, flags)? {
        Found::Function(info) => pfn.set(info.address.0.cast_mut()),
        Found::TooOld | Found::Nothing => return Err(CuError::NOT_FOUND),
    }
    Ok(())
}

pub fn cuGetProcAddress_v2(
    symbol: Text,
    pfn: Out<*mut c_void>,
    cudaVersion: i32,
    flags: u64,
    symbolStatus: Out<u32>,
) -> Answer {
    let pfn = pfn.required()?;
    let (address, status) = match search(symbol, cudaVersion, flags)? {
        Found::Function(info) => (info.address.0.cast_mut(), FOUND),
        Found::TooOld => (std::ptr::null_mut(), VERSION_NOT_SUFFICIENT),
        Found::Nothing => (std::ptr::null_mut(), NOT_FOUND),
    };
    pfn.set(address);
    symbolStatus.set(status);
    Ok(())
}
