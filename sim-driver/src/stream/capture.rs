//! What streams say about capture. No stream is ever capturing: `cuStreamBeginCapture` is not simulated.

use super::resolve;
use crate::abi::{CUgraph, CUgraphEdgeData, CUgraphNode, CUstream};
use crate::boundary::Out;
use crate::driver;
use crate::status::{Answer, CuError};
use crate::surface::DefaultStream;

/// `CU_STREAM_CAPTURE_STATUS_NONE`.
const NOT_CAPTURING: u32 = 0;

fn status(default_stream: DefaultStream, stream: CUstream, place: Out<u32>) -> Answer {
    let place = place.required()?;
    resolve(default_stream, stream)?;
    place.set(NOT_CAPTURING);
    Ok(())
}

pub fn cuStreamIsCapturing(
    default_stream: DefaultStream,
    hStream: CUstream,
    captureStatus: Out<u32>,
) -> Answer {
    status(default_stream, hStream, captureStatus)
}

pub fn cuStreamGetCaptureInfo(
    default_stream: DefaultStream,
    hStream: CUstream,
    captureStatus_out: Out<u32>,
    _id_out: Out<u64>,
) -> Answer {
    status(default_stream, hStream, captureStatus_out)
}

pub fn cuStreamGetCaptureInfo_v2(
    default_stream: DefaultStream,
    hStream: CUstream,
    captureStatus_out: Out<u32>,
    _id_out: Out<u64>,
    _graph_out: *mut CUgraph,
    _dependencies_out: *mut *const CUgraphNode,
    _numDependencies_out: Out<usize>,
) -> Answer {
    status(default_stream, hStream, captureStatus_out)
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuStreamGetCaptureInfo_v3(
    default_stream: DefaultStream,
    hStream: CUstream,
    captureStatus_out: Out<u32>,
    _id_out: Out<u64>,
    _graph_out: *mut CUgraph,
    _dependencies_out: *mut *const CUgraphNode,
    _edgeData_out: *mut *const CUgraphEdgeData,
    _numDependencies_out: Out<usize>,
) -> Answer {
    status(default_stream, hStream, captureStatus_out)
}

pub fn cuThreadExchangeStreamCaptureMode(mode: Out<u32>) -> Answer {
    driver::start_was_tried()?;
    let place = mode.required()?;
    // Measured on 535: any number is taken.
    let new = place.get().ok_or(CuError::INVALID_VALUE)?;
    thread_local!(static MODE: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
    place.set(MODE.try_with(|mode| mode.replace(new)).unwrap_or(0));
    Ok(())
}
