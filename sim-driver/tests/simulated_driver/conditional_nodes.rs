//! Conditional nodes: graphs inside a node of which a value chooses. Kernels are not executed, so the value is always the default.

use crate::driver::{Library, in_child, start, to};

const INVALID_VALUE: u32 = 1;
const NOT_SUPPORTED: u32 = 801;
const MEMSET: u32 = 2;
const CONDITIONAL: u32 = 13;
const IF: u32 = 0;
const WHILE: u32 = 1;
const SWITCH: u32 = 2;
/// `CU_GRAPH_COND_ASSIGN_DEFAULT`.
const ASSIGN_DEFAULT: u64 = 1;
/// `CUDA_GRAPH_INSTANTIATE_CONDITIONAL_HANDLE_UNUSED`.
const UNUSED: u32 = 5;

/// `CUgraphNodeParams` of a conditional node.
#[repr(C)]
struct Params {
    node_type: u32,
    reserved0: [u32; 3],
    condition: u64,
    kind: u32,
    size: u32,
    bodies: *const u64,
    context: u64,
    rest: [u64; 25],
    reserved2: u64,
}

/// `CUDA_MEMSET_NODE_PARAMS`.
#[repr(C)]
struct Fill {
    to: u64,
    pitch: u64,
    value: u32,
    element_bytes: u32,
    width: u64,
    height: u64,
}

fn graph(cuda: &Library) -> u64 {
    let mut graph = 0u64;
    assert_eq!(cuda.call("cuGraphCreate", [to(&mut graph), 0]), 0);
    graph
}

fn condition(cuda: &Library, graph: u64, default: u64, flags: u64) -> u64 {
    let mut condition = 0u64;
    let words = [to(&mut condition), graph, 0, default, flags];
    assert_eq!(cuda.call("cuGraphConditionalHandleCreate", words), 0);
    condition
}

/// Adds a node; its code, its handle and the graphs inside.
fn add(
    cuda: &Library,
    graph: u64,
    condition: u64,
    (kind, size): (u32, u32),
) -> (u32, u64, Vec<u64>) {
    let mut params = Params {
        node_type: CONDITIONAL,
        reserved0: [0; 3],
        condition,
        kind,
        size,
        bodies: std::ptr::null(),
        context: 0,
        rest: [0; 25],
        reserved2: 0,
    };
    let mut node = 0u64;
    let words = [to(&mut node), graph, 0, 0, to(&mut params)];
    let code = cuda.call("cuGraphAddNode", words);
    let count = if code == 0 { size as usize } else { 0 };
    // SAFETY: the driver says that as many handles lie there.
    let bodies = (0..count).map(|place| unsafe { params.bodies.add(place).read() });
    (code, node, bodies.collect())
}

/// Adds a node that writes a byte, eight times.
fn add_fill(cuda: &Library, graph: u64, address: u64, value: u32) {
    let mut params = Fill {
        to: address,
        pitch: 0,
        value,
        element_bytes: 1,
        width: 8,
        height: 1,
    };
    let mut node = 0u64;
    let words = [to(&mut node), graph, 0, 0, to(&mut params), 0];
    assert_eq!(cuda.call("cuGraphAddMemsetNode", words), 0);
    let mut kind = 0u32;
    assert_eq!(cuda.call("cuGraphNodeGetType", [node, to(&mut kind)]), 0);
    assert_eq!(kind, MEMSET);
}

/// Launches a graph with one conditional node whose bodies write 1, 2, ...; what stands there then, 0 where none ran.
fn written(cuda: &Library, kind: u32, size: u32, (default, flags): (u64, u64)) -> u64 {
    let (mut address, mut exec, mut found) = (0u64, 0u64, 0u64);
    let graph = graph(cuda);
    let condition = condition(cuda, graph, default, flags);
    let (code, _, bodies) = add(cuda, graph, condition, (kind, size));
    assert_eq!(code, 0);
    assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut address), 8]), 0);
    assert_eq!(cuda.call("cuMemsetD8_v2", [address, 0, 8]), 0);
    for (body, value) in bodies.iter().zip(1..) {
        add_fill(cuda, *body, address, value);
    }
    let words = [to(&mut exec), graph, 0];
    assert_eq!(cuda.call("cuGraphInstantiateWithFlags", words), 0);
    assert_eq!(cuda.call("cuGraphLaunch", [exec, 0]), 0);
    let words = [to(&mut found), address, 8];
    assert_eq!(cuda.call("cuMemcpyDtoH_v2", words), 0);
    assert_eq!(cuda.call("cuGraphExecDestroy", [exec]), 0);
    assert_eq!(cuda.call("cuGraphDestroy", [graph]), 0);
    // Bodies go with the graph.
    assert_eq!(cuda.call("cuGraphDestroy", [bodies[0]]), INVALID_VALUE);
    found & 0xff
}

