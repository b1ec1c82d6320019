//! `cuGraphAdd*Node`.

use std::sync::Arc;

use super::operation::Operation;
use super::{Graph, edges_from, find, machine, node_params};
use crate::abi::{
    CUDA_BATCH_MEM_OP_NODE_PARAMS_v1, CUDA_HOST_NODE_PARAMS_v1, CUDA_KERNEL_NODE_PARAMS_v1,
    CUDA_KERNEL_NODE_PARAMS_v2, CUDA_MEM_ALLOC_NODE_PARAMS_v1, CUDA_MEMCPY3D,
    CUDA_MEMSET_NODE_PARAMS_v1, CUcontext, CUdeviceptr, CUevent, CUgraph, CUgraphEdgeData,
    CUgraphNode, CUgraphNodeParams,
};
use crate::boundary::{In, Out};
use crate::context;
use crate::driver::{self, Driver};
use crate::launch::{KernelLaunch, with_kernel};
use crate::status::{Answer, CuError};
use crate::stream::MemoryBatch;

/// Where a new node goes: its graph, the nodes that it comes after, and what their edges carry.
struct Place {
    node: Out<CUgraphNode>,
    graph: CUgraph,
    after: In<CUgraphNode>,
    data: In<CUgraphEdgeData>,
    count: usize,
}

impl Place {
    fn new(node: Out<CUgraphNode>, graph: CUgraph, after: In<CUgraphNode>, count: usize) -> Self {
        Self {
            node,
            graph,
            after,
            data: In::at(std::ptr::null()),
            count,
        }
    }
}

/// Adds a node that does what a function makes, once everything else is in order.
fn add(
    place: Place,
    make: impl FnOnce(&'static Driver, &Arc<Graph>) -> Result<Operation, CuError>,
) -> Answer {
    // Measured on 535, here and in most calls of this file: handles that stand for nothing are told before "not initialized".
    let driver = machine()?;
    let node = place.node.required()?;
    let graph = find(driver, place.graph)?;
    let after = place.after.all(place.count);
    if after.len() != place.count {
        return Err(CuError::INVALID_VALUE);
    }
    let after = edges_from(&graph, &after, &place.data.all(place.count))?;
    let operation = make(driver, &graph)?;
    node.set(graph.add(driver, operation, after)?.1);
    Ok(())
}

/// Nodes may name the context that they work in, which then must exist; NULL is the current one.
pub(super) fn check_context(driver: &Driver, context: CUcontext) -> Answer {
    if context.is_null() {
        context::current().map(|_| ())
    } else {
        context::find(driver, context).map(|_| ())
    }
}

pub fn cuGraphAddKernelNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    nodeParams: In<CUDA_KERNEL_NODE_PARAMS_v1>,
) -> Answer {
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |_, _| KernelLaunch::of(&with_kernel(&nodeParams.required()?)).map(Operation::Kernel),
    )
}

pub fn cuGraphAddKernelNode_v2(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    nodeParams: In<CUDA_KERNEL_NODE_PARAMS_v2>,
) -> Answer {
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |_, _| KernelLaunch::of(&nodeParams.required()?).map(Operation::Kernel),
    )
}

pub fn cuGraphAddMemcpyNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    copyParams: In<CUDA_MEMCPY3D>,
    ctx: CUcontext,
) -> Answer {
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |driver, _| {
            check_context(driver, ctx)?;
            node_params::copy(&copyParams.required()?)
        },
    )
}

pub fn cuGraphAddMemsetNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    memsetParams: In<CUDA_MEMSET_NODE_PARAMS_v1>,
    ctx: CUcontext,
) -> Answer {
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |driver, _| {
            check_context(driver, ctx)?;
            node_params::fill(&memsetParams.required()?)
        },
    )
}

pub fn cuGraphAddHostNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    nodeParams: In<CUDA_HOST_NODE_PARAMS_v1>,
) -> Answer {
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |_, _| node_params::host(&nodeParams.required()?),
    )
}

pub fn cuGraphAddChildGraphNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    childGraph: CUgraph,
) -> Answer {
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |driver, graph| node_params::child(driver, graph, childGraph),
    )
}

pub fn cuGraphAddEmptyNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
) -> Answer {
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |_, _| Ok(Operation::Empty),
    )
}

pub fn cuGraphAddEventRecordNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    event: CUevent,
) -> Answer {
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |driver, _| node_params::checked_event(driver, event).map(Operation::RecordEvent),
    )
}

pub fn cuGraphAddEventWaitNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    event: CUevent,
) -> Answer {
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |driver, _| node_params::checked_event(driver, event).map(Operation::WaitEvent),
    )
}

pub fn cuGraphAddMemAllocNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    nodeParams: Out<CUDA_MEM_ALLOC_NODE_PARAMS_v1>,
) -> Answer {
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |driver, _| node_params::allocation(driver, nodeParams),
    )
}

pub fn cuGraphAddMemFreeNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    dptr: CUdeviceptr,
) -> Answer {
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |_, _| Ok(Operation::Free(dptr)),
    )
}

pub fn cuGraphAddNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    nodeParams: Out<CUgraphNodeParams>,
) -> Answer {
    phGraphNode.required()?;
    nodeParams.required()?;
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |driver, graph| node_params::operation(driver, graph, nodeParams),
    )
}

pub fn cuGraphAddNode_v2(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    dependencyData: In<CUgraphEdgeData>,
    numDependencies: usize,
    nodeParams: Out<CUgraphNodeParams>,
) -> Answer {
    let place = Place {
        data: dependencyData,
        ..Place::new(phGraphNode, hGraph, dependencies, numDependencies)
    };
    add(place, |driver, graph| {
        node_params::operation(driver, graph, nodeParams)
    })
}

pub fn cuGraphAddNode_v3(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    dependencyData: In<CUgraphEdgeData>,
    numDependencies: usize,
    nodeParams: Out<CUgraphNodeParams>,
) -> Answer {
    cuGraphAddNode_v2(
        phGraphNode,
        hGraph,
        dependencies,
        dependencyData,
        numDependencies,
        nodeParams,
    )
}

pub fn cuGraphAddBatchMemOpNode(
    phGraphNode: Out<CUgraphNode>,
    hGraph: CUgraph,
    dependencies: In<CUgraphNode>,
    numDependencies: usize,
    nodeParams: In<CUDA_BATCH_MEM_OP_NODE_PARAMS_v1>,
) -> Answer {
    MemoryBatch::check(&nodeParams.required()?)?;
    driver::started()?;
    add(
        Place::new(phGraphNode, hGraph, dependencies, numDependencies),
        |driver, _| {
            let params = nodeParams.required()?;
            check_context(driver, params.ctx)?;
            MemoryBatch::of(&params).map(Operation::Memory)
        },
    )
}
