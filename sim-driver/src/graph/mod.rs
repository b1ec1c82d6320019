//! Graphs: work that is described first, and done as often as it is launched.

mod conditional;
mod dot;
mod exec;
mod exec_calls;
mod graph_calls;
mod memory;
mod node_calls;
mod node_params;
mod node_params_calls;
mod operation;
mod user_object;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub use conditional::*;
pub use exec::Exec;
pub use exec_calls::*;
pub use graph_calls::*;
pub use memory::{GraphMemory, release_graph_memory};
pub use node_calls::*;
pub use node_params_calls::*;
pub use operation::Operation;
pub use user_object::*;

use crate::abi::{CUgraph, CUgraphEdgeData, CUgraphNode};
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};

/// A graph.
pub struct Graph {
    pub handle: CUgraph,
    /// What `cuGraphGetId` answers.
    pub id: u32,
    /// Whether a node of another graph owns it: then only that node ends it.
    is_child: bool,
    content: Mutex<Content>,
    objects: Mutex<HeldObjects>,
}

/// The nodes of a graph by number, in the order in which they were added.
#[derive(Default)]
pub struct Content {
    pub nodes: BTreeMap<u32, Node>,
    next: u32,
}

/// A node: what it does, and after which nodes.
pub struct Node {
    pub handle: CUgraphNode,
    pub tools_id: u64,
    pub operation: Operation,
    pub after: Vec<Edge>,
    /// The node of the graph that this one is a clone of.
    original: Option<CUgraphNode>,
}

/// A dependency on another node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: u32,
    pub data: CUgraphEdgeData,
}

/// Where the node of a handle is.
pub struct NodePlace {
    pub handle: CUgraphNode,
    pub graph: Weak<Graph>,
    pub number: u32,
}

static NEXT_GRAPH_ID: AtomicU32 = AtomicU32::new(1);
static NEXT_TOOLS_ID: AtomicU64 = AtomicU64::new(1);

/// A number that no other graph or executable graph has.
fn new_id() -> u32 {
    NEXT_GRAPH_ID.fetch_add(1, Ordering::Relaxed)
}

impl Graph {
    /// An empty graph.
    pub fn create(driver: &Driver, is_child: bool) -> Result<Arc<Self>, CuError> {
        let make = |handle| Self {
            handle: CUgraph(handle),
            id: new_id(),
            is_child,
            content: Mutex::default(),
            objects: Mutex::default(),
        };
        driver.graphs.insert(make).ok_or(CuError::OUT_OF_MEMORY)
    }

    /// Its nodes, for reading and changing.
    pub fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user objects that it keeps alive.
    pub fn objects(&self) -> MutexGuard<'_, HeldObjects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a node after the given edges.
    pub fn add(
        self: &Arc<Self>,
        driver: &Driver,
        operation: Operation,
        after: Vec<Edge>,
    ) -> Result<(u32, CUgraphNode), CuError> {
        let mut content = self.content();
        let number = content.next;
        let make = |handle| NodePlace {
            handle: CUgraphNode(handle),
            graph: Arc::downgrade(self),
            number,
        };
        let place = driver
            .graph_nodes
            .insert(make)
            .ok_or(CuError::OUT_OF_MEMORY)?;
        content.next += 1;
        let node = Node {
            handle: place.handle,
            tools_id: NEXT_TOOLS_ID.fetch_add(1, Ordering::Relaxed),
            operation,
            after: distinct(after),
            original: None,
        };
        content.nodes.insert(number, node);
        Ok((number, place.handle))
    }

    /// Takes a node out, with its edges.
    pub fn remove(&self, driver: &Driver, number: u32) {
        let mut content = self.content();
        let removed = content.nodes.remove(&number);
        for node in content.nodes.values_mut() {
            node.after.retain(|edge| edge.from != number);
        }
        drop(content);
        if let Some(node) = removed {
            node.end(driver);
        }
    }

    /// A graph with the same nodes and edges, each node knowing which one it is a clone of.
    pub fn duplicate(&self, driver: &Driver, is_child: bool) -> Result<Arc<Self>, CuError> {
        let copy = Self::create(driver, is_child)?;
        let content = self.content();
        for (number, node) in &content.nodes {
            let operation = match &node.operation {
                Operation::Child(child) => Operation::Child(child.duplicate(driver, true)?),
                other => other.clone(),
            };
            // Numbers stay the same, so edges do too.
            copy.content().next = *number;
            copy.add(driver, operation, node.after.clone())?;
            if let Some(made) = copy.content().nodes.get_mut(number) {
                made.original = Some(node.handle);
            }
        }
        copy.content().next = content.next;
        self.objects().share_with(&mut copy.objects());
        Ok(copy)
    }

    /// Ends the handles of the graph and its nodes, and lets its user objects go.
    pub fn end(&self, driver: &Driver) {
        driver.graphs.remove(self.handle.0);
        self.end_conditions(driver);
        let nodes = std::mem::take(&mut self.content().nodes);
        for node in nodes.into_values() {
            node.end(driver);
        }
        let objects = std::mem::take(&mut *self.objects());
        objects.release_all(driver);
    }

