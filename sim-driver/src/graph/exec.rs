//! Graphs made ready to launch: what their nodes did when they were instantiated, in an order that keeps all dependencies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Edge, Graph, HeldObjects, Operation, new_id};
use crate::abi::{CUgraphEdgeData, CUgraphExec, CUgraphNode};
use crate::context::Context;
use crate::driver::Driver;
use crate::event;
use crate::status::{Answer, CuError};
use crate::stream::{Place, Stream, Ticket};

/// `CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH`.
const AUTO_FREE_ON_LAUNCH: u64 = 1;

/// A graph that can be launched.
pub struct Exec {
    pub handle: CUgraphExec,
    /// What `cuGraphExecGetId` answers.
    pub id: u32,
    pub flags: u64,
    steps: Mutex<Vec<Step>>,
    objects: Mutex<HeldObjects>,
    /// The last launch: the next one waits for it, because a graph runs once at a time.
    last: Mutex<Option<Ticket>>,
}

/// A node in its turn.
#[derive(Clone)]
pub struct Step {
    /// The node of the graph that was instantiated.
    pub node: CUgraphNode,
    /// Its number there, and those of the nodes that it comes after.
    number: u32,
    after: Vec<u32>,
    pub operation: Operation,
    pub is_enabled: bool,
    /// The steps of the graphs inside: of a child graph, or of each that a condition chooses from.
    inside: Vec<Vec<Step>>,
}

/// Why a graph cannot take another's place: what `CUgraphExecUpdateResult` says, and where they differ.
#[derive(Clone, Copy, Debug, Default)]
pub struct Difference {
    pub result: u32,
    pub node: CUgraphNode,
    pub from: CUgraphNode,
}

/// `CUgraphExecUpdateResult`.
mod update_result {
    pub const TOPOLOGY_CHANGED: u32 = 2;
    pub const NODE_TYPE_CHANGED: u32 = 3;
    pub const NOT_SUPPORTED: u32 = 6;
}

/// The nodes of a graph in their turn; `None` if they depend on each other in circles.
fn steps_of(graph: &Graph) -> Option<Vec<Step>> {
    let content = graph.content();
    let step = |number: u32| {
        let node = content.nodes.get(&number)?;
        let inside = node.operation.graphs_inside().iter();
        let inside = inside
            .map(|inner| steps_of(inner))
            .collect::<Option<Vec<_>>>()?;
        Some(Step {
            node: node.handle,
            number,
            after: node.after.iter().map(|edge| edge.from).collect(),
            operation: node.operation.clone(),
            is_enabled: true,
            inside,
        })
    };
    content.in_order()?.into_iter().map(step).collect()
}

impl Exec {
    /// Makes a graph ready to launch.
    ///
    /// # Errors
    /// `INVALID_VALUE` if its nodes depend on each other in circles.
    pub fn instantiate(driver: &Driver, graph: &Graph, flags: u64) -> Result<Arc<Self>, CuError> {
        let steps = steps_of(graph).ok_or(CuError::INVALID_VALUE)?;
        check_bodies(&steps)?;
        let mut objects = HeldObjects::default();
        graph.objects().share_with(&mut objects);
        let make = |handle| Self {
            handle: CUgraphExec(handle),
            id: new_id(),
            flags,
            steps: Mutex::new(steps),
            objects: Mutex::new(objects),
            last: Mutex::default(),
        };
        driver
            .graph_execs
            .insert(make)
            .ok_or(CuError::OUT_OF_MEMORY)
    }

    /// Ends it: a launch that runs goes on, and what it holds of the program's lives until then.
    pub fn end(&self, driver: &'static Driver) {
        if let Some(last) = lock(&self.last).take() {
            last.wait();
        }
        std::mem::take(&mut *lock(&self.objects)).release_all(driver);
    }

