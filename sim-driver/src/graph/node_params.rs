//! Parameters of nodes, as the calls for each type and the call for all types take and give them.

use std::sync::Arc;

use super::operation::number;
use super::{Conditional, Graph, GraphMemory, Operation, check_child, find};
use crate::abi::{
    CUDA_CHILD_GRAPH_NODE_PARAMS, CUDA_EVENT_WAIT_NODE_PARAMS, CUDA_HOST_NODE_PARAMS_v1,
    CUDA_KERNEL_NODE_PARAMS_v2, CUDA_MEM_ALLOC_NODE_PARAMS_v1, CUDA_MEM_FREE_NODE_PARAMS,
    CUDA_MEMCPY_NODE_PARAMS, CUDA_MEMCPY3D, CUDA_MEMSET_NODE_PARAMS_v1, CUDA_MEMSET_NODE_PARAMS_v2,
    CUcontext, CUdeviceptr, CUevent, CUgraph, CUgraphNodeParams, CUmemAccessDesc, CUmemLocation,
    CUmemPoolProps,
};
use crate::boundary::{In, Out};
use crate::driver::{self, Driver};
use crate::event;
use crate::launch::KernelLaunch;
use crate::memory::{BoxCopy, Fill};
use crate::status::{Answer, CuError};
use crate::stream::{HostCall, MemoryBatch};

/// `CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE`: the child is taken over, not cloned.
const OWNERSHIP_MOVE: u32 = 1;
/// Where the union of [`CUgraphNodeParams`] begins.
const UNION_OFFSET: u64 = 16;
/// `CUmemAllocationType` and `CUmemLocationType`: the only ones that a graph may allocate.
const PINNED: u32 = 1;
const ON_DEVICE: u32 = 1;