    /// Whether a node, here or in a child graph, allocates or frees memory. Such graphs may not be cloned.
    pub fn owns_memory(&self) -> bool {
        self.content()
            .nodes
            .values()
            .any(|node| match &node.operation {
                Operation::Allocate(_) | Operation::Free(_) => true,
                Operation::Child(child) => child.owns_memory(),
                _ => false,
            })
    }
}

impl Node {
    fn end(&self, driver: &Driver) {
        driver.graph_nodes.remove(self.handle.0);
        for inner in self.operation.graphs_inside() {
            inner.end(driver);
        }
    }
}

impl Content {
    /// The handle of a node.
    pub fn handle(&self, number: u32) -> Option<CUgraphNode> {
        self.nodes.get(&number).map(|node| node.handle)
    }

    /// Nodes in an order in which each comes after those that it depends on, as early as it was added; `None` if they go in circles.
    pub fn in_order(&self) -> Option<Vec<u32>> {
        let mut open: BTreeMap<u32, BTreeSet<u32>> = self
            .nodes
            .iter()
            .map(|(number, node)| (*number, node.after.iter().map(|edge| edge.from).collect()))
            .collect();
        let mut followers: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (number, before) in &open {
            for from in before {
                followers.entry(*from).or_default().push(*number);
            }
        }
        let mut ready: BTreeSet<u32> = open
            .iter()
            .filter(|(_, before)| before.is_empty())
            .map(|(number, _)| *number)
            .collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(number) = ready.pop_first() {
            order.push(number);
            for follower in followers.get(&number).into_iter().flatten() {
                if let Some(before) = open.get_mut(follower)
                    && before.remove(&number)
                    && before.is_empty()
                {
                    ready.insert(*follower);
                }
            }
        }
        (order.len() == self.nodes.len()).then_some(order)
    }

    /// The nodes that the given ones come after, and the given ones.
    pub fn with_ancestors(&self, ends: &[Edge]) -> BTreeSet<u32> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<u32> = ends.iter().map(|edge| edge.from).collect();
        while let Some(number) = open.pop() {
            if seen.insert(number)
                && let Some(node) = self.nodes.get(&number)
            {
                open.extend(node.after.iter().map(|edge| edge.from));
            }
        }
        seen
    }
}

/// The edges without repetitions, in their order.
fn distinct(edges: Vec<Edge>) -> Vec<Edge> {
    let mut kept = Vec::with_capacity(edges.len());
    for edge in edges {
        if !kept.contains(&edge) {
            kept.push(edge);
        }
    }
    kept
}

/// The machine, whether `cuInit` has succeeded or not: without it there are no graphs, so that no handle is found.
fn machine() -> Result<&'static Driver, CuError> {
    driver::machine().ok_or(CuError::NOT_INITIALIZED)
}

/// The living graph of a handle.
pub fn find(driver: &Driver, handle: CUgraph) -> Result<Arc<Graph>, CuError> {
    driver.graphs.get(handle.0).ok_or(CuError::INVALID_VALUE)
}

/// The graph that the node of a handle lies in, and its number there.
pub fn find_node(handle: CUgraphNode) -> Result<(Arc<Graph>, u32), CuError> {
    let place = machine()?
        .graph_nodes
        .get(handle.0)
        .ok_or(CuError::INVALID_VALUE)?;
    let graph = place.graph.upgrade().ok_or(CuError::INVALID_VALUE)?;
    Ok((graph, place.number))
}

/// Lets a function see the node of a handle.
pub fn with_node<R>(
    handle: CUgraphNode,
    see: impl FnOnce(&mut Node) -> Result<R, CuError>,
) -> Result<R, CuError> {
    let (graph, number) = find_node(handle)?;
    let mut content = graph.content();
    see(content
        .nodes
        .get_mut(&number)
        .ok_or(CuError::INVALID_VALUE)?)
}

/// Edges from nodes of this graph.
///
/// # Errors
/// `INVALID_VALUE` where a node is of another graph, or is none.
pub fn edges_from(
    graph: &Arc<Graph>,
    nodes: &[CUgraphNode],
    data: &[CUgraphEdgeData],
) -> Result<Vec<Edge>, CuError> {
    let edge = |(place, node): (usize, &CUgraphNode)| {
        let (owner, from) = find_node(*node)?;
        if !Arc::ptr_eq(&owner, graph) {
            return Err(CuError::INVALID_VALUE);
        }
        let data = data.get(place).copied().unwrap_or_default();
        Ok(Edge { from, data })
    };
    nodes.iter().enumerate().map(edge).collect()
}

/// A graph may not hold itself, nor one that allocates or frees memory or has conditional nodes.
pub fn check_child(graph: &Arc<Graph>, child: &Arc<Graph>) -> Answer {
    if Arc::ptr_eq(graph, child) || child.owns_memory() || child.has_conditions() {
        Err(CuError::INVALID_VALUE)
    } else {
        Ok(())
    }
}
