//! `cuGraphCreate`, `cuGraphDestroy`, `cuGraphClone`, and the calls about nodes and edges whatever the nodes do.

use std::sync::Arc;

use super::{Edge, Graph, Operation, dot, edges_from, find, find_node, with_node};
use crate::abi::{CUgraph, CUgraphEdgeData, CUgraphNode, CUlaunchAttributeValue};
use crate::boundary::{In, Out, Text};
use crate::driver;
use crate::status::{Answer, CuError};

pub fn cuGraphCreate(phGraph: Out<CUgraph>, flags: u32) -> Answer {
    let driver = driver::started()?;
    let place = phGraph.required()?;
    if flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    place.set(Graph::create(driver, false)?.handle);
    Ok(())
}

pub fn cuGraphDestroy(hGraph: CUgraph) -> Answer {
    let driver = driver::started()?;
    let graph = find(driver, hGraph)?;
    if graph.is_child {
        return Err(CuError::INVALID_VALUE);
    }
    graph.end(driver);
    Ok(())
}

pub fn cuGraphClone(phGraphClone: Out<CUgraph>, originalGraph: CUgraph) -> Answer {
    let driver = driver::started()?;
    let place = phGraphClone.required()?;
    let original = find(driver, originalGraph)?;
    if original.owns_memory() || original.has_conditions() {
        return Err(CuError::NOT_SUPPORTED);
    }
    place.set(original.duplicate(driver, false)?.handle);
    Ok(())
}

pub fn cuGraphNodeFindInClone(
    phNode: Out<CUgraphNode>,
    hOriginalNode: CUgraphNode,
    hClonedGraph: CUgraph,
) -> Answer {
    let driver = driver::started()?;
    let place = phNode.required()?;
    let clone = find(driver, hClonedGraph)?;
    place.set(clone_of(&clone, hOriginalNode).ok_or(CuError::INVALID_VALUE)?);
    Ok(())
}

/// The node of a clone, or of its child graphs, that was made from a node.
fn clone_of(graph: &Graph, original: CUgraphNode) -> Option<CUgraphNode> {
    let content = graph.content();
    content.nodes.values().find_map(|node| {
        if node.original == Some(original) {
            return Some(node.handle);
        }
        match &node.operation {
            Operation::Child(child) => clone_of(child, original),
            _ => None,
        }
    })
}

pub fn cuGraphDestroyNode(hNode: CUgraphNode) -> Answer {
    driver::started()?;
    let (graph, number) = find_node(hNode)?;
    if graph.owns_memory() {
        return Err(CuError::NOT_SUPPORTED);
    }
    graph.remove(driver::started()?, number);
    Ok(())
}

pub fn cuGraphNodeGetType(hNode: CUgraphNode, r#type: Out<u32>) -> Answer {
    driver::started()?;
    let place = r#type.required()?;
    place.set(with_node(hNode, |node| Ok(node.operation.node_type()))?);
    Ok(())
}

pub fn cuGraphNodeGetContainingGraph(hNode: CUgraphNode, phGraph: Out<CUgraph>) -> Answer {
    let place = phGraph.required()?;
    place.set(find_node(hNode)?.0.handle);
    Ok(())
}

pub fn cuGraphNodeGetLocalId(hNode: CUgraphNode, nodeId: Out<u32>) -> Answer {
    let place = nodeId.required()?;
    place.set(find_node(hNode)?.1);
    Ok(())
}

pub fn cuGraphNodeGetToolsId(hNode: CUgraphNode, toolsNodeId: Out<u64>) -> Answer {
    let place = toolsNodeId.required()?;
    place.set(with_node(hNode, |node| Ok(node.tools_id))?);
    Ok(())
}

pub fn cuGraphGetId(hGraph: CUgraph, graphId: Out<u32>) -> Answer {
    let driver = driver::started()?;
    let place = graphId.required()?;
    place.set(find(driver, hGraph)?.id);
    Ok(())
}

/// Answers a list in the way of all these queries: without room for it, only how long it is; else as much as fits, with NULL behind
/// the end, and how much that was.
fn answer_list<T: Copy + Default>(list: &[T], room: Out<T>, count: Out<usize>) -> Answer {
    let capacity = count.get().ok_or(CuError::INVALID_VALUE)?;
    if room.is_null() {
        count.set(list.len());
        return Ok(());
    }
    let mut shown: Vec<T> = list.to_vec();
    shown.resize(capacity, T::default());
    room.set_all(&shown);
    count.set(list.len().min(capacity));
    Ok(())
}

pub fn cuGraphGetNodes(hGraph: CUgraph, nodes: Out<CUgraphNode>, numNodes: Out<usize>) -> Answer {
    let graph = find(driver::started()?, hGraph)?;
    let content = graph.content();
    let all: Vec<_> = content.nodes.values().map(|node| node.handle).collect();
    answer_list(&all, nodes, numNodes)
}