#[test]
fn the_default_value_chooses_the_graph_that_runs() {
    in_child(
        "conditional_nodes::the_default_value_chooses_the_graph_that_runs",
        "h100",
        |cuda| {
            start(cuda);
            let with = |value| (value, ASSIGN_DEFAULT);
            assert_eq!(written(cuda, IF, 1, with(1)), 1);
            assert_eq!(written(cuda, IF, 1, with(0)), 0);
            assert_eq!(written(cuda, IF, 2, with(7)), 1);
            assert_eq!(written(cuda, IF, 2, with(0)), 2);
            assert_eq!(written(cuda, SWITCH, 3, with(2)), 3);
            assert_eq!(written(cuda, SWITCH, 3, with(3)), 0);
            // A loop whose value no kernel changes goes round once.
            assert_eq!(written(cuda, WHILE, 1, with(1)), 1);
            assert_eq!(written(cuda, WHILE, 1, with(0)), 0);
            // Without the flag, nothing has set the value.
            assert_eq!(written(cuda, IF, 1, (1, 0)), 0);
        },
    );
}

#[test]
fn a_condition_is_for_one_node_of_its_graph() {
    in_child(
        "conditional_nodes::a_condition_is_for_one_node_of_its_graph",
        "h100",
        |cuda| {
            start(cuda);
            let (one, other) = (graph(cuda), graph(cuda));
            let mut none = 0u64;
            let words = [to(&mut none), one, 0, 0, 2];
            let code = cuda.call("cuGraphConditionalHandleCreate", words);
            assert_eq!(code, INVALID_VALUE);
            let outer = condition(cuda, one, 1, ASSIGN_DEFAULT);
            assert_eq!(add(cuda, other, outer, (IF, 1)).0, INVALID_VALUE);
            assert_eq!(add(cuda, one, outer, (IF, 3)).0, INVALID_VALUE);
            assert_eq!(add(cuda, one, outer, (WHILE, 2)).0, INVALID_VALUE);
            assert_eq!(add(cuda, one, outer, (SWITCH, 0)).0, INVALID_VALUE);
            assert_eq!(add(cuda, one, outer, (3, 1)).0, INVALID_VALUE);
            assert_eq!(add(cuda, one, 0x1234, (IF, 1)).0, INVALID_VALUE);
            let (code, node, bodies) = add(cuda, one, outer, (IF, 1));
            assert_eq!(code, 0);
            assert_eq!(add(cuda, one, outer, (IF, 1)).0, INVALID_VALUE);
            let mut kind = 0u32;
            assert_eq!(cuda.call("cuGraphNodeGetType", [node, to(&mut kind)]), 0);
            assert_eq!(kind, CONDITIONAL);
            // One of the graph may decide in a node of a graph inside.
            let inner = condition(cuda, one, 1, ASSIGN_DEFAULT);
            assert_eq!(add(cuda, bodies[0], inner, (WHILE, 1)).0, 0);
            // It may not be cloned, nor lie in another graph.
            let (mut clone, mut child) = (0u64, 0u64);
            let code = cuda.call("cuGraphClone", [to(&mut clone), one]);
            assert_eq!(code, NOT_SUPPORTED);
            let words = [to(&mut child), other, 0, 0, one];
            let code = cuda.call("cuGraphAddChildGraphNode", words);
            assert_eq!(code, INVALID_VALUE);
        },
    );
}

#[test]
fn what_can_not_run_inside_is_refused_when_the_graph_is_made_ready() {
    in_child(
        "conditional_nodes::what_can_not_run_inside_is_refused_when_the_graph_is_made_ready",
        "h100",
        |cuda| {
            start(cuda);
            let mut exec = 0u64;
            // flags, upload stream, node, result
            let mut params = [0u64; 4];
            let unused = graph(cuda);
            condition(cuda, unused, 0, 0);
            let words = [to(&mut exec), unused, to(&mut params)];
            let code = cuda.call("cuGraphInstantiateWithParams", words);
            assert_eq!((code, params[3] as u32), (INVALID_VALUE, UNUSED));
            let with_event = graph(cuda);
            let decides = condition(cuda, with_event, 0, 0);
            let (_, _, bodies) = add(cuda, with_event, decides, (IF, 1));
            let (mut event, mut node) = (0u64, 0u64);
            assert_eq!(cuda.call("cuEventCreate", [to(&mut event), 0]), 0);
            let words = [to(&mut node), bodies[0], 0, 0, event];
            assert_eq!(cuda.call("cuGraphAddEventRecordNode", words), 0);
            let words = [to(&mut exec), with_event, 0];
            let code = cuda.call("cuGraphInstantiateWithFlags", words);
            assert_eq!(code, NOT_SUPPORTED);
        },
    );
}
