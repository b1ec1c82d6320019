//! The calls that ask for and change what nodes do, in graphs and in graphs made ready to launch.

use std::sync::Arc;

use super::node_calls::check_context;
use super::operation::Operation;
use super::{Exec, find, find_node, machine, node_params, with_node};
use crate::abi::{
    CUDA_BATCH_MEM_OP_NODE_PARAMS_v1, CUDA_HOST_NODE_PARAMS_v1, CUDA_KERNEL_NODE_PARAMS_v1,
    CUDA_KERNEL_NODE_PARAMS_v2, CUDA_MEM_ALLOC_NODE_PARAMS_v1, CUDA_MEMCPY3D,
    CUDA_MEMSET_NODE_PARAMS_v1, CUcontext, CUdeviceptr, CUevent, CUgraph, CUgraphExec, CUgraphNode,
    CUgraphNodeParams,
};
use crate::boundary::{In, Out};
use crate::driver;
use crate::launch::{KernelLaunch, with_kernel};
use crate::status::{Answer, CuError};
use crate::stream::MemoryBatch;

fn find_exec(handle: CUgraphExec) -> Result<Arc<Exec>, CuError> {
    machine()?
        .graph_execs
        .get(handle.0)
        .ok_or(CuError::INVALID_VALUE)
}

/// Replaces what a node does.
fn set(node: CUgraphNode, new: Operation) -> Answer {
    with_node(node, |node| node_params::replace(&mut node.operation, new))
}

/// Replaces what a node does in a graph that is ready to launch.
fn set_exec(exec: CUgraphExec, node: CUgraphNode, new: Operation) -> Answer {
    find_exec(exec)?.with_step(node, |step| node_params::replace(&mut step.operation, new))
}

/// Lets a function read what a node does; it answers nothing for nodes of another type.
fn read<R>(node: CUgraphNode, see: impl FnOnce(&Operation) -> Option<R>) -> Result<R, CuError> {
    with_node(node, |node| {
        see(&node.operation).ok_or(CuError::INVALID_VALUE)
    })
}