pub fn cuGraphGetRootNodes(
    hGraph: CUgraph,
    rootNodes: Out<CUgraphNode>,
    numRootNodes: Out<usize>,
) -> Answer {
    let graph = find(driver::started()?, hGraph)?;
    let content = graph.content();
    let roots = content.nodes.values().filter(|node| node.after.is_empty());
    let roots: Vec<_> = roots.map(|node| node.handle).collect();
    answer_list(&roots, rootNodes, numRootNodes)
}

/// An edge as the program knows it.
type Ends = (CUgraphNode, CUgraphNode, CUgraphEdgeData);

/// Edges with two of their three parts shown: the nodes on one or both ends, and what they carry.
struct EdgeLists {
    from: Out<CUgraphNode>,
    to: Out<CUgraphNode>,
    data: Out<CUgraphEdgeData>,
    count: Out<usize>,
}

impl EdgeLists {
    fn answer(&self, edges: &[Ends]) -> Answer {
        let count = self.count.get().ok_or(CuError::INVALID_VALUE)?;
        let shows_nodes = !self.from.is_null() || !self.to.is_null();
        let carries_something = edges
            .iter()
            .any(|(_, _, data)| *data != CUgraphEdgeData::default());
        if shows_nodes && self.data.is_null() && carries_something {
            return Err(CuError::LOSSY_QUERY);
        }
        let lists: [Vec<CUgraphNode>; 2] = [
            edges.iter().map(|edge| edge.0).collect(),
            edges.iter().map(|edge| edge.1).collect(),
        ];
        let data: Vec<_> = edges.iter().map(|edge| edge.2).collect();
        // Each list sets the count, so it is put back before the next one.
        let mut shown = false;
        for (list, room) in lists.iter().zip([self.from, self.to]) {
            if !room.is_null() {
                self.count.set(count);
                answer_list(list, room, self.count)?;
                shown = true;
            }
        }
        if !self.data.is_null() {
            self.count.set(count);
            answer_list(&data, self.data, self.count)?;
            shown = true;
        }
        if !shown {
            self.count.set(edges.len());
        }
        Ok(())
    }
}

fn nothing<T: Copy>() -> Out<T> {
    Out::at(std::ptr::null_mut())
}

fn all_edges(graph: &Graph) -> Vec<Ends> {
    let content = graph.content();
    let mut edges = Vec::new();
    for node in content.nodes.values() {
        for edge in &node.after {
            if let Some(from) = content.handle(edge.from) {
                edges.push((from, node.handle, edge.data));
            }
        }
    }
    edges
}

pub fn cuGraphGetEdges(
    hGraph: CUgraph,
    from: Out<CUgraphNode>,
    to: Out<CUgraphNode>,
    numEdges: Out<usize>,
) -> Answer {
    cuGraphGetEdges_v2(hGraph, from, to, nothing(), numEdges)
}

pub fn cuGraphGetEdges_v2(
    hGraph: CUgraph,
    from: Out<CUgraphNode>,
    to: Out<CUgraphNode>,
    edgeData: Out<CUgraphEdgeData>,
    numEdges: Out<usize>,
) -> Answer {
    let graph = find(driver::started()?, hGraph)?;
    if from.is_null() != to.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    let lists = EdgeLists {
        from,
        to,
        data: edgeData,
        count: numEdges,
    };
    lists.answer(&all_edges(&graph))
}

pub fn cuGraphNodeGetDependencies(
    hNode: CUgraphNode,
    dependencies: Out<CUgraphNode>,
    numDependencies: Out<usize>,
) -> Answer {
    cuGraphNodeGetDependencies_v2(hNode, dependencies, nothing(), numDependencies)
}

pub fn cuGraphNodeGetDependencies_v2(
    hNode: CUgraphNode,
    dependencies: Out<CUgraphNode>,
    edgeData: Out<CUgraphEdgeData>,
    numDependencies: Out<usize>,
) -> Answer {
    driver::started()?;
    let (graph, _) = find_node(hNode)?;
    let mut edges = all_edges(&graph);
    edges.retain(|edge| edge.1 == hNode);
    let lists = EdgeLists {
        from: dependencies,
        to: nothing(),
        data: edgeData,
        count: numDependencies,
    };
    lists.answer(&edges)
}

pub fn cuGraphNodeGetDependentNodes(
    hNode: CUgraphNode,
    dependentNodes: Out<CUgraphNode>,
    numDependentNodes: Out<usize>,
) -> Answer {
    cuGraphNodeGetDependentNodes_v2(hNode, dependentNodes, nothing(), numDependentNodes)
}

pub fn cuGraphNodeGetDependentNodes_v2(
    hNode: CUgraphNode,
    dependentNodes: Out<CUgraphNode>,
    edgeData: Out<CUgraphEdgeData>,
    numDependentNodes: Out<usize>,
) -> Answer {
    driver::started()?;
    let (graph, _) = find_node(hNode)?;
    let mut edges = all_edges(&graph);
    edges.retain(|edge| edge.0 == hNode);
    let lists = EdgeLists {
        from: nothing(),
        to: dependentNodes,
        data: edgeData,
        count: numDependentNodes,
    };
    lists.answer(&edges)
}

