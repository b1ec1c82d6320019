//! `cuStreamBeginCapture`, `cuStreamEndCapture` and the calls that ask about a capture or change it.

use super::capture::{Capture, GLOBAL, check_mode, exchange_mode};
use super::resolve;
use crate::abi::{CUgraph, CUgraphEdgeData, CUgraphNode, CUstream};
use crate::boundary::{In, Out};
use crate::driver;
use crate::graph::{edges_from, find as find_graph};
use crate::status::{Answer, CuError};
use crate::surface::DefaultStream;

/// `CUstreamCaptureStatus`.
const NOT_CAPTURING: u32 = 0;
const ACTIVE: u32 = 1;
const INVALIDATED: u32 = 2;

pub fn cuStreamBeginCapture(default_stream: DefaultStream, hStream: CUstream) -> Answer {
    cuStreamBeginCapture_v2(default_stream, hStream, GLOBAL)
}

pub fn cuStreamBeginCapture_v2(
    default_stream: DefaultStream,
    hStream: CUstream,
    mode: u32,
) -> Answer {
    // Measured on 535: an unknown mode is told before "not initialized".
    check_mode(mode)?;
    let (_, stream) = resolve(default_stream, hStream)?;
    Capture::begin(&stream, mode, None)
}

pub fn cuStreamBeginCaptureToGraph(
    default_stream: DefaultStream,
    hStream: CUstream,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    dependencyData: In<CUgraphEdgeData>,
    numDependencies: usize,
    mode: u32,
) -> Answer {
    let (_, stream) = resolve(default_stream, hStream)?;
    let graph = find_graph(driver::started()?, hGraph)?;
    let nodes = dependencies.all(numDependencies);
    if nodes.len() != numDependencies {
        return Err(CuError::INVALID_VALUE);
    }
    let leaves = edges_from(&graph, &nodes, &dependencyData.all(numDependencies))?;
    Capture::begin(&stream, mode, Some((graph, leaves)))
}

pub fn cuStreamEndCapture(
    default_stream: DefaultStream,
    hStream: CUstream,
    phGraph: Out<CUgraph>,
) -> Answer {
    let place = phGraph.required()?;
    let (_, stream) = resolve(default_stream, hStream)?;
    place.set(CUgraph::default());
    place.set(Capture::end(&stream)?.handle);
    Ok(())
}

/// Where `cuStreamGetCaptureInfo` writes what; every place but the first may be NULL.
struct Info {
    status: Out<u32>,
    id: Out<u64>,
    graph: Out<CUgraph>,
    nodes: Out<*const CUgraphNode>,
    edges: Out<*const CUgraphEdgeData>,
    count: Out<usize>,
}

impl Info {
    fn of_status(status: Out<u32>) -> Self {
        Self {
            status,
            id: nothing(),
            graph: nothing(),
            nodes: nothing(),
            edges: nothing(),
            count: nothing(),
        }
    }

    fn answer(&self, default_stream: DefaultStream, stream: CUstream) -> Answer {
        let status = self.status.required()?;
        let (context, stream) = resolve(default_stream, stream)?;
        // Asking about the legacy default stream spoils nothing, but cannot be answered while a blocking stream is captured.
        if !stream.conflicting_captures(&context).is_empty() {
            return Err(CuError::STREAM_CAPTURE_IMPLICIT);
        }
        let mut part = stream.part();
        let Some(part) = part.as_mut() else {
            status.set(NOT_CAPTURING);
            return Ok(());
        };
        if part.capture.is_invalid() {
            status.set(INVALIDATED);
            return Ok(());
        }
        status.set(ACTIVE);
        self.id.set(part.capture.id);
        self.graph.set(part.capture.graph.handle);
        let content = part.capture.graph.content();
        let handle = |number| content.handle(number).unwrap_or_default();
        part.shown.0 = part.leaves.iter().map(|edge| handle(edge.from)).collect();
        part.shown.1 = part.leaves.iter().map(|edge| edge.data).collect();
        self.nodes.set(part.shown.0.as_ptr());
        self.edges.set(part.shown.1.as_ptr());
        self.count.set(part.shown.0.len());
        Ok(())
    }
}

