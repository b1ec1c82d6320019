//! Graphs and capture as a program meets them through the driver API.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::driver::{Library, in_child, memory, start, to};

const BYTES: u64 = 4096;
const NO_EVENT_TIMING: u64 = 2;
const NON_BLOCKING: u64 = 1;
const GLOBAL: u64 = 0;
const THREAD_LOCAL: u64 = 1;
const RELAXED: u64 = 2;

/// Makes something through a first out parameter; fails unless that worked.
fn made<const N: usize>(cuda: &Library, name: &str, rest: [u64; N]) -> u64 {
    let mut handle = 0u64;
    let mut words = [0; 12];
    words[0] = to(&mut handle);
    words[1..=N].copy_from_slice(&rest);
    assert_eq!(cuda.call(name, words), 0, "{name}");
    assert_ne!(handle, 0, "{name}");
    handle
}

fn ok<const N: usize>(cuda: &Library, name: &str, words: [u64; N]) {
    assert_eq!(cuda.call(name, words), 0, "{name}");
}

/// The bytes at a device address, read through a copy.
fn read(cuda: &Library, address: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0u8; count];
    let place = bytes.as_mut_ptr() as u64;
    ok(cuda, "cuMemcpyDtoH_v2", [place, address, count as u64]);
    bytes
}

/// `CUDA_MEMSET_NODE_PARAMS`: where, pitch, value and bytes of an element, width, height.
fn fill(address: u64, value: u32, count: u64) -> [u64; 5] {
    [address, 0, u64::from(value) | 1 << 32, count, 1]
}

/// `CUDA_MEMCPY3D` from device to device.
fn copy(destination: u64, source: u64, bytes: u64) -> [u64; 25] {
    const DEVICE: u64 = 2;
    let mut words = [0; 25];
    (words[4], words[6]) = (DEVICE, source);
    (words[15], words[17]) = (DEVICE, destination);
    (words[22], words[23], words[24]) = (bytes, 1, 1);
    words
}

fn address<T>(value: &T) -> u64 {
    std::ptr::from_ref(value) as u64
}

/// Counts its calls.
extern "C" fn count_up(counter: *mut c_void) {
    // SAFETY: the tests pass a counter that outlives the graph.
    unsafe { &*counter.cast::<AtomicU32>() }.fetch_add(1, Ordering::SeqCst);
}

/// Adds a node without parameters of its own.
fn add<const N: usize>(
    cuda: &Library,
    name: &str,
    graph: u64,
    after: &[u64],
    rest: [u64; N],
) -> u64 {
    let mut words = [0; 11];
    words[..3].copy_from_slice(&[graph, after.as_ptr() as u64, after.len() as u64]);
    words[3..3 + N].copy_from_slice(&rest);
    made(cuda, name, words)
}