/// Pairs of nodes of a graph: the edge to the first, and the number of the second.
fn pairs(
    graph: &Arc<Graph>,
    from: In<CUgraphNode>,
    to: In<CUgraphNode>,
    data: In<CUgraphEdgeData>,
    count: usize,
) -> Result<Vec<(Edge, u32)>, CuError> {
    let (from, to) = (from.all(count), to.all(count));
    if from.len() != count || to.len() != count {
        return Err(CuError::INVALID_VALUE);
    }
    let before = edges_from(graph, &from, &data.all(count))?;
    let after = edges_from(graph, &to, &[])?;
    let ends = before.into_iter().zip(after);
    ends.map(|(edge, to)| {
        if edge.from == to.from {
            Err(CuError::INVALID_VALUE)
        } else {
            Ok((edge, to.from))
        }
    })
    .collect()
}

pub fn cuGraphAddDependencies(
    hGraph: CUgraph,
    from: In<CUgraphNode>,
    to: In<CUgraphNode>,
    numDependencies: usize,
) -> Answer {
    let plain = In::at(std::ptr::null());
    cuGraphAddDependencies_v2(hGraph, from, to, plain, numDependencies)
}

pub fn cuGraphAddDependencies_v2(
    hGraph: CUgraph,
    from: In<CUgraphNode>,
    to: In<CUgraphNode>,
    edgeData: In<CUgraphEdgeData>,
    numDependencies: usize,
) -> Answer {
    let graph = find(super::machine()?, hGraph)?;
    let pairs = pairs(&graph, from, to, edgeData, numDependencies)?;
    let mut content = graph.content();
    // An edge that is there already is an error, and then none is added.
    let has = |(edge, to): &(Edge, u32)| {
        content
            .nodes
            .get(to)
            .is_none_or(|node| node.after.contains(edge))
    };
    if pairs.iter().any(has) {
        return Err(CuError::INVALID_VALUE);
    }
    for (edge, to) in pairs {
        if let Some(node) = content.nodes.get_mut(&to) {
            node.after.push(edge);
        }
    }
    Ok(())
}

pub fn cuGraphRemoveDependencies(
    hGraph: CUgraph,
    from: In<CUgraphNode>,
    to: In<CUgraphNode>,
    numDependencies: usize,
) -> Answer {
    let plain = In::at(std::ptr::null());
    cuGraphRemoveDependencies_v2(hGraph, from, to, plain, numDependencies)
}

pub fn cuGraphRemoveDependencies_v2(
    hGraph: CUgraph,
    from: In<CUgraphNode>,
    to: In<CUgraphNode>,
    edgeData: In<CUgraphEdgeData>,
    numDependencies: usize,
) -> Answer {
    let graph = find(super::machine()?, hGraph)?;
    let pairs = pairs(&graph, from, to, edgeData, numDependencies)?;
    let mut content = graph.content();
    let lacks = |(edge, to): &(Edge, u32)| {
        content
            .nodes
            .get(to)
            .is_none_or(|node| !node.after.contains(edge))
    };
    if pairs.iter().any(lacks) {
        return Err(CuError::INVALID_VALUE);
    }
    for (edge, to) in pairs {
        if let Some(node) = content.nodes.get_mut(&to) {
            node.after.retain(|known| *known != edge);
        }
    }
    Ok(())
}

/// The attributes of a kernel node.
fn with_attributes<R>(
    node: CUgraphNode,
    see: impl FnOnce(&mut std::collections::BTreeMap<u32, [u64; 8]>) -> R,
) -> Result<R, CuError> {
    with_node(node, |node| match &mut node.operation {
        Operation::Kernel(launch) => Ok(see(&mut launch.attributes)),
        _ => Err(CuError::INVALID_VALUE),
    })
}

pub fn cuGraphKernelNodeSetAttribute(
    hNode: CUgraphNode,
    attr: u32,
    value: In<CUlaunchAttributeValue>,
) -> Answer {
    driver::started()?;
    let value = value.required()?;
    with_attributes(hNode, |attributes| {
        attributes.insert(attr, value);
    })
}

pub fn cuGraphKernelNodeGetAttribute(
    hNode: CUgraphNode,
    attr: u32,
    value_out: Out<CUlaunchAttributeValue>,
) -> Answer {
    driver::started()?;
    let place = value_out.required()?;
    let value = with_attributes(hNode, |attributes| attributes.get(&attr).copied())?;
    place.set(value.unwrap_or_default());
    Ok(())
}

pub fn cuGraphKernelNodeCopyAttributes(dst: CUgraphNode, src: CUgraphNode) -> Answer {
    driver::started()?;
    let copied = with_attributes(src, |attributes| attributes.clone())?;
    with_attributes(dst, |attributes| *attributes = copied)
}

pub fn cuGraphDebugDotPrint(hGraph: CUgraph, path: Text, _flags: u32) -> Answer {
    let graph = find(super::machine()?, hGraph)?;
    let path = path.required()?;
    std::fs::write(path, dot::text(&graph)).map_err(|_| CuError::OPERATING_SYSTEM)
}
