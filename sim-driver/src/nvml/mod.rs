//! NVML: the management library's view of the same GPUs.

pub mod abi;
mod device_calls;
mod model_calls;
mod process_calls;
mod system_calls;

use std::sync::atomic::{AtomicU32, Ordering};

pub use device_calls::*;
pub use model_calls::*;
pub use process_calls::*;
pub use system_calls::*;

use crate::boundary::{Out, Text};
use crate::device::Device;
use crate::driver::{self, Driver};
use crate::status::NvmlError;
use abi::nvmlDevice_t;

/// How many more `nvmlInit` than `nvmlShutdown` there were.
static USERS: AtomicU32 = AtomicU32::new(0);

/// Device handles are this plus the GPU's place: never an address, and told apart from anything else.
const FIRST_HANDLE: u64 = 0x5f6e_766d_6c00;
const HANDLE_STEP: u64 = 16;

fn handle_of(device: &Device) -> nvmlDevice_t {
    nvmlDevice_t(FIRST_HANDLE + device.index as u64 * HANDLE_STEP)
}

/// The machine, if NVML is initialised.
fn ready() -> Result<&'static Driver, NvmlError> {
    if USERS.load(Ordering::Acquire) == 0 {
        return Err(NvmlError::UNINITIALIZED);
    }
    driver::machine().ok_or(NvmlError::UNINITIALIZED)
}

/// The GPU of a handle.
fn device(handle: nvmlDevice_t) -> Result<&'static Device, NvmlError> {
    let driver = ready()?;
    let offset = handle
        .0
        .checked_sub(FIRST_HANDLE)
        .filter(|offset| offset.is_multiple_of(HANDLE_STEP));
    let place = offset.and_then(|offset| usize::try_from(offset / HANDLE_STEP).ok());
    place
        .and_then(|place| driver.gpus.get(place))
        .ok_or(NvmlError::INVALID_ARGUMENT)
}

/// A place to write to, which must not be NULL.
fn place<T: Copy>(out: Out<T>) -> Result<Out<T>, NvmlError> {
    out.required().map_err(|_| NvmlError::INVALID_ARGUMENT)
}

/// A string, which must not be NULL.
fn text(given: Text) -> Result<String, NvmlError> {
    given.get().ok_or(NvmlError::INVALID_ARGUMENT)
}

/// Writes text that must fit with its closing NUL.
fn write_text(out: Out<u8>, capacity: u32, text: &str) -> Result<(), NvmlError> {
    let out = place(out)?;
    if text.len() >= capacity as usize {
        return Err(NvmlError::INSUFFICIENT_SIZE);
    }
    out.set_text(text, capacity as usize);
    Ok(())
}