#[test]
fn a_graph_built_by_hand_does_its_nodes_in_order_at_each_launch() {
    in_child(
        "graphs::a_graph_built_by_hand_does_its_nodes_in_order_at_each_launch",
        "h100",
        |cuda| {
            start(cuda);
            let (one, two) = (
                made(cuda, "cuMemAlloc_v2", [BYTES]),
                made(cuda, "cuMemAlloc_v2", [BYTES]),
            );
            let calls = AtomicU32::new(0);
            let graph = made(cuda, "cuGraphCreate", [0]);
            let set = fill(one, 0x5a, BYTES);
            let first = add(cuda, "cuGraphAddMemsetNode", graph, &[], [address(&set), 0]);
            let copied = copy(two, one, BYTES);
            let second = add(
                cuda,
                "cuGraphAddMemcpyNode",
                graph,
                &[first],
                [address(&copied), 0],
            );
            let host = [count_up as *const () as u64, address(&calls)];
            let third = add(
                cuda,
                "cuGraphAddHostNode",
                graph,
                &[second],
                [address(&host)],
            );
            let wiped = fill(one, 0, BYTES);
            add(
                cuda,
                "cuGraphAddMemsetNode",
                graph,
                &[third],
                [address(&wiped), 0],
            );
            let (mut nodes, mut roots, mut edges) = (0u64, 0u64, 0u64);
            ok(cuda, "cuGraphGetNodes", [graph, 0, to(&mut nodes)]);
            ok(cuda, "cuGraphGetRootNodes", [graph, 0, to(&mut roots)]);
            ok(cuda, "cuGraphGetEdges", [graph, 0, 0, to(&mut edges)]);
            assert_eq!((nodes, roots, edges), (4, 1, 3));
            let exec = made(cuda, "cuGraphInstantiateWithFlags", [graph, 0]);
            // What was instantiated stays, whatever becomes of the graph.
            ok(cuda, "cuGraphDestroy", [graph]);
            let stream = made(cuda, "cuStreamCreate", [0]);
            for round in 1..=3 {
                ok(cuda, "cuMemsetD8_v2", [two, 0, BYTES]);
                ok(cuda, "cuGraphLaunch", [exec, stream]);
                ok(cuda, "cuStreamSynchronize", [stream]);
                assert_eq!(read(cuda, two, 4096), [0x5a; 4096]);
                assert_eq!(read(cuda, one, 4096), [0; 4096]);
                assert_eq!(calls.load(Ordering::SeqCst), round);
            }
            ok(cuda, "cuGraphExecDestroy", [exec]);
            assert_eq!(cuda.call("cuGraphExecDestroy", [exec]), 1);
            assert_eq!(cuda.call("cuGraphLaunch", [exec, stream]), 1);
        },
    );
}

#[test]
fn edges_decide_the_order_and_circles_cannot_be_instantiated() {
    in_child(
        "graphs::edges_decide_the_order_and_circles_cannot_be_instantiated",
        "h100",
        |cuda| {
            start(cuda);
            let place = made(cuda, "cuMemAlloc_v2", [BYTES]);
            let graph = made(cuda, "cuGraphCreate", [0]);
            let (late, early) = (fill(place, 2, 1), fill(place, 1, 1));
            let late = add(
                cuda,
                "cuGraphAddMemsetNode",
                graph,
                &[],
                [address(&late), 0],
            );
            let early = add(
                cuda,
                "cuGraphAddMemsetNode",
                graph,
                &[],
                [address(&early), 0],
            );
            let edge = |from: &u64, upto: &u64| [graph, address(from), address(upto), 1];
            ok(cuda, "cuGraphAddDependencies", edge(&early, &late));
            // The same edge twice, and an edge from a node to itself, are refused.
            assert_eq!(cuda.call("cuGraphAddDependencies", edge(&early, &late)), 1);
            assert_eq!(cuda.call("cuGraphAddDependencies", edge(&late, &late)), 1);
            let exec = made(cuda, "cuGraphInstantiateWithFlags", [graph, 0]);
            ok(cuda, "cuGraphLaunch", [exec, 0]);
            assert_eq!(read(cuda, place, 1), [2], "the node added first runs last");
            ok(cuda, "cuGraphAddDependencies", edge(&late, &early));
            let mut circle = 0u64;
            let words = [to(&mut circle), graph, 0];
            assert_eq!(cuda.call("cuGraphInstantiateWithFlags", words), 1);
            ok(cuda, "cuGraphRemoveDependencies", edge(&late, &early));
            ok(cuda, "cuGraphInstantiateWithFlags", words);
        },
    );
}

