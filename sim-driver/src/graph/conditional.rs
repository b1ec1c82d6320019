//! Conditional nodes: a value decides whether, how often, or which of the graphs inside a node run.
//!
//! Only kernels set such a value, by `cudaGraphSetConditional`, and kernels are not executed. So at each launch it is the default where the
//! handle was made with one, and 0 otherwise; and a loop whose value is not 0 goes round once, as if its body had ended it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::{Graph, Operation, find, operation::number};
use crate::abi::{CUDA_CONDITIONAL_NODE_PARAMS, CUcontext, CUgraph, CUgraphConditionalHandle};
use crate::boundary::Out;
use crate::context;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};

/// `CU_GRAPH_COND_ASSIGN_DEFAULT`.
const ASSIGN_DEFAULT: u32 = 1;
/// `CUgraphConditionalNodeType`.
const IF: u32 = 0;
const WHILE: u32 = 1;
const SWITCH: u32 = 2;
/// More bodies than this are no switch but a slip.
const MOST_BODIES: u32 = 1 << 16;

/// What decides, by handle.
pub struct Condition {
    pub handle: CUgraphConditionalHandle,
    /// The graph that it is for, or that holds the one which has the node.
    graph: Weak<Graph>,
    default: u32,
    assigns_default: bool,
    /// A node has it.
    is_used: AtomicBool,
}

impl Condition {
    /// What it is when a launch begins.
    fn value(&self) -> u32 {
        if self.assigns_default {
            self.default
        } else {
            0
        }
    }

    fn is_of(&self, graph: &Graph) -> bool {
        let own = self.graph.upgrade();
        own.is_some_and(|own| own.handle == graph.handle)
    }
}

/// What a conditional node does.
pub struct Conditional {
    condition: Arc<Condition>,
    kind: u32,
    context: CUcontext,
    /// The graphs inside, which the node owns.
    pub bodies: Vec<Arc<Graph>>,
    /// Their handles: the program is given the address of this list.
    handles: Box<[CUgraph]>,
}

impl Conditional {
    /// A node with empty graphs inside, as its parameters say; they are told where the handles of these graphs lie.
    pub fn of(
        driver: &Driver,
        graph: &Arc<Graph>,
        params: Out<CUDA_CONDITIONAL_NODE_PARAMS>,
    ) -> Result<Arc<Self>, CuError> {
        let mut asked = params.get().ok_or(CuError::INVALID_VALUE)?;
        let condition = driver.conditions.get(asked.handle.0);
        let condition = condition.ok_or(CuError::INVALID_VALUE)?;
        let is_of_size = match asked.r#type {
            IF => (1..=2).contains(&asked.size),
            WHILE => asked.size == 1,
            SWITCH => (1..=MOST_BODIES).contains(&asked.size),
            _ => false,
        };
        let is_for = condition
            .graph
            .upgrade()
            .is_some_and(|owner| owner.holds(graph));
        if !asked.ctx.is_null() {
            context::find(driver, asked.ctx).map_err(|_| CuError::INVALID_VALUE)?;
        }
        if !is_of_size || !is_for || condition.is_used.swap(true, Ordering::AcqRel) {
            return Err(CuError::INVALID_VALUE);
        }
        let bodies: Vec<Arc<Graph>> = (0..asked.size)
            .map(|_| Graph::create(driver, true))
            .collect::<Result<_, _>>()?;
        let handles: Box<[CUgraph]> = bodies.iter().map(|body| body.handle).collect();
        asked.phGraph_out = handles.as_ptr().cast_mut();
        params.set(asked);
        Ok(Arc::new(Self {
            condition,
            kind: asked.r#type,
            context: asked.ctx,
            bodies,
            handles,
        }))
    }

    /// The node's parameters.
    pub fn params(&self) -> CUDA_CONDITIONAL_NODE_PARAMS {
        CUDA_CONDITIONAL_NODE_PARAMS {
            handle: self.condition.handle,
            r#type: self.kind,
            size: self.handles.len() as u32,
            phGraph_out: self.handles.as_ptr().cast_mut(),
            ctx: self.context,
        }
    }

    /// Place of the body that a launch runs, if it runs one.
    pub fn chosen(&self) -> Option<usize> {
        let value = self.condition.value() as usize;
        let place = match self.kind {
            IF => usize::from(value == 0),
            WHILE if value == 0 => return None,
            WHILE => 0,
            _ => value,
        };
        (place < self.bodies.len()).then_some(place)
    }
}

/// What may lie in a body: work of the device alone.
pub fn check_body(body: &Graph) -> Answer {
    let content = body.content();
    let is_allowed = |operation: &Operation| match operation {
        Operation::Kernel(_) | Operation::Copy(_) | Operation::Fill(_) | Operation::Empty => true,
        Operation::Child(child) => check_body(child).is_ok(),
        Operation::Conditional(inner) => inner.bodies.iter().all(|body| check_body(body).is_ok()),
        _ => false,
    };
    match content
        .nodes
        .values()
        .all(|node| is_allowed(&node.operation))
    {
        true => Ok(()),
        false => Err(CuError::NOT_SUPPORTED),
    }
}

impl Graph {
    /// Whether a graph is this one, or lies in it at any depth.
    fn holds(&self, graph: &Graph) -> bool {
        if self.handle == graph.handle {
            return true;
        }
        let inside: Vec<Arc<Self>> = self
            .content()
            .nodes
            .values()
            .flat_map(|node| node.operation.graphs_inside().to_vec())
            .collect();
        inside.iter().any(|inner| inner.holds(graph))
    }

    /// Whether something that was made to decide in this graph decides in none of its nodes.
    pub fn has_unused_condition(&self, driver: &Driver) -> bool {
        let conditions = driver.conditions.all();
        conditions.iter().any(|(_, condition)| {
            condition.is_of(self) && !condition.is_used.load(Ordering::Acquire)
        })
    }

    /// Ends the handles of what decides in this graph.
    pub fn end_conditions(&self, driver: &Driver) {
        for (handle, condition) in driver.conditions.all() {
            if condition.is_of(self) {
                driver.conditions.remove(handle);
            }
        }
    }

    /// Whether a node, here or in a graph inside, is conditional.
    pub fn has_conditions(&self) -> bool {
        self.content().nodes.values().any(|node| {
            node.operation.node_type() == number::CONDITIONAL
                || node
                    .operation
                    .graphs_inside()
                    .iter()
                    .any(|inner| inner.has_conditions())
        })
    }
}

pub fn cuGraphConditionalHandleCreate(
    pHandle_out: Out<CUgraphConditionalHandle>,
    hGraph: CUgraph,
    ctx: CUcontext,
    defaultLaunchValue: u32,
    flags: u32,
) -> Answer {
    let driver = driver::started()?;
    let place = pHandle_out.required()?;
    let graph = find(driver, hGraph)?;
    if flags & !ASSIGN_DEFAULT != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    if ctx.is_null() {
        context::current()?;
    } else {
        context::find(driver, ctx)?;
    }
    let make = |handle| Condition {
        handle: CUgraphConditionalHandle(handle),
        graph: Arc::downgrade(&graph),
        default: defaultLaunchValue,
        assigns_default: flags == ASSIGN_DEFAULT,
        is_used: AtomicBool::new(false),
    };
    let made = driver.conditions.insert(make);
    place.set(made.ok_or(CuError::OUT_OF_MEMORY)?.handle);
    Ok(())
}
