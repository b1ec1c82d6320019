//! Green contexts: contexts that share all that a device's primary context has, and run on a part of its multiprocessors. Since kernels are not
//! executed, the part shows in what is answered about it, and in how many blocks a cooperative launch may have.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::sm_resource::SmPart;
use super::{Context, GREATEST_PRIORITY};
use crate::abi::{CUcontext, CUdevResourceDesc, CUdevice, CUevent, CUgreenCtx, CUstream};
use crate::boundary::Out;
use crate::driver::{self, Driver};
use crate::event;
use crate::status::{Answer, CuError};
use crate::stream::{NON_BLOCKING, Stream};

/// `CU_GREEN_CTX_DEFAULT_STREAM`: all flags that there are.
const DEFAULT_STREAM: u32 = 1;

/// What makes a context a green one.
#[derive(Clone, Copy, Debug)]
pub struct Green {
    /// Its handle as a green context.
    pub handle: CUgreenCtx,
    /// What it has of its device.
    pub part: SmPart,
}

/// The living green context of a handle, as the context that it is.
pub fn find_green(driver: &Driver, handle: CUgreenCtx) -> Result<Arc<Context>, CuError> {
    let context = driver.green_contexts.get(handle.0);
    let context = context.ok_or(CuError::INVALID_CONTEXT)?;
    super::find(driver, *context)
}

pub fn cuGreenCtxCreate(
    phCtx: Out<CUgreenCtx>,
    desc: CUdevResourceDesc,
    dev: CUdevice,
    flags: u32,
) -> Answer {
    let driver = driver::started()?;
    let place = phCtx.required()?;
    let device = driver.device(dev)?;
    let descriptor = driver.resource_descriptors.get(desc.0);
    let part = descriptor.ok_or(CuError::INVALID_VALUE)?.part;
    if flags & !DEFAULT_STREAM != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    if part.device != device.index {
        return Err(CuError::INVALID_DEVICE);
    }
    let primary = device.primary.retain(driver, device)?;
    let made = Context::create_green(driver, &primary, part.given());
    let Ok(green) = made else {
        device.primary.release(driver)?;
        return Err(CuError::OUT_OF_MEMORY);
    };
    place.set(green);
    Ok(())
}

pub fn cuGreenCtxDestroy(hCtx: CUgreenCtx) -> Answer {
    let driver = driver::started()?;
    let context = find_green(driver, hCtx)?;
    if super::current::top().is_some_and(|top| top.handle == context.handle) {
        super::current::pop();
    }
    driver.green_contexts.remove(hCtx.0);
    driver.contexts.remove(context.handle.0);
    context.alive.store(false, Ordering::Release);
    // The program destroys streams itself; what else it asks of them is refused.
    for (_, stream) in driver.streams.all() {
        if stream.context == context.handle {
            stream.detach();
        }
    }
    context.device.primary.release(driver)
}

pub fn cuCtxFromGreenCtx(pContext: Out<CUcontext>, hCtx: CUgreenCtx) -> Answer {
    let driver = driver::started()?;
    let place = pContext.required()?;
    place.set(find_green(driver, hCtx)?.handle);
    Ok(())
}

pub fn cuGreenCtxGetId(greenCtx: CUgreenCtx, greenCtxId: Out<u64>) -> Answer {
    let driver = driver::started()?;
    let place = greenCtxId.required()?;
    place.set(find_green(driver, greenCtx)?.unique_id);
    Ok(())
}

pub fn cuGreenCtxStreamCreate(
    phStream: Out<CUstream>,
    greenCtx: CUgreenCtx,
    flags: u32,
    priority: i32,
) -> Answer {
    let driver = driver::started()?;
    let place = phStream.required()?;
    let context = find_green(driver, greenCtx)?;
    if flags != NON_BLOCKING {
        return Err(CuError::INVALID_VALUE);
    }
    let priority = priority.clamp(GREATEST_PRIORITY, 0);
    let make = |handle| Stream::created(CUstream(handle), &context, flags, priority);
    let stream = driver.streams.insert(make).ok_or(CuError::OUT_OF_MEMORY)?;
    place.set(stream.handle);
    Ok(())
}

pub fn cuGreenCtxRecordEvent(hCtx: CUgreenCtx, hEvent: CUevent) -> Answer {
    let driver = driver::started()?;
    let context = find_green(driver, hCtx)?;
    event::find(driver, hEvent)?.record_after_all(&context);
    Ok(())
}

pub fn cuGreenCtxWaitEvent(hCtx: CUgreenCtx, hEvent: CUevent) -> Answer {
    let driver = driver::started()?;
    let context = find_green(driver, hCtx)?;
    let event = event::find(driver, hEvent)?;
    for queue in context.group.queues() {
        event.hold_back(&queue);
    }
    Ok(())
}
