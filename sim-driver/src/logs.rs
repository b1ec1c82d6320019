//! `cuLogs*`: programs register to be told the driver's messages (PyTorch does). This driver has none to tell: it answers with codes only.

use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

use crate::abi::{CUlogsCallback, CUlogsCallbackHandle};
use crate::boundary::Out;
use crate::driver;
use crate::status::{Answer, CuError};

/// Who has registered and not left.
struct Registered {
    living: Vec<CUlogsCallbackHandle>,
    last: u64,
}

static REGISTERED: Mutex<Registered> = Mutex::new(Registered {
    living: Vec::new(),
    last: 0,
});

pub fn cuLogsRegisterCallback(
    callbackFunc: CUlogsCallback,
    _userData: *mut c_void,
    callback_out: Out<CUlogsCallbackHandle>,
) -> Answer {
    // NULL would leave nobody to call.
    if callbackFunc.is_none() {
        return Err(CuError::INVALID_VALUE);
    }
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    registered.last += 1;
    let handle = CUlogsCallbackHandle(registered.last);
    registered.living.push(handle);
    callback_out.set(handle);
    Ok(())
}

pub fn cuLogsUnregisterCallback(callback: CUlogsCallbackHandle) -> Answer {
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = registered
        .living
        .iter()
        .position(|&living| living == callback);
    registered
        .living
        .swap_remove(place.ok_or(CuError::INVALID_VALUE)?);
    Ok(())
}

pub fn cuLogsCurrent(iterator_out: Out<u32>, flags: u32) -> Answer {
    driver::started()?;
    let place = iterator_out.required()?;
    if flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    place.set(0);
    Ok(())
}
