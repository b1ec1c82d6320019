//! `cuStream*`.

use super::{LEGACY, NON_BLOCKING, PER_THREAD, Stream, resolve};
use crate::abi::{CUcontext, CUdevice, CUevent, CUgreenCtx, CUstream};
use crate::boundary::Out;
use crate::context::{GREATEST_PRIORITY, current, find as find_context};
use crate::driver;
use crate::event;
use crate::graph::Operation;
use crate::status::{Answer, CuError};
use crate::surface::DefaultStream;

pub fn cuStreamCreate(phStream: Out<CUstream>, Flags: u32) -> Answer {
    cuStreamCreateWithPriority(phStream, Flags, 0)
}

pub fn cuStreamCreateWithPriority(phStream: Out<CUstream>, flags: u32, priority: i32) -> Answer {
    // Measured on 535: a bad pointer or flag is told before "not initialized".
    let place = phStream.required()?;
    if flags & !NON_BLOCKING != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    let context = current()?;
    // Priorities outside the range are cut to it, as the documentation says.
    let priority = priority.clamp(GREATEST_PRIORITY, 0);
    let make = |handle| Stream::created(CUstream(handle), &context, flags, priority);
    let stream = driver.streams.insert(make).ok_or(CuError::OUT_OF_MEMORY)?;
    place.set(stream.handle);
    Ok(())
}

pub fn cuStreamDestroy(hStream: CUstream) -> Answer {
    cuStreamDestroy_v2(hStream)
}

pub fn cuStreamDestroy_v2(hStream: CUstream) -> Answer {
    if hStream.is_null() || hStream == LEGACY || hStream == PER_THREAD {
        return Err(CuError::INVALID_HANDLE);
    }
    let driver = driver::started()?;
    // Work that was given goes on: the queue lives until its worker is done.
    let stream = driver
        .streams
        .remove(hStream.0)
        .ok_or(CuError::INVALID_HANDLE)?;
    stream.abandon_capture();
    Ok(())
}

pub fn cuStreamQuery(default_stream: DefaultStream, hStream: CUstream) -> Answer {
    let (context, stream) = resolve(default_stream, hStream)?;
    stream.refuse_capture(&context)?;
    if stream.is_idle() {
        Ok(())
    } else {
        Err(CuError::NOT_READY)
    }
}

pub fn cuStreamSynchronize(default_stream: DefaultStream, hStream: CUstream) -> Answer {
    let (context, stream) = resolve(default_stream, hStream)?;
    stream.refuse_capture(&context)?;
    if context.group.has_waiting() || stream.context_id != context.id {
        stream.submit(&context, || ()).wait();
    }
    Ok(())
}

pub fn cuStreamGetFlags(
    default_stream: DefaultStream,
    hStream: CUstream,
    flags: Out<u32>,
) -> Answer {
    let place = flags.required()?;
    place.set(resolve(default_stream, hStream)?.1.flags);
    Ok(())
}

pub fn cuStreamGetPriority(
    default_stream: DefaultStream,
    hStream: CUstream,
    priority: Out<i32>,
) -> Answer {
    let place = priority.required()?;
    place.set(resolve(default_stream, hStream)?.1.priority);
    Ok(())
}

pub fn cuStreamGetId(
    default_stream: DefaultStream,
    hStream: CUstream,
    streamId: Out<u64>,
) -> Answer {
    let place = streamId.required()?;
    place.set(resolve(default_stream, hStream)?.1.id);
    Ok(())
}

pub fn cuStreamGetCtx(
    default_stream: DefaultStream,
    hStream: CUstream,
    pctx: Out<CUcontext>,
) -> Answer {
    let place = pctx.required()?;
    place.set(resolve(default_stream, hStream)?.1.context);
    Ok(())
}

pub fn cuStreamGetDevice(
    default_stream: DefaultStream,
    hStream: CUstream,
    device: Out<CUdevice>,
) -> Answer {
    let driver = driver::started()?;
    let place = device.required()?;
    let (_, stream) = resolve(default_stream, hStream)?;
    let context = driver
        .contexts
        .get(stream.context.0)
        .ok_or(CuError::CONTEXT_IS_DESTROYED)?;
    place.set(driver.ordinal(context.device));
    Ok(())
}

pub fn cuStreamGetGreenCtx(hStream: CUstream, phCtx: Out<CUgreenCtx>) -> Answer {
    let place = phCtx.required()?;
    let (_, stream) = resolve(DefaultStream::Legacy, hStream)?;
    place.set(green_of(&stream)?.unwrap_or_default());
    Ok(())
}

/// The green context that a stream is of, if it is of one.
fn green_of(stream: &Stream) -> Result<Option<CUgreenCtx>, CuError> {
    let context = find_context(driver::started()?, stream.context)?;
    Ok(context.green().map(|green| green.handle))
}

pub fn cuStreamGetCtx_v2(
    default_stream: DefaultStream,
    hStream: CUstream,
    pCtx: Out<CUcontext>,
    pGreenCtx: Out<CUgreenCtx>,
) -> Answer {
    let (place, green_place) = (pCtx.required()?, pGreenCtx.required()?);
    let (_, stream) = resolve(default_stream, hStream)?;
    match green_of(&stream)? {
        Some(green) => {
            place.set(CUcontext::default());
            green_place.set(green);
        }
        None => {
            place.set(stream.context);
            green_place.set(CUgreenCtx::default());
        }
    }
    Ok(())
}

pub fn cuStreamWaitEvent(
    default_stream: DefaultStream,
    hStream: CUstream,
    hEvent: CUevent,
    Flags: u32,
) -> Answer {
    const EXTERNAL: u32 = 1;
    let driver = driver::started()?;
    let (context, stream) = resolve(default_stream, hStream)?;
    let is_capturing = stream.is_capturing();
    // CU_EVENT_WAIT_EXTERNAL is for capture: the wait becomes a node.
    if Flags & !EXTERNAL != 0 || Flags == EXTERNAL && !is_capturing {
        return Err(CuError::INVALID_VALUE);
    }
    let event = event::find(driver, hEvent)?;
    if Flags == EXTERNAL {
        stream.is_captured(&context, || Operation::WaitEvent(hEvent))?;
    } else if let Some(point) = event.captured_point() {
        stream.join(&point)?;
    } else if is_capturing {
        stream.refuse_isolation()?;
    } else {
        event.hold_back(&stream.queue);
    }
    Ok(())
}