fn nothing<T: Copy>() -> Out<T> {
    Out::at(std::ptr::null_mut())
}

pub fn cuStreamIsCapturing(
    default_stream: DefaultStream,
    hStream: CUstream,
    captureStatus: Out<u32>,
) -> Answer {
    Info::of_status(captureStatus).answer(default_stream, hStream)
}

pub fn cuStreamGetCaptureInfo(
    default_stream: DefaultStream,
    hStream: CUstream,
    captureStatus_out: Out<u32>,
    id_out: Out<u64>,
) -> Answer {
    let info = Info {
        id: id_out,
        ..Info::of_status(captureStatus_out)
    };
    info.answer(default_stream, hStream)
}

pub fn cuStreamGetCaptureInfo_v2(
    default_stream: DefaultStream,
    hStream: CUstream,
    captureStatus_out: Out<u32>,
    id_out: Out<u64>,
    graph_out: Out<CUgraph>,
    dependencies_out: Out<*const CUgraphNode>,
    numDependencies_out: Out<usize>,
) -> Answer {
    let info = Info {
        id: id_out,
        graph: graph_out,
        nodes: dependencies_out,
        count: numDependencies_out,
        ..Info::of_status(captureStatus_out)
    };
    info.answer(default_stream, hStream)
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuStreamGetCaptureInfo_v3(
    default_stream: DefaultStream,
    hStream: CUstream,
    captureStatus_out: Out<u32>,
    id_out: Out<u64>,
    graph_out: Out<CUgraph>,
    dependencies_out: Out<*const CUgraphNode>,
    edgeData_out: Out<*const CUgraphEdgeData>,
    numDependencies_out: Out<usize>,
) -> Answer {
    let info = Info {
        status: captureStatus_out,
        id: id_out,
        graph: graph_out,
        nodes: dependencies_out,
        edges: edgeData_out,
        count: numDependencies_out,
    };
    info.answer(default_stream, hStream)
}

pub fn cuStreamUpdateCaptureDependencies(
    default_stream: DefaultStream,
    hStream: CUstream,
    dependencies: Out<CUgraphNode>,
    numDependencies: usize,
    flags: u32,
) -> Answer {
    let plain = In::at(std::ptr::null());
    cuStreamUpdateCaptureDependencies_v2(
        default_stream,
        hStream,
        dependencies,
        plain,
        numDependencies,
        flags,
    )
}

pub fn cuStreamUpdateCaptureDependencies_v2(
    default_stream: DefaultStream,
    hStream: CUstream,
    dependencies: Out<CUgraphNode>,
    dependencyData: In<CUgraphEdgeData>,
    numDependencies: usize,
    flags: u32,
) -> Answer {
    const ADD: u32 = 0;
    const SET: u32 = 1;
    let (_, stream) = resolve(default_stream, hStream)?;
    let mut part = stream.part();
    let part = part.as_mut().ok_or(CuError::ILLEGAL_STATE)?;
    if part.capture.is_invalid() {
        return Err(CuError::STREAM_CAPTURE_INVALIDATED);
    }
    let nodes = dependencies.all(numDependencies);
    if nodes.len() != numDependencies || !matches!(flags, ADD | SET) {
        return Err(CuError::INVALID_VALUE);
    }
    let data = dependencyData.all(numDependencies);
    let leaves = edges_from(&part.capture.graph, &nodes, &data)?;
    if flags == SET {
        part.leaves.clear();
    }
    part.add_leaves(&leaves);
    Ok(())
}

pub fn cuThreadExchangeStreamCaptureMode(mode: Out<u32>) -> Answer {
    driver::start_was_tried()?;
    let place = mode.required()?;
    // Measured on 535: any number is taken.
    let new = place.get().ok_or(CuError::INVALID_VALUE)?;
    place.set(exchange_mode(new));
    Ok(())
}
