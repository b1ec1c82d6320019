//! `cuGraphInstantiate*`, `cuGraphExecUpdate`, `cuGraphUpload`, `cuGraphLaunch` and what belongs to them.

use std::sync::Arc;

use super::{Exec, Operation, find};
use crate::abi::{
    CUDA_GRAPH_INSTANTIATE_PARAMS, CUgraph, CUgraphExec, CUgraphExecUpdateResultInfo_v1,
    CUgraphNode, CUstream,
};
use crate::boundary::Out;
use crate::driver;
use crate::status::{Answer, CuError};
use crate::stream::resolve;
use crate::surface::DefaultStream;

/// `CUgraphInstantiate_flags`: free on launch 1, upload 2, launch on the device 4, priorities of nodes 8.
const ALL_FLAGS: u64 = 15;
const UPLOAD: u64 = 2;
const DEVICE_LAUNCH: u64 = 4;
/// `CUgraphInstantiateResult`.
const INSTANTIATE_SUCCESS: u32 = 0;
const INSTANTIATE_ERROR: u32 = 1;
const INVALID_STRUCTURE: u32 = 2;
const OPERATION_NOT_SUPPORTED: u32 = 3;
const CONDITION_UNUSED: u32 = 5;
/// `CU_GRAPH_EXEC_UPDATE_ERROR`.
const UPDATE_ERROR: u32 = 1;

fn instantiate(graph: CUgraph, flags: u64) -> Result<CUgraphExec, CuError> {
    let driver = driver::started()?;
    let graph = find(driver, graph)?;
    crate::context::current()?;
    if flags & !ALL_FLAGS != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    // Graphs that device code launches need kernels that run.
    if flags & DEVICE_LAUNCH != 0 {
        return Err(CuError::NOT_SUPPORTED);
    }
    if graph.has_unused_condition(driver) {
        return Err(CuError::INVALID_VALUE);
    }
    Exec::instantiate(driver, &graph, flags).map(|exec| exec.handle)
}

fn has_unused_condition(graph: CUgraph) -> bool {
    let driver = driver::started();
    driver.is_ok_and(|driver| {
        find(driver, graph).is_ok_and(|graph| graph.has_unused_condition(driver))
    })
}

fn instantiate_with_log(
    place: Out<CUgraphExec>,
    graph: CUgraph,
    error_node: Out<CUgraphNode>,
    log: (Out<u8>, usize),
) -> Answer {
    driver::started()?;
    let place = place.required()?;
    error_node.set(CUgraphNode::default());
    if !log.0.is_null() {
        log.0.set_text("", log.1);
    }
    place.set(instantiate(graph, 0)?);
    Ok(())
}

pub fn cuGraphInstantiate(
    phGraphExec: Out<CUgraphExec>,
    hGraph: CUgraph,
    phErrorNode: Out<CUgraphNode>,
    logBuffer: Out<u8>,
    bufferSize: usize,
) -> Answer {
    instantiate_with_log(phGraphExec, hGraph, phErrorNode, (logBuffer, bufferSize))
}

pub fn cuGraphInstantiate_v2(
    phGraphExec: Out<CUgraphExec>,
    hGraph: CUgraph,
    phErrorNode: Out<CUgraphNode>,
    logBuffer: Out<u8>,
    bufferSize: usize,
) -> Answer {
    instantiate_with_log(phGraphExec, hGraph, phErrorNode, (logBuffer, bufferSize))
}

pub fn cuGraphInstantiateWithFlags(
    phGraphExec: Out<CUgraphExec>,
    hGraph: CUgraph,
    flags: u64,
) -> Answer {
    // Uploading needs a stream, which only cuGraphInstantiateWithParams has. Told before "not initialized", as measured on 535.
    if flags & !ALL_FLAGS != 0 || flags & UPLOAD != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    driver::started()?;
    let place = phGraphExec.required()?;
    place.set(instantiate(hGraph, flags)?);
    Ok(())
}

