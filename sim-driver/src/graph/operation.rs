//! What a node of a graph does.

use std::sync::Arc;

use super::{Conditional, Graph, GraphMemory};
use crate::abi::{CUdeviceptr, CUevent};
use crate::launch::KernelLaunch;
use crate::memory::{BoxCopy, Fill};
use crate::stream::{HostCall, MemoryBatch};

/// What a node does when its turn comes.
#[derive(Clone)]
pub enum Operation {
    Kernel(KernelLaunch),
    Copy(BoxCopy),
    Fill(Fill),
    Host(HostCall),
    /// All nodes of a graph that this node owns.
    Child(Arc<Graph>),
    Empty,
    WaitEvent(CUevent),
    RecordEvent(CUevent),
    Allocate(Arc<GraphMemory>),
    Free(CUdeviceptr),
    Memory(MemoryBatch),
    /// One of the graphs that this node owns, or none.
    Conditional(Arc<Conditional>),
}

/// `CUgraphNodeType`.
pub mod number {
    pub const KERNEL: u32 = 0;
    pub const MEMCPY: u32 = 1;
    pub const MEMSET: u32 = 2;
    pub const HOST: u32 = 3;
    pub const GRAPH: u32 = 4;
    pub const EMPTY: u32 = 5;
    pub const WAIT_EVENT: u32 = 6;
    pub const EVENT_RECORD: u32 = 7;
    pub const MEM_ALLOC: u32 = 10;
    pub const MEM_FREE: u32 = 11;
    pub const BATCH_MEM_OP: u32 = 12;
    pub const CONDITIONAL: u32 = 13;
}

impl Operation {
    /// What `cuGraphNodeGetType` answers.
    pub fn node_type(&self) -> u32 {
        match self {
            Self::Kernel(_) => number::KERNEL,
            Self::Copy(_) => number::MEMCPY,
            Self::Fill(_) => number::MEMSET,
            Self::Host(_) => number::HOST,
            Self::Child(_) => number::GRAPH,
            Self::Empty => number::EMPTY,
            Self::WaitEvent(_) => number::WAIT_EVENT,
            Self::RecordEvent(_) => number::EVENT_RECORD,
            Self::Allocate(_) => number::MEM_ALLOC,
            Self::Free(_) => number::MEM_FREE,
            Self::Memory(_) => number::BATCH_MEM_OP,
            Self::Conditional(_) => number::CONDITIONAL,
        }
    }

    /// The type's name as debug output shows it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Kernel(_) => "KERNEL",
            Self::Copy(_) => "MEMCPY",
            Self::Fill(_) => "MEMSET",
            Self::Host(_) => "HOST",
            Self::Child(_) => "GRAPH",
            Self::Empty => "EMPTY",
            Self::WaitEvent(_) => "WAIT_EVENT",
            Self::RecordEvent(_) => "EVENT_RECORD",
            Self::Allocate(_) => "MEM_ALLOC",
            Self::Free(_) => "MEM_FREE",
            Self::Memory(_) => "BATCH_MEM_OP",
            Self::Conditional(_) => "CONDITIONAL",
        }
    }

    /// Graphs that the node owns.
    pub fn graphs_inside(&self) -> &[Arc<Graph>] {
        match self {
            Self::Child(child) => std::slice::from_ref(child),
            Self::Conditional(conditional) => &conditional.bodies,
            _ => &[],
        }
    }

    /// Does what can be done on its own. Events and child graphs are the launch's business, and kernels are not executed.
    pub fn perform(&self) {
        match self {
            Self::Copy(copy) => copy.perform(),
            Self::Fill(fill) => fill.perform(),
            Self::Host(call) => call.perform(),
            Self::Memory(batch) => batch.perform(),
            Self::Free(address) => {
                super::release_graph_memory(address.0);
            }
            Self::Kernel(_)
            | Self::Child(_)
            | Self::Conditional(_)
            | Self::Empty
            | Self::WaitEvent(_)
            | Self::RecordEvent(_)
            | Self::Allocate(_) => {}
        }
    }
}