#[test]
fn an_executable_graph_is_updated_by_one_of_the_same_shape_only() {
    in_child(
        "graphs::an_executable_graph_is_updated_by_one_of_the_same_shape_only",
        "h100",
        |cuda| {
            start(cuda);
            let place = made(cuda, "cuMemAlloc_v2", [BYTES]);
            let with = |value: u32| {
                let graph = made(cuda, "cuGraphCreate", [0]);
                let set = fill(place, value, 1);
                add(cuda, "cuGraphAddMemsetNode", graph, &[], [address(&set), 0]);
                graph
            };
            let (first, second, third) = (with(1), with(2), with(3));
            let exec = made(cuda, "cuGraphInstantiateWithFlags", [first, 0]);
            let mut info = [7u64; 3];
            ok(cuda, "cuGraphExecUpdate_v2", [exec, second, to(&mut info)]);
            assert_eq!(info[0] as u32, 0);
            ok(cuda, "cuGraphLaunch", [exec, 0]);
            assert_eq!(read(cuda, place, 1), [2]);
            let odd = add(cuda, "cuGraphAddEmptyNode", third, &[], []);
            assert_eq!(
                cuda.call("cuGraphExecUpdate_v2", [exec, third, to(&mut info)]),
                910
            );
            assert_eq!(info[0] as u32, 2, "the topology changed");
            ok(cuda, "cuGraphDestroyNode", [odd]);
            ok(cuda, "cuGraphExecUpdate_v2", [exec, third, to(&mut info)]);
            // One node's parameters can be changed, too, and the node turned off.
            let mut node = 0u64;
            let mut count = 1u64;
            ok(
                cuda,
                "cuGraphGetNodes",
                [first, to(&mut node), to(&mut count)],
            );
            let set = fill(place, 9, 1);
            let words = [exec, node, address(&set), 0];
            ok(cuda, "cuGraphExecMemsetNodeSetParams", words);
            ok(cuda, "cuGraphLaunch", [exec, 0]);
            assert_eq!(read(cuda, place, 1), [9]);
            ok(cuda, "cuMemsetD8_v2", [place, 0, 1]);
            ok(cuda, "cuGraphNodeSetEnabled", [exec, node, 0]);
            ok(cuda, "cuGraphLaunch", [exec, 0]);
            assert_eq!(read(cuda, place, 1), [0]);
        },
    );
}

#[test]
fn child_graphs_and_clones_are_copies_of_their_own() {
    in_child(
        "graphs::child_graphs_and_clones_are_copies_of_their_own",
        "h100",
        |cuda| {
            start(cuda);
            let place = made(cuda, "cuMemAlloc_v2", [BYTES]);
            let inner = made(cuda, "cuGraphCreate", [0]);
            let set = fill(place, 1, 1);
            let node = add(cuda, "cuGraphAddMemsetNode", inner, &[], [address(&set), 0]);
            let outer = made(cuda, "cuGraphCreate", [0]);
            let child = add(cuda, "cuGraphAddChildGraphNode", outer, &[], [inner]);
            let clone = made(cuda, "cuGraphClone", [inner]);
            let cloned_node = made(cuda, "cuGraphNodeFindInClone", [node, clone]);
            assert_ne!(cloned_node, node);
            // Changing the original changes neither.
            let set = fill(place, 2, 1);
            ok(cuda, "cuGraphMemsetNodeSetParams", [node, address(&set)]);
            for graph in [outer, clone] {
                ok(cuda, "cuMemsetD8_v2", [place, 0, 1]);
                let exec = made(cuda, "cuGraphInstantiateWithFlags", [graph, 0]);
                ok(cuda, "cuGraphLaunch", [exec, 0]);
                assert_eq!(read(cuda, place, 1), [1]);
            }
            let mut owned = 0u64;
            let words = [child, to(&mut owned)];
            ok(cuda, "cuGraphChildGraphNodeGetGraph", words);
            assert_ne!(owned, inner);
            assert_eq!(cuda.call("cuGraphDestroy", [owned]), 1, "its node owns it");
            ok(cuda, "cuGraphDestroy", [outer]);
            assert_eq!(cuda.call("cuGraphNodeGetType", [child, to(&mut owned)]), 1);
        },
    );
}