    /// Gives all its work to a stream.
    pub fn launch(
        &self,
        driver: &'static Driver,
        context: &Arc<Context>,
        stream: &Stream,
    ) -> Answer {
        let mut operations = Vec::new();
        flatten(&lock(&self.steps), &mut operations);
        self.allocate(driver, &operations)?;
        let mut last = lock(&self.last);
        let mut after: Vec<Ticket> = last.take().into_iter().collect();
        let mut run: Vec<Operation> = Vec::new();
        for operation in operations {
            let event = match &operation {
                Operation::RecordEvent(event) | Operation::WaitEvent(event) => *event,
                _ => {
                    run.push(operation);
                    continue;
                }
            };
            give(context, stream, std::mem::take(&mut after), &mut run);
            // An event that was destroyed after the graph was made holds nothing back and is recorded nowhere.
            if let Ok(event) = event::find(driver, event) {
                match operation {
                    Operation::RecordEvent(_) => event.record(context, stream),
                    _ => event.hold_back(&stream.queue),
                }
            }
        }
        *last = Some(give(context, stream, after, &mut run));
        Ok(())
    }

    /// Allocates what its nodes allocate, before any of it runs: a launch without enough memory does nothing.
    fn allocate(&self, driver: &Driver, operations: &[Operation]) -> Answer {
        let mut done: Vec<u64> = Vec::new();
        for operation in operations {
            let Operation::Allocate(memory) = operation else {
                continue;
            };
            if self.flags & AUTO_FREE_ON_LAUNCH != 0 && memory.is_allocated() {
                super::release_graph_memory(memory.address);
            }
            let frees = |other: &Operation| matches!(other, Operation::Free(address) if address.0 == memory.address);
            if let Err(error) = memory.allocate(driver, operations.iter().any(frees)) {
                for address in done {
                    super::release_graph_memory(address);
                }
                return Err(error);
            }
            done.push(memory.address);
        }
        Ok(())
    }

    /// A graph that does the same.
    pub fn as_graph(&self, driver: &Driver) -> Result<Arc<Graph>, CuError> {
        graph_of(driver, &lock(&self.steps))
    }

    /// Lets a function see the step of a node, in child graphs too.
    pub fn with_step<R>(
        &self,
        node: CUgraphNode,
        see: impl FnOnce(&mut Step) -> Result<R, CuError>,
    ) -> Result<R, CuError> {
        let mut steps = lock(&self.steps);
        see(step_of(&mut steps, node).ok_or(CuError::INVALID_VALUE)?)
    }

    /// Does from now on what another graph of the same shape does.
    pub fn update(&self, graph: &Graph) -> Result<(), Difference> {
        let mut steps = lock(&self.steps);
        let Some(new) = steps_of(graph) else {
            return Err(Difference {
                result: update_result::TOPOLOGY_CHANGED,
                ..Difference::default()
            });
        };
        compare(&steps, &new)?;
        take_over(&mut steps, new);
        Ok(())
    }
}

impl Step {
    /// Replaces the child graph's work.
    pub fn set_child(&mut self, child: &Graph) -> Answer {
        let new = steps_of(child).ok_or(CuError::INVALID_VALUE)?;
        let inside = self.inside.first_mut().ok_or(CuError::INVALID_VALUE)?;
        compare(inside, &new).map_err(|_| CuError::INVALID_VALUE)?;
        take_over(inside, new);
        Ok(())
    }
}

/// What lies in the bodies of conditional nodes is work of the device alone.
fn check_bodies(steps: &[Step]) -> Answer {
    for step in steps {
        if let Operation::Conditional(conditional) = &step.operation {
            conditional
                .bodies
                .iter()
                .try_for_each(|body| super::check_body(body))?;
        }
        step.inside
            .iter()
            .try_for_each(|steps| check_bodies(steps))?;
    }
    Ok(())
}

