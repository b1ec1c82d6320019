//! `cuIpc*EventHandle`: an event of one process in another.

use super::shared_point::SharedPoint;
use super::{DISABLE_TIMING, INTERPROCESS, find};
use crate::abi::{CUevent, CUipcEventHandle_v1};
use crate::boundary::Out;
use crate::context::current;
use crate::driver;
use crate::shared_file::{self, Told};
use crate::status::{Answer, CuError};

/// Handles of events begin so.
const MARK: u64 = u64::from_le_bytes(*b"cutapeIE");

pub fn cuIpcGetEventHandle(pHandle: Out<CUipcEventHandle_v1>, event: CUevent) -> Answer {
    // Measured on 535, here and below: what is NULL is told before "not initialized".
    let place = pHandle.required()?;
    if event.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    current()?;
    let event = find(driver, event)?;
    // cuda.h: the event must have been made for it.
    let shared = event.shared.as_ref().ok_or(CuError::INVALID_HANDLE)?;
    let told = Told::about(shared.file()).ok_or(CuError::OPERATING_SYSTEM)?;
    let [process, descriptor, inode, bytes] = told.words();
    place.set(CUipcEventHandle_v1 {
        reserved: shared_file::handle_of_words([MARK, process, descriptor, inode, bytes, 0, 0, 0]),
    });
    Ok(())
}

pub fn cuIpcOpenEventHandle(phEvent: Out<CUevent>, handle: CUipcEventHandle_v1) -> Answer {
    let place = phEvent.required()?;
    let driver = driver::started()?;
    let context = current()?;
    let [mark, process, descriptor, inode, bytes, ..] =
        shared_file::words_of_handle(&handle.reserved);
    if mark != MARK {
        return Err(CuError::INVALID_VALUE);
    }
    let told = Told::from_words([process, descriptor, inode, bytes]);
    // As for memory: a process may not open what it exported itself.
    if told.is_of_this_process() {
        return Err(CuError::INVALID_CONTEXT);
    }
    let shared = told.open().and_then(SharedPoint::of_file);
    let shared = shared.ok_or(CuError::INVALID_VALUE)?;
    let flags = INTERPROCESS | DISABLE_TIMING;
    place.set(super::insert(driver, &context, flags, Some(shared))?);
    Ok(())
}