/// A copy that was checked.
pub fn copy(params: &CUDA_MEMCPY3D) -> Result<Operation, CuError> {
    let copy = BoxCopy::of(params)?;
    if copy.check()? {
        Ok(Operation::Copy(copy))
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

/// A memory set that was checked.
pub fn fill(params: &CUDA_MEMSET_NODE_PARAMS_v1) -> Result<Operation, CuError> {
    let fill = Fill {
        to: params.dst,
        value: params.value,
        element_bytes: params.elementSize,
        width: params.width,
        height: params.height,
        pitch: params.pitch,
    };
    if fill.check()? {
        Ok(Operation::Fill(fill))
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

/// The parameters of a memory set.
pub fn fill_params(fill: &Fill) -> CUDA_MEMSET_NODE_PARAMS_v1 {
    CUDA_MEMSET_NODE_PARAMS_v1 {
        dst: fill.to,
        pitch: fill.pitch,
        value: fill.value,
        elementSize: fill.element_bytes,
        width: fill.width,
        height: fill.height,
    }
}

/// A call of the program's.
pub fn host(params: &CUDA_HOST_NODE_PARAMS_v1) -> Result<Operation, CuError> {
    HostCall::new(params.r#fn, params.userData).map(Operation::Host)
}

/// A clone of a graph, to be owned by a node of another one.
pub fn child(driver: &Driver, graph: &Arc<Graph>, child: CUgraph) -> Result<Operation, CuError> {
    let child = find(driver, child)?;
    check_child(graph, &child)?;
    child.duplicate(driver, true).map(Operation::Child)
}

/// An event that exists.
pub fn checked_event(driver: &Driver, event: CUevent) -> Result<CUevent, CuError> {
    event::find(driver, event)
        .map(|event| event.handle)
        .map_err(|_| CuError::INVALID_VALUE)
}

/// Memory for a node that allocates; tells its address through the parameters.
pub fn allocation(
    driver: &Driver,
    params: Out<CUDA_MEM_ALLOC_NODE_PARAMS_v1>,
) -> Result<Operation, CuError> {
    let mut asked = params.get().ok_or(CuError::INVALID_VALUE)?;
    let props = &asked.poolProps;
    if props.allocType != PINNED
        || props.location.r#type != ON_DEVICE
        || asked.accessDescCount > 0 && asked.accessDescs.is_null()
    {
        return Err(CuError::INVALID_VALUE);
    }
    let access: In<CUmemAccessDesc> = In::at(asked.accessDescs.cast());
    for described in access.all(asked.accessDescCount) {
        driver.device(described.location.id)?;
    }
    let memory = GraphMemory::reserve(driver, props.location, asked.bytesize)?;
    asked.dptr = CUdeviceptr(memory.address);
    params.set(asked);
    Ok(Operation::Allocate(memory))
}

/// What a node that allocates was asked for.
pub fn allocation_params(memory: &GraphMemory) -> CUDA_MEM_ALLOC_NODE_PARAMS_v1 {
    CUDA_MEM_ALLOC_NODE_PARAMS_v1 {
        poolProps: CUmemPoolProps {
            allocType: PINNED,
            handleTypes: 0,
            location: CUmemLocation {
                r#type: ON_DEVICE,
                id: memory.location.id,
            },
            win32SecurityAttributes: std::ptr::null_mut(),
            maxSize: 0,
            usage: 0,
            gpuDirectRDMACapable: 0,
            reserved: [0; 53],
        },
        accessDescs: std::ptr::null(),
        accessDescCount: 0,
        bytesize: memory.bytes as usize,
        dptr: CUdeviceptr(memory.address),
    }
}

/// The one of the union's structures that a type's parameters are.
fn part<T: Copy>(params: Out<CUgraphNodeParams>) -> Out<T> {
    Out::at((params.address() + UNION_OFFSET) as usize as *mut _)
}

/// What a node of any type does.
pub fn operation(
    driver: &Driver,
    graph: &Arc<Graph>,
    params: Out<CUgraphNodeParams>,
) -> Result<Operation, CuError> {
    let whole = params.get().ok_or(CuError::INVALID_VALUE)?;
    let missing = CuError::INVALID_VALUE;
    match whole.r#type {
        number::KERNEL => {
            let kernel = part::<CUDA_KERNEL_NODE_PARAMS_v2>(params);
            KernelLaunch::of(&kernel.get().ok_or(missing)?).map(Operation::Kernel)
        }
        number::MEMCPY => {
            let copied = part::<CUDA_MEMCPY_NODE_PARAMS>(params);
            copy(&copied.get().ok_or(missing)?.copyParams)
        }
        number::MEMSET => fill(&part(params).get().ok_or(missing)?),
        number::HOST => host(&part(params).get().ok_or(missing)?),
        number::GRAPH => {
            let inner = part::<CUDA_CHILD_GRAPH_NODE_PARAMS>(params)
                .get()
                .ok_or(missing)?;
            let made = child(driver, graph, inner.graph)?;
            if inner.ownership == OWNERSHIP_MOVE {
                find(driver, inner.graph)?.end(driver);
            }
            Ok(made)
        }
        number::EMPTY => Ok(Operation::Empty),
        number::WAIT_EVENT | number::EVENT_RECORD => {
            let event = part::<CUDA_EVENT_WAIT_NODE_PARAMS>(params)
                .get()
                .ok_or(missing)?
                .event;
            let event = checked_event(driver, event)?;
            Ok(if whole.r#type == number::WAIT_EVENT {
                Operation::WaitEvent(event)
            } else {
                Operation::RecordEvent(event)
            })
        }
        number::MEM_ALLOC => allocation(driver, part(params)),
        number::MEM_FREE => {
            let freed = part::<CUDA_MEM_FREE_NODE_PARAMS>(params);
            Ok(Operation::Free(freed.get().ok_or(missing)?.dptr))
        }
        number::BATCH_MEM_OP => {
            MemoryBatch::of(&part(params).get().ok_or(missing)?).map(Operation::Memory)
        }
        number::CONDITIONAL => {
            Conditional::of(driver, graph, part(params)).map(Operation::Conditional)
        }
        // Semaphores are not simulated.
        _ => Err(CuError::NOT_SUPPORTED),
    }
}

/// Writes what a node of any type does into the form that [`operation`] reads.
pub fn write(operation: &Operation, params: Out<CUgraphNodeParams>) {
    params.set(CUgraphNodeParams {
        r#type: operation.node_type(),
        reserved0: [0; 3],
        reserved1: [0; 29],
        reserved2: 0,
    });
    match operation {
        Operation::Kernel(launch) => part(params).set(launch.params()),
        Operation::Copy(copy) => part(params).set(CUDA_MEMCPY_NODE_PARAMS {
            flags: 0,
            reserved: 0,
            copyCtx: CUcontext::default(),
            copyParams: copy.descriptor(),
        }),
        Operation::Fill(fill) => {
            let known = fill_params(fill);
            part(params).set(CUDA_MEMSET_NODE_PARAMS_v2 {
                dst: known.dst,
                pitch: known.pitch,
                value: known.value,
                elementSize: known.elementSize,
                width: known.width,
                height: known.height,
                ctx: CUcontext::default(),
            });
        }
        Operation::Host(call) => part(params).set(call.params()),
        Operation::Child(graph) => part(params).set(CUDA_CHILD_GRAPH_NODE_PARAMS {
            graph: graph.handle,
            ownership: 0,
        }),
        Operation::Empty => {}
        Operation::WaitEvent(event) | Operation::RecordEvent(event) => {
            part(params).set(CUDA_EVENT_WAIT_NODE_PARAMS { event: *event });
        }
        Operation::Allocate(memory) => part(params).set(allocation_params(memory)),
        Operation::Memory(batch) => part(params).set(batch.params()),
        Operation::Conditional(conditional) => part(params).set(conditional.params()),
        Operation::Free(address) => part(params).set(CUDA_MEM_FREE_NODE_PARAMS { dptr: *address }),
    }
}

/// Replaces what a node does by work of the same type.
pub fn replace(old: &mut Operation, new: Operation) -> Answer {
    if old.node_type() != new.node_type() {
        return Err(CuError::INVALID_VALUE);
    }
    if matches!(
        new,
        Operation::Allocate(_) | Operation::Free(_) | Operation::Conditional(_)
    ) {
        return Err(CuError::NOT_SUPPORTED);
    }
    let attributes = match old {
        Operation::Kernel(launch) => std::mem::take(&mut launch.attributes),
        Operation::Child(child) => {
            child.end(driver::started()?);
            Default::default()
        }
        _ => Default::default(),
    };
    *old = new;
    // Attributes belong to the node, not to its parameters.
    if let Operation::Kernel(launch) = old {
        launch.attributes = attributes;
    }
    Ok(())
}