pub fn cuGraphInstantiateWithParams(
    default_stream: DefaultStream,
    phGraphExec: Out<CUgraphExec>,
    hGraph: CUgraph,
    instantiateParams: Out<CUDA_GRAPH_INSTANTIATE_PARAMS>,
) -> Answer {
    let place = phGraphExec.required()?;
    let mut params = instantiateParams.get().ok_or(CuError::INVALID_VALUE)?;
    let made = if params.flags & UPLOAD != 0 {
        resolve(default_stream, params.hUploadStream)
            .and_then(|_| instantiate(hGraph, params.flags))
    } else {
        instantiate(hGraph, params.flags)
    };
    params.hErrNode_out = CUgraphNode::default();
    params.result_out = match made {
        Ok(_) => INSTANTIATE_SUCCESS,
        Err(CuError::INVALID_VALUE) if has_circle(hGraph) => INVALID_STRUCTURE,
        Err(CuError::INVALID_VALUE) if has_unused_condition(hGraph) => CONDITION_UNUSED,
        Err(CuError::NOT_SUPPORTED) if params.flags & DEVICE_LAUNCH == 0 => OPERATION_NOT_SUPPORTED,
        Err(_) => INSTANTIATE_ERROR,
    };
    instantiateParams.set(params);
    place.set(made?);
    Ok(())
}

fn has_circle(graph: CUgraph) -> bool {
    driver::started()
        .and_then(|driver| find(driver, graph))
        .is_ok_and(|graph| graph.content().in_order().is_none())
}

fn find_exec(handle: CUgraphExec) -> Result<Arc<Exec>, CuError> {
    driver::started()?
        .graph_execs
        .get(handle.0)
        .ok_or(CuError::INVALID_VALUE)
}

pub fn cuGraphExecDestroy(hGraphExec: CUgraphExec) -> Answer {
    let driver = driver::started()?;
    let exec = driver
        .graph_execs
        .remove(hGraphExec.0)
        .ok_or(CuError::INVALID_VALUE)?;
    exec.end(driver);
    Ok(())
}

pub fn cuGraphExecGetFlags(hGraphExec: CUgraphExec, flags: Out<u64>) -> Answer {
    driver::started()?;
    let place = flags.required()?;
    place.set(find_exec(hGraphExec)?.flags & !UPLOAD);
    Ok(())
}

pub fn cuGraphExecGetId(hGraphExec: CUgraphExec, graphId: Out<u32>) -> Answer {
    let place = graphId.required()?;
    place.set(find_exec(hGraphExec)?.id);
    Ok(())
}

pub fn cuGraphExecUpdate(
    hGraphExec: CUgraphExec,
    hGraph: CUgraph,
    hErrorNode_out: Out<CUgraphNode>,
    updateResult_out: Out<u32>,
) -> Answer {
    driver::started()?;
    let (answer, info) = update(hGraphExec, hGraph);
    hErrorNode_out.required()?.set(info.errorNode);
    updateResult_out.required()?.set(info.result);
    answer
}

pub fn cuGraphExecUpdate_v2(
    hGraphExec: CUgraphExec,
    hGraph: CUgraph,
    resultInfo: Out<CUgraphExecUpdateResultInfo_v1>,
) -> Answer {
    driver::started()?;
    let place = resultInfo.required()?;
    let (answer, info) = update(hGraphExec, hGraph);
    place.set(info);
    answer
}

fn update(exec: CUgraphExec, graph: CUgraph) -> (Answer, CUgraphExecUpdateResultInfo_v1) {
    let mut info = CUgraphExecUpdateResultInfo_v1 {
        result: 0,
        errorNode: CUgraphNode::default(),
        errorFromNode: CUgraphNode::default(),
    };
    let found = find_exec(exec).and_then(|exec| Ok((exec, find(driver::started()?, graph)?)));
    let (exec, graph) = match found {
        Ok(found) => found,
        Err(error) => {
            info.result = UPDATE_ERROR;
            return (Err(error), info);
        }
    };
    match exec.update(&graph) {
        Ok(()) => (Ok(()), info),
        Err(difference) => {
            info.result = difference.result;
            info.errorNode = difference.node;
            info.errorFromNode = difference.from;
            (Err(CuError::GRAPH_EXEC_UPDATE_FAILURE), info)
        }
    }
}

pub fn cuGraphUpload(
    default_stream: DefaultStream,
    hGraph: CUgraphExec,
    hStream: CUstream,
) -> Answer {
    find_exec(hGraph)?;
    let (context, stream) = resolve(default_stream, hStream)?;
    stream.refuse_capture(&context)
}

pub fn cuGraphLaunch(
    default_stream: DefaultStream,
    hGraph: CUgraphExec,
    hStream: CUstream,
) -> Answer {
    let driver = driver::started()?;
    let exec = find_exec(hGraph)?;
    let (context, stream) = resolve(default_stream, hStream)?;
    // Into a stream that is captured, a launch is a child graph.
    if stream.is_capturing() {
        let child = exec.as_graph(driver)?;
        stream.is_captured(&context, || Operation::Child(child))?;
        return Ok(());
    }
    stream.refuse_capture(&context)?;
    exec.launch(driver, &context, &stream)
}