#[test]
fn memory_nodes_take_memory_when_launched_and_give_it_back_when_freed() {
    in_child(
        "graphs::memory_nodes_take_memory_when_launched_and_give_it_back_when_freed",
        "h100",
        |cuda| {
            start(cuda);
            let stream = made(cuda, "cuStreamCreate", [0]);
            let before = memory(cuda).1;
            ok(cuda, "cuStreamBeginCapture_v2", [stream, GLOBAL]);
            let taken = made(cuda, "cuMemAllocAsync", [1 << 20, stream]);
            ok(cuda, "cuMemsetD8Async", [taken, 0x33, 1 << 20, stream]);
            let graph = {
                let mut graph = 0u64;
                ok(cuda, "cuStreamEndCapture", [stream, to(&mut graph)]);
                graph
            };
            let exec = made(cuda, "cuGraphInstantiateWithFlags", [graph, 0]);
            assert_eq!(memory(cuda).1, before, "nothing is taken before the launch");
            ok(cuda, "cuGraphLaunch", [exec, stream]);
            ok(cuda, "cuStreamSynchronize", [stream]);
            assert_eq!(memory(cuda).1, before - (1 << 20));
            assert_eq!(read(cuda, taken + (1 << 20) - 1, 1), [0x33]);
            // What the last launch left allocated must be freed before the next one.
            assert_eq!(cuda.call("cuGraphLaunch", [exec, stream]), 1);
            ok(cuda, "cuMemFreeAsync", [taken, stream]);
            ok(cuda, "cuStreamSynchronize", [stream]);
            assert_eq!(memory(cuda).1, before);
            ok(cuda, "cuGraphLaunch", [exec, stream]);
            ok(cuda, "cuMemFree_v2", [taken]);
            assert_eq!(cuda.call("cuMemFree_v2", [taken]), 1);
            let mut clone = 0u64;
            assert_eq!(cuda.call("cuGraphClone", [to(&mut clone), graph]), 801);
        },
    );
}

#[test]
fn user_objects_live_as_long_as_a_graph_holds_them() {
    in_child(
        "graphs::user_objects_live_as_long_as_a_graph_holds_them",
        "h100",
        |cuda| {
            start(cuda);
            let destroyed = AtomicU32::new(0);
            let count = || destroyed.load(Ordering::SeqCst);
            let destroy = count_up as *const () as u64;
            let object = made(
                cuda,
                "cuUserObjectCreate",
                [address(&destroyed), destroy, 1, 1],
            );
            let graph = made(cuda, "cuGraphCreate", [0]);
            const MOVE: u64 = 1;
            ok(cuda, "cuGraphRetainUserObject", [graph, object, 1, MOVE]);
            let exec = made(cuda, "cuGraphInstantiateWithFlags", [graph, 0]);
            ok(cuda, "cuGraphDestroy", [graph]);
            assert_eq!(count(), 0, "the executable graph holds it, too");
            ok(cuda, "cuGraphExecDestroy", [exec]);
            assert_eq!(count(), 1);
            assert_eq!(cuda.call("cuUserObjectRetain", [object, 1]), 1);
        },
    );
}

/// Begins a capture, makes one call, ends it: the codes of the call and of the end.
fn in_capture(cuda: &Library, stream: u64, mode: u64, call: impl FnOnce() -> u32) -> (u32, u32) {
    let mut graph = 7u64;
    ok(cuda, "cuStreamBeginCapture_v2", [stream, mode]);
    let code = call();
    let ended = cuda.call("cuStreamEndCapture", [stream, to(&mut graph)]);
    assert_eq!(graph != 0, ended == 0, "a failed capture gives no graph");
    (code, ended)
}

