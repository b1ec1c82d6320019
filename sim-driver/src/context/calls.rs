//! `cuCtx*`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Context, current, with_current};
use crate::abi::{CUcontext, CUctxCreateParams, CUdevice, CUevent, CUexecAffinityParam};
use crate::boundary::Out;
use crate::driver::{self, Driver};
use crate::event;
use crate::status::{Answer, CuError};
use crate::stream::waits_for_context;

/// `CUctx_flags`: all bits that exist, and the three that say how to wait.
const ALL_FLAGS: u32 = 0xff;
const SCHEDULE_FLAGS: u32 = 0x07;
/// What `cuCtxGetApiVersion` answers: no newer context interface has changed since.
const API_VERSION: u32 = 3020;
/// Streams of the highest priority have this number; 0 is the lowest.
pub const GREATEST_PRIORITY: i32 = -5;

/// At most one way of waiting, and no unknown bit.
pub fn check_flags(flags: u32) -> Answer {
    let one_way_to_wait = (flags & SCHEDULE_FLAGS).count_ones() <= 1;
    if flags & !ALL_FLAGS == 0 && one_way_to_wait {
        Ok(())
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

/// The living context of a handle.
pub fn find(driver: &Driver, handle: CUcontext) -> Result<Arc<Context>, CuError> {
    let context = driver
        .contexts
        .get(handle.0)
        .ok_or(CuError::INVALID_CONTEXT)?;
    if context.is_alive() {
        Ok(context)
    } else {
        Err(CuError::CONTEXT_IS_DESTROYED)
    }
}

/// The context of a handle that is to become current. A primary context may be made current before anyone retains it (the CUDA
/// runtime does so); only using it is an error then.
fn find_for_current(driver: &Driver, handle: CUcontext) -> Result<Arc<Context>, CuError> {
    driver
        .contexts
        .get(handle.0)
        .ok_or(CuError::INVALID_CONTEXT)
}

/// The context of a handle, or the current one for NULL.
pub(super) fn named_or_current(handle: CUcontext) -> Result<Arc<Context>, CuError> {
    if handle.is_null() {
        current()
    } else {
        find(driver::started()?, handle)
    }
}

fn create(pctx: Out<CUcontext>, flags: u32, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let pctx = pctx.required()?;
    check_flags(flags)?;
    let context = Context::create(driver, driver.device(dev)?, flags, false)?;
    pctx.set(context.handle);
    current::push(context);
    Ok(())
}

pub fn cuCtxCreate(pctx: Out<CUcontext>, flags: u32, dev: CUdevice) -> Answer {
    create(pctx, flags, dev)
}

pub fn cuCtxCreate_v2(pctx: Out<CUcontext>, flags: u32, dev: CUdevice) -> Answer {
    create(pctx, flags, dev)
}

pub fn cuCtxCreate_v3(
    pctx: Out<CUcontext>,
    paramsArray: Out<CUexecAffinityParam>,
    numParams: i32,
    flags: u32,
    dev: CUdevice,
) -> Answer {
    driver::started()?;
    check_affinity(paramsArray.is_null(), numParams)?;
    create(pctx, flags, dev)
}

pub fn cuCtxCreate_v4(
    pctx: Out<CUcontext>,
    ctxCreateParams: Out<CUctxCreateParams>,
    flags: u32,
    dev: CUdevice,
) -> Answer {
    driver::started()?;
    if let Some(params) = ctxCreateParams.get() {
        check_affinity(
            params.execAffinityParams.is_null(),
            params.numExecAffinityParams,
        )?;
        if !params.cigParams.is_null() {
            return Err(CuError::NOT_SUPPORTED);
        }
    }
    create(pctx, flags, dev)
}

/// Confining a context to a part of the device needs the MPS server.
fn check_affinity(absent: bool, count: i32) -> Answer {
    match count {
        0 => Ok(()),
        1.. if !absent => Err(CuError::UNSUPPORTED_EXEC_AFFINITY),
        _ => Err(CuError::INVALID_VALUE),
    }
}

pub fn cuCtxDestroy(ctx: CUcontext) -> Answer {
    cuCtxDestroy_v2(ctx)
}

pub fn cuCtxDestroy_v2(ctx: CUcontext) -> Answer {
    if ctx.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    let context = find(driver, ctx)?;
    if context.is_primary || context.green().is_some() {
        return Err(CuError::INVALID_CONTEXT);
    }
    if current::top().is_some_and(|top| top.id == context.id) {
        current::pop();
    }
    driver.contexts.remove(ctx.0);
    context.end(driver);
    Ok(())
}

pub fn cuCtxAttach(pctx: Out<CUcontext>, flags: u32) -> Answer {
    let context = current()?;
    let pctx = pctx.required()?;
    if flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    context.attached.fetch_add(1, Ordering::Relaxed);
    pctx.set(context.handle);
    Ok(())
}

pub fn cuCtxDetach(ctx: CUcontext) -> Answer {
    let context = current()?;
    if context.handle != ctx {
        return Err(CuError::INVALID_CONTEXT);
    }
    let less = |attached: u32| attached.checked_sub(1);
    match context
        .attached
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
    {
        Ok(_) => Ok(()),
        Err(_) => cuCtxDestroy_v2(ctx),
    }
}

pub fn cuCtxPushCurrent(ctx: CUcontext) -> Answer {
    cuCtxPushCurrent_v2(ctx)
}

pub fn cuCtxPushCurrent_v2(ctx: CUcontext) -> Answer {
    let driver = driver::started()?;
    current::push(find_for_current(driver, ctx)?);
    Ok(())
}

pub fn cuCtxPopCurrent(pctx: Out<CUcontext>) -> Answer {
    cuCtxPopCurrent_v2(pctx)
}

pub fn cuCtxPopCurrent_v2(pctx: Out<CUcontext>) -> Answer {
    driver::started()?;
    let context = current::pop().ok_or(CuError::INVALID_CONTEXT)?;
    pctx.set(context.handle);
    Ok(())
}

pub fn cuCtxSetCurrent(ctx: CUcontext) -> Answer {
    let driver = driver::started()?;
    let context = if ctx.is_null() {
        None
    } else {
        Some(find_for_current(driver, ctx)?)
    };
    current::replace(context);
    Ok(())
}

pub fn cuCtxGetCurrent(pctx: Out<CUcontext>) -> Answer {
    driver::started()?;
    let pctx = pctx.required()?;
    pctx.set(current::top_handle());
    Ok(())
}

pub fn cuCtxGetDevice(device: Out<CUdevice>) -> Answer {
    let driver = driver::started()?;
    with_current(|context| {
        let _: () = device.required()?.set(driver.ordinal(context.device));
        Ok(())
    })?
}

pub fn cuCtxGetDevice_v2(device: Out<CUdevice>, ctx: CUcontext) -> Answer {
    let driver = driver::started()?;
    let context = named_or_current(ctx)?;
    device.required()?.set(driver.ordinal(context.device));
    Ok(())
}

pub fn cuCtxGetFlags(flags: Out<u32>) -> Answer {
    let flags = flags.required()?;
    with_current(|context| flags.set(context.flags.load(Ordering::Relaxed)))
}

pub fn cuCtxSetFlags(flags: u32) -> Answer {
    let context = current()?;
    check_flags(flags)?;
    context.flags.store(flags, Ordering::Relaxed);
    Ok(())
}

pub fn cuCtxGetId(ctx: CUcontext, ctxId: Out<u64>) -> Answer {
    let ctxId = ctxId.required()?;
    ctxId.set(named_or_current(ctx)?.unique_id);
    Ok(())
}

pub fn cuCtxGetApiVersion(ctx: CUcontext, version: Out<u32>) -> Answer {
    driver::started()?;
    named_or_current(ctx)?;
    version.required()?.set(API_VERSION);
    Ok(())
}

pub fn cuCtxSynchronize() -> Answer {
    let context = current()?;
    waits_for_context(&context)?;
    context.group.wait();
    Ok(())
}

pub fn cuCtxSynchronize_v2(ctx: CUcontext) -> Answer {
    driver::started()?;
    let context = named_or_current(ctx)?;
    waits_for_context(&context)?;
    context.group.wait();
    Ok(())
}

pub fn cuCtxSetLimit(limit: u32, value: usize) -> Answer {
    let context = current()?;
    context.limits().set(limit, value, context.device)
}

pub fn cuCtxGetLimit(pvalue: Out<usize>, limit: u32) -> Answer {
    let context = current()?;
    let pvalue = pvalue.required()?;
    pvalue.set(context.limits().get(limit)?);
    Ok(())
}

pub fn cuCtxGetCacheConfig(pconfig: Out<u32>) -> Answer {
    let context = current()?;
    pconfig
        .required()?
        .set(context.cache_config.load(Ordering::Relaxed));
    Ok(())
}

pub fn cuCtxSetCacheConfig(config: u32) -> Answer {
    let context = current()?;
    if config > 3 {
        return Err(CuError::INVALID_VALUE);
    }
    context.cache_config.store(config, Ordering::Relaxed);
    Ok(())
}

pub fn cuCtxGetSharedMemConfig(pConfig: Out<u32>) -> Answer {
    let context = current()?;
    pConfig
        .required()?
        .set(context.shared_memory_config.load(Ordering::Relaxed).max(1));
    Ok(())
}

pub fn cuCtxSetSharedMemConfig(config: u32) -> Answer {
    let context = current()?;
    if config > 2 {
        return Err(CuError::INVALID_VALUE);
    }
    // Banks have had one width since Maxwell: the setting is accepted, and 4 bytes stay 4 bytes.
    context.shared_memory_config.store(1, Ordering::Relaxed);
    Ok(())
}

pub fn cuCtxGetStreamPriorityRange(leastPriority: Out<i32>, greatestPriority: Out<i32>) -> Answer {
    current()?;
    leastPriority.set(0);
    greatestPriority.set(GREATEST_PRIORITY);
    Ok(())
}

pub fn cuCtxResetPersistingL2Cache() -> Answer {
    current().map(|_| ())
}

pub fn cuCtxGetExecAffinity(pExecAffinity: Out<CUexecAffinityParam>, r#type: u32) -> Answer {
    let context = current()?;
    let place = pExecAffinity.required()?;
    if r#type != 0 {
        return Err(CuError::UNSUPPORTED_EXEC_AFFINITY);
    }
    place.set(CUexecAffinityParam {
        r#type: 0,
        param: context.multiprocessors(),
    });
    Ok(())
}

pub fn cuCtxEnablePeerAccess(peerContext: CUcontext, Flags: u32) -> Answer {
    let driver = driver::started()?;
    let own = current()?;
    let peer = find(driver, peerContext)?;
    if Flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    if peer.device.index == own.device.index {
        return Err(CuError::INVALID_DEVICE);
    }
    own.enable_peer(peer.id)
}

pub fn cuCtxDisablePeerAccess(peerContext: CUcontext) -> Answer {
    let driver = driver::started()?;
    let own = current()?;
    let peer = find(driver, peerContext)?;
    own.disable_peer(peer.id)
}

pub fn cuCtxRecordEvent(hCtx: CUcontext, hEvent: CUevent) -> Answer {
    let driver = driver::started()?;
    let context = find(driver, hCtx)?;
    let event = event::find(driver, hEvent)?;
    event.record_after_all(&context);
    Ok(())
}

pub fn cuCtxWaitEvent(hCtx: CUcontext, hEvent: CUevent) -> Answer {
    let driver = driver::started()?;
    let context = find(driver, hCtx)?;
    let event = event::find(driver, hEvent)?;
    for queue in context.group.queues() {
        event.hold_back(&queue);
    }
    Ok(())
}