fn graph_of(driver: &Driver, steps: &[Step]) -> Result<Arc<Graph>, CuError> {
    let graph = Graph::create(driver, true)?;
    let mut numbers = BTreeMap::new();
    for step in steps {
        let operation = match step.operation {
            Operation::Child(_) => {
                let inside = step.inside.first().map_or(&[][..], Vec::as_slice);
                Operation::Child(graph_of(driver, inside)?)
            }
            // A child graph has no conditional nodes.
            Operation::Conditional(_) => return Err(CuError::NOT_SUPPORTED),
            _ if !step.is_enabled => Operation::Empty,
            _ => step.operation.clone(),
        };
        let after = step.after.iter().filter_map(|number| numbers.get(number));
        let after = after
            .map(|from| Edge {
                from: *from,
                data: CUgraphEdgeData::default(),
            })
            .collect();
        numbers.insert(step.number, graph.add(driver, operation, after)?.0);
    }
    Ok(graph)
}

/// Gives a run of operations to the stream as one piece of work.
fn give(
    context: &Context,
    stream: &Stream,
    after: Vec<Ticket>,
    run: &mut Vec<Operation>,
) -> Ticket {
    let run = std::mem::take(run);
    let takes_time = run.iter().any(|operation| match operation {
        Operation::Host(_) => true,
        Operation::Memory(batch) => batch.may_wait(),
        _ => false,
    });
    let place = if takes_time {
        Place::Worker
    } else {
        Place::Anywhere
    };
    stream.submit_after(context, after, place, move || {
        run.iter().for_each(Operation::perform)
    })
}

fn flatten(steps: &[Step], operations: &mut Vec<Operation>) {
    for step in steps.iter().filter(|step| step.is_enabled) {
        let inside = match &step.operation {
            Operation::Child(_) => step.inside.first(),
            Operation::Conditional(conditional) => conditional
                .chosen()
                .and_then(|place| step.inside.get(place)),
            operation => {
                operations.push(operation.clone());
                None
            }
        };
        if let Some(inside) = inside {
            flatten(inside, operations);
        }
    }
}

fn step_of(steps: &mut [Step], node: CUgraphNode) -> Option<&mut Step> {
    for step in steps {
        if step.node == node {
            return Some(step);
        }
        let mut inside = step.inside.iter_mut();
        if let Some(found) = inside.find_map(|steps| step_of(steps, node)) {
            return Some(found);
        }
    }
    None
}

/// Numbers as places in the order of adding: two graphs that were built the same way agree in these.
fn places(steps: &[Step]) -> BTreeMap<u32, usize> {
    let mut numbers: Vec<u32> = steps.iter().map(|step| step.number).collect();
    numbers.sort_unstable();
    numbers.into_iter().zip(0..).collect()
}

fn compare(old: &[Step], new: &[Step]) -> Result<(), Difference> {
    if old.len() != new.len() {
        return Err(Difference {
            result: update_result::TOPOLOGY_CHANGED,
            ..Difference::default()
        });
    }
    let (old_places, new_places) = (places(old), places(new));
    for (old, new) in old.iter().zip(new) {
        let difference = |result, node| Difference {
            result,
            node,
            from: CUgraphNode::default(),
        };
        let same_edges = old_places.get(&old.number) == new_places.get(&new.number)
            && old.after.len() == new.after.len()
            && old
                .after
                .iter()
                .zip(&new.after)
                .all(|(one, other)| old_places.get(one) == new_places.get(other));
        if !same_edges {
            return Err(difference(update_result::TOPOLOGY_CHANGED, new.node));
        }
        if old.operation.node_type() != new.operation.node_type() {
            return Err(difference(update_result::NODE_TYPE_CHANGED, new.node));
        }
        // Memory nodes have addresses that the program knows already.
        let has_memory = matches!(new.operation, Operation::Allocate(_) | Operation::Free(_));
        if has_memory {
            return Err(difference(update_result::NOT_SUPPORTED, new.node));
        }
        if old.inside.len() != new.inside.len() {
            return Err(difference(update_result::TOPOLOGY_CHANGED, new.node));
        }
        for (old, new) in old.inside.iter().zip(&new.inside) {
            compare(old, new)?;
        }
    }
    Ok(())
}

fn take_over(old: &mut [Step], new: Vec<Step>) {
    for (old, new) in old.iter_mut().zip(new) {
        old.operation = new.operation;
        for (old, new) in old.inside.iter_mut().zip(new.inside) {
            take_over(old, new);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