#[test]
fn what_cannot_be_captured_is_refused_and_spoils_the_capture() {
    in_child(
        "graphs::what_cannot_be_captured_is_refused_and_spoils_the_capture",
        "h100",
        |cuda| {
            start(cuda);
            let stream = made(cuda, "cuStreamCreate", [0]);
            let aside = made(cuda, "cuStreamCreate", [NON_BLOCKING]);
            let event = made(cuda, "cuEventCreate", [NO_EVENT_TIMING]);
            let place = made(cuda, "cuMemAlloc_v2", [BYTES]);
            let mut graph = 0u64;
            let allocate = || {
                let mut pointer = 0u64;
                cuda.call("cuMemAlloc_v2", [to(&mut pointer), BYTES])
            };
            for (mode, expected) in [(GLOBAL, (900, 901)), (THREAD_LOCAL, (900, 901))] {
                assert_eq!(in_capture(cuda, stream, mode, allocate), expected);
            }
            assert_eq!(in_capture(cuda, stream, RELAXED, allocate), (0, 0));
            let captured = |name: &str, words: [u64; 3]| {
                in_capture(cuda, stream, RELAXED, || cuda.call(name, words))
            };
            assert_eq!(captured("cuStreamSynchronize", [stream, 0, 0]), (900, 901));
            assert_eq!(captured("cuStreamQuery", [stream, 0, 0]), (900, 901));
            assert_eq!(captured("cuCtxSynchronize", [0, 0, 0]), (900, 901));
            // The legacy default stream would wait for every blocking stream.
            assert_eq!(captured("cuMemsetD8_v2", [place, 1, 1]), (906, 901));
            assert_eq!(captured("cuEventRecord", [event, 0, 0]), (906, 901));
            // An event recorded outside is work that the graph would not hold.
            assert_eq!(
                captured("cuStreamWaitEvent", [stream, event, 0]),
                (905, 901)
            );
            assert_eq!(
                captured("cuStreamBeginCapture_v2", [stream, 0, 0]),
                (401, 0)
            );
            let begin_legacy = cuda.call("cuStreamBeginCapture_v2", [0, RELAXED]);
            assert_eq!(begin_legacy, 900);
            assert_eq!(cuda.call("cuStreamBeginCapture_v2", [stream, 3]), 1);
            assert_eq!(
                cuda.call("cuStreamEndCapture", [stream, to(&mut graph)]),
                401
            );
            // A non-blocking stream's capture does not touch the legacy stream.
            let beside = || cuda.call("cuMemsetD8_v2", [place, 1, 1]);
            assert_eq!(in_capture(cuda, aside, RELAXED, beside), (0, 0));
            // Two captures do not merge.
            ok(cuda, "cuStreamBeginCapture_v2", [aside, RELAXED]);
            ok(cuda, "cuEventRecord", [event, aside]);
            let merged = captured("cuStreamWaitEvent", [stream, event, 0]);
            assert_eq!(merged, (902, 901));
            assert_eq!(
                cuda.call("cuStreamEndCapture", [aside, to(&mut graph)]),
                901
            );
            assert_eq!(cuda.call("cuEventQuery", [event]), 907);
        },
    );
}

#[test]
fn a_capture_ends_on_the_thread_and_stream_where_it_began() {
    in_child(
        "graphs::a_capture_ends_on_the_thread_and_stream_where_it_began",
        "h100",
        |cuda| {
            let context = start(cuda);
            let (one, two) = (
                made(cuda, "cuStreamCreate", [0]),
                made(cuda, "cuStreamCreate", [0]),
            );
            let event = made(cuda, "cuEventCreate", [NO_EVENT_TIMING]);
            ok(cuda, "cuStreamBeginCapture_v2", [one, GLOBAL]);
            let elsewhere = |stream: u64| {
                std::thread::scope(|scope| {
                    let end = scope.spawn(|| {
                        let mut graph = 0u64;
                        ok(cuda, "cuCtxSetCurrent", [context]);
                        cuda.call("cuStreamEndCapture", [stream, to(&mut graph)])
                    });
                    end.join().expect("the other thread ends")
                })
            };
            assert_eq!(elsewhere(one), 908);
            ok(cuda, "cuEventRecord", [event, one]);
            ok(cuda, "cuStreamWaitEvent", [two, event, 0]);
            let (mut status, mut graph) = (0u32, 0u64);
            ok(cuda, "cuStreamIsCapturing", [two, to(&mut status)]);
            assert_eq!(status, 1, "the second stream has joined");
            assert_eq!(cuda.call("cuStreamEndCapture", [two, to(&mut graph)]), 903);
            ok(cuda, "cuStreamIsCapturing", [one, to(&mut status)]);
            assert_eq!(status, 2, "and its mistake has spoilt the capture");
            assert_eq!(cuda.call("cuStreamEndCapture", [one, to(&mut graph)]), 901);
            ok(cuda, "cuStreamBeginCapture_v2", [one, RELAXED]);
            assert_eq!(elsewhere(one), 0, "a relaxed capture may end anywhere");
        },
    );
}