pub fn cuGraphKernelNodeGetParams(
    hNode: CUgraphNode,
    nodeParams: Out<CUDA_KERNEL_NODE_PARAMS_v1>,
) -> Answer {
    let place = nodeParams.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Kernel(launch) => Some(launch.params_v1()),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphKernelNodeGetParams_v2(
    hNode: CUgraphNode,
    nodeParams: Out<CUDA_KERNEL_NODE_PARAMS_v2>,
) -> Answer {
    let place = nodeParams.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Kernel(launch) => Some(launch.params()),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphKernelNodeSetParams(
    hNode: CUgraphNode,
    nodeParams: In<CUDA_KERNEL_NODE_PARAMS_v1>,
) -> Answer {
    if hNode.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    nodeParams.required()?;
    driver::started()?;
    set(
        hNode,
        Operation::Kernel(KernelLaunch::of(&with_kernel(&nodeParams.required()?))?),
    )
}

pub fn cuGraphKernelNodeSetParams_v2(
    hNode: CUgraphNode,
    nodeParams: In<CUDA_KERNEL_NODE_PARAMS_v2>,
) -> Answer {
    if hNode.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    nodeParams.required()?;
    driver::started()?;
    set(
        hNode,
        Operation::Kernel(KernelLaunch::of(&nodeParams.required()?)?),
    )
}

pub fn cuGraphMemcpyNodeGetParams(hNode: CUgraphNode, nodeParams: Out<CUDA_MEMCPY3D>) -> Answer {
    driver::started()?;
    let place = nodeParams.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Copy(copy) => Some(copy.descriptor()),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphMemcpyNodeSetParams(hNode: CUgraphNode, nodeParams: In<CUDA_MEMCPY3D>) -> Answer {
    driver::started()?;
    set(hNode, node_params::copy(&nodeParams.required()?)?)
}

pub fn cuGraphMemsetNodeGetParams(
    hNode: CUgraphNode,
    nodeParams: Out<CUDA_MEMSET_NODE_PARAMS_v1>,
) -> Answer {
    driver::started()?;
    let place = nodeParams.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Fill(fill) => Some(node_params::fill_params(fill)),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphMemsetNodeSetParams(
    hNode: CUgraphNode,
    nodeParams: In<CUDA_MEMSET_NODE_PARAMS_v1>,
) -> Answer {
    driver::started()?;
    set(hNode, node_params::fill(&nodeParams.required()?)?)
}

pub fn cuGraphHostNodeGetParams(
    hNode: CUgraphNode,
    nodeParams: Out<CUDA_HOST_NODE_PARAMS_v1>,
) -> Answer {
    let place = nodeParams.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Host(call) => Some(call.params()),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphHostNodeSetParams(
    hNode: CUgraphNode,
    nodeParams: In<CUDA_HOST_NODE_PARAMS_v1>,
) -> Answer {
    set(hNode, node_params::host(&nodeParams.required()?)?)
}

pub fn cuGraphChildGraphNodeGetGraph(hNode: CUgraphNode, phGraph: Out<CUgraph>) -> Answer {
    driver::started()?;
    let place = phGraph.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Child(child) => Some(child.handle),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphEventRecordNodeGetEvent(hNode: CUgraphNode, event_out: Out<CUevent>) -> Answer {
    let place = event_out.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::RecordEvent(event) => Some(*event),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphEventWaitNodeGetEvent(hNode: CUgraphNode, event_out: Out<CUevent>) -> Answer {
    let place = event_out.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::WaitEvent(event) => Some(*event),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphEventRecordNodeSetEvent(hNode: CUgraphNode, event: CUevent) -> Answer {
    find_node(hNode)?;
    set(
        hNode,
        Operation::RecordEvent(node_params::checked_event(driver::started()?, event)?),
    )
}

pub fn cuGraphEventWaitNodeSetEvent(hNode: CUgraphNode, event: CUevent) -> Answer {
    find_node(hNode)?;
    set(
        hNode,
        Operation::WaitEvent(node_params::checked_event(driver::started()?, event)?),
    )
}

pub fn cuGraphMemAllocNodeGetParams(
    hNode: CUgraphNode,
    params_out: Out<CUDA_MEM_ALLOC_NODE_PARAMS_v1>,
) -> Answer {
    let place = params_out.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Allocate(memory) => Some(node_params::allocation_params(memory)),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphMemFreeNodeGetParams(hNode: CUgraphNode, dptr_out: Out<CUdeviceptr>) -> Answer {
    let place = dptr_out.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Free(address) => Some(*address),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphNodeGetParams(hNode: CUgraphNode, nodeParams: Out<CUgraphNodeParams>) -> Answer {
    let place = nodeParams.required()?;
    with_node(hNode, |node| {
        node_params::write(&node.operation, place);
        Ok(())
    })
}

pub fn cuGraphNodeSetParams(hNode: CUgraphNode, nodeParams: Out<CUgraphNodeParams>) -> Answer {
    let (graph, _) = find_node(hNode)?;
    let new = node_params::operation(driver::started()?, &graph, nodeParams)?;
    set(hNode, new)
}

pub fn cuGraphNodeSetParams_v2(hNode: CUgraphNode, nodeParams: Out<CUgraphNodeParams>) -> Answer {
    cuGraphNodeSetParams(hNode, nodeParams)
}

pub fn cuGraphExecKernelNodeSetParams(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    nodeParams: In<CUDA_KERNEL_NODE_PARAMS_v1>,
) -> Answer {
    find_exec(hGraphExec)?;
    set_exec(
        hGraphExec,
        hNode,
        Operation::Kernel(KernelLaunch::of(&with_kernel(&nodeParams.required()?))?),
    )
}

pub fn cuGraphExecKernelNodeSetParams_v2(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    nodeParams: In<CUDA_KERNEL_NODE_PARAMS_v2>,
) -> Answer {
    find_exec(hGraphExec)?;
    set_exec(
        hGraphExec,
        hNode,
        Operation::Kernel(KernelLaunch::of(&nodeParams.required()?)?),
    )
}

pub fn cuGraphExecMemcpyNodeSetParams(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    copyParams: In<CUDA_MEMCPY3D>,
    ctx: CUcontext,
) -> Answer {
    find_exec(hGraphExec)?;
    check_context(driver::started()?, ctx)?;
    set_exec(
        hGraphExec,
        hNode,
        node_params::copy(&copyParams.required()?)?,
    )
}

pub fn cuGraphExecMemsetNodeSetParams(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    memsetParams: In<CUDA_MEMSET_NODE_PARAMS_v1>,
    ctx: CUcontext,
) -> Answer {
    find_exec(hGraphExec)?;
    check_context(driver::started()?, ctx)?;
    set_exec(
        hGraphExec,
        hNode,
        node_params::fill(&memsetParams.required()?)?,
    )
}

pub fn cuGraphExecHostNodeSetParams(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    nodeParams: In<CUDA_HOST_NODE_PARAMS_v1>,
) -> Answer {
    find_exec(hGraphExec)?;
    set_exec(
        hGraphExec,
        hNode,
        node_params::host(&nodeParams.required()?)?,
    )
}

pub fn cuGraphExecEventRecordNodeSetEvent(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    event: CUevent,
) -> Answer {
    find_exec(hGraphExec)?;
    set_exec(
        hGraphExec,
        hNode,
        Operation::RecordEvent(node_params::checked_event(driver::started()?, event)?),
    )
}

pub fn cuGraphExecEventWaitNodeSetEvent(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    event: CUevent,
) -> Answer {
    find_exec(hGraphExec)?;
    set_exec(
        hGraphExec,
        hNode,
        Operation::WaitEvent(node_params::checked_event(driver::started()?, event)?),
    )
}

pub fn cuGraphExecChildGraphNodeSetParams(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    childGraph: CUgraph,
) -> Answer {
    let exec = find_exec(hGraphExec)?;
    let child = find(driver::started()?, childGraph)?;
    exec.with_step(hNode, |step| step.set_child(&child))
}

pub fn cuGraphExecNodeSetParams(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    nodeParams: Out<CUgraphNodeParams>,
) -> Answer {
    let exec = find_exec(hGraphExec)?;
    let (graph, _) = find_node(hNode)?;
    let driver = driver::started()?;
    match node_params::operation(driver, &graph, nodeParams)? {
        // The clone was made to be owned by a node; here it is only read.
        Operation::Child(child) => {
            let answer = exec.with_step(hNode, |step| step.set_child(&child));
            child.end(driver);
            answer
        }
        new => set_exec(hGraphExec, hNode, new),
    }
}

pub fn cuGraphNodeSetEnabled(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    isEnabled: u32,
) -> Answer {
    find_exec(hGraphExec)?.with_step(hNode, |step| {
        if !may_be_disabled(&step.operation) {
            return Err(CuError::INVALID_VALUE);
        }
        step.is_enabled = isEnabled != 0;
        Ok(())
    })
}

pub fn cuGraphNodeGetEnabled(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    isEnabled: Out<u32>,
) -> Answer {
    let place = isEnabled.required()?;
    find_exec(hGraphExec)?.with_step(hNode, |step| {
        place.set(u32::from(step.is_enabled));
        Ok(())
    })
}

/// Only kernels, copies and memory sets can be turned off, as the documentation says.
fn may_be_disabled(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Kernel(_) | Operation::Copy(_) | Operation::Fill(_)
    )
}

pub fn cuGraphBatchMemOpNodeGetParams(
    hNode: CUgraphNode,
    nodeParams_out: Out<CUDA_BATCH_MEM_OP_NODE_PARAMS_v1>,
) -> Answer {
    let place = nodeParams_out.required()?;
    place.set(read(hNode, |operation| match operation {
        Operation::Memory(batch) => Some(batch.params()),
        _ => None,
    })?);
    Ok(())
}

pub fn cuGraphBatchMemOpNodeSetParams(
    hNode: CUgraphNode,
    nodeParams: In<CUDA_BATCH_MEM_OP_NODE_PARAMS_v1>,
) -> Answer {
    let params = nodeParams.required()?;
    MemoryBatch::check(&params)?;
    driver::started()?;
    set(hNode, Operation::Memory(MemoryBatch::of(&params)?))
}

pub fn cuGraphExecBatchMemOpNodeSetParams(
    hGraphExec: CUgraphExec,
    hNode: CUgraphNode,
    nodeParams: In<CUDA_BATCH_MEM_OP_NODE_PARAMS_v1>,
) -> Answer {
    let params = nodeParams.required()?;
    MemoryBatch::check(&params)?;
    driver::started()?;
    set_exec(
        hGraphExec,
        hNode,
        Operation::Memory(MemoryBatch::of(&params)?),
    )
}