#[test]
fn a_capture_into_a_graph_goes_on_behind_its_nodes() {
    in_child(
        "graphs::a_capture_into_a_graph_goes_on_behind_its_nodes",
        "h100",
        |cuda| {
            start(cuda);
            let stream = made(cuda, "cuStreamCreate", [0]);
            let place = made(cuda, "cuMemAlloc_v2", [BYTES]);
            let graph = made(cuda, "cuGraphCreate", [0]);
            let set = fill(place, 1, 2);
            let node = add(cuda, "cuGraphAddMemsetNode", graph, &[], [address(&set), 0]);
            let words = [stream, graph, address(&node), 0, 1, GLOBAL];
            ok(cuda, "cuStreamBeginCaptureToGraph", words);
            ok(cuda, "cuMemsetD8Async", [place, 2, 1, stream]);
            let (mut status, mut id, mut shown) = (0u32, 0u64, 0u64);
            let (mut nodes, mut count) = (0u64, 0u64);
            let words = [
                stream,
                to(&mut status),
                to(&mut id),
                to(&mut shown),
                to(&mut nodes),
                to(&mut count),
            ];
            ok(cuda, "cuStreamGetCaptureInfo_v2", words);
            assert_eq!((status, shown, count), (1, graph, 1));
            // SAFETY: the call says that so many handles lie there until the stream is used again.
            let leaf = unsafe { *(nodes as usize as *const u64) };
            let (mut from, mut room) = (0u64, 1u64);
            let words = [leaf, to(&mut from), to(&mut room)];
            ok(cuda, "cuGraphNodeGetDependencies", words);
            assert_eq!((from, room), (node, 1));
            let mut ended = 0u64;
            ok(cuda, "cuStreamEndCapture", [stream, to(&mut ended)]);
            assert_eq!(ended, graph);
            let exec = made(cuda, "cuGraphInstantiateWithFlags", [graph, 0]);
            ok(cuda, "cuGraphLaunch", [exec, stream]);
            assert_eq!(read(cuda, place, 2), [2, 1]);
        },
    );
}

#[test]
fn a_graph_launched_into_a_capture_becomes_part_of_it() {
    in_child(
        "graphs::a_graph_launched_into_a_capture_becomes_part_of_it",
        "h100",
        |cuda| {
            start(cuda);
            let stream = made(cuda, "cuStreamCreate", [0]);
            let place = made(cuda, "cuMemAlloc_v2", [BYTES]);
            let graph = made(cuda, "cuGraphCreate", [0]);
            let set = fill(place, 4, 1);
            add(cuda, "cuGraphAddMemsetNode", graph, &[], [address(&set), 0]);
            let exec = made(cuda, "cuGraphInstantiateWithFlags", [graph, 0]);
            ok(cuda, "cuStreamBeginCapture_v2", [stream, GLOBAL]);
            ok(cuda, "cuGraphLaunch", [exec, stream]);
            let mut outer = 0u64;
            ok(cuda, "cuStreamEndCapture", [stream, to(&mut outer)]);
            assert_eq!(read(cuda, place, 1), [0], "it was not launched");
            let (mut node, mut count, mut kind) = (0u64, 1u64, 0u32);
            ok(
                cuda,
                "cuGraphGetNodes",
                [outer, to(&mut node), to(&mut count)],
            );
            ok(cuda, "cuGraphNodeGetType", [node, to(&mut kind)]);
            assert_eq!((count, kind), (1, 4), "one child graph");
            let exec = made(cuda, "cuGraphInstantiateWithFlags", [outer, 0]);
            ok(cuda, "cuGraphLaunch", [exec, stream]);
            assert_eq!(read(cuda, place, 1), [4]);
        },
    );
}
