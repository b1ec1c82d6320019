//! Words that streams write and wait for, attributes of streams, and advice about managed memory.

use crate::driver::{Library, in_child, start, to};

const NOT_READY: u32 = 600;

fn stream(cuda: &Library) -> u64 {
    let mut stream = 0u64;
    assert_eq!(cuda.call("cuStreamCreate", [to(&mut stream), 1]), 0);
    stream
}

fn words_of_device(cuda: &Library) -> u64 {
    let mut address = 0u64;
    assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut address), 64]), 0);
    assert_eq!(cuda.call("cuMemsetD8_v2", [address, 0, 64]), 0);
    address
}

fn word(cuda: &Library, address: u64) -> u64 {
    let mut word = 0u64;
    assert_eq!(cuda.call("cuMemcpyDtoH_v2", [to(&mut word), address, 8]), 0);
    word
}

#[test]
fn a_stream_waits_for_a_word_that_another_one_writes() {
    in_child(
        "memory_ops::a_stream_waits_for_a_word_that_another_one_writes",
        "h100",
        |cuda| {
            start(cuda);
            let (waiting, writing) = (stream(cuda), stream(cuda));
            let place = words_of_device(cuda);
            // Not behind 5, equal, any bit of 4, a bit in neither; then a write that shows that all was waited for.
            for (flags, value, released_by) in
                [(0, 5, 6), (1, 9, 9), (2, 4, 12), (3, u64::MAX - 1, 0)]
            {
                assert_eq!(
                    cuda.call("cuStreamWriteValue64_v2", [writing, place, 1, 0]),
                    0
                );
                assert_eq!(cuda.call("cuStreamSynchronize", [writing]), 0);
                let words = [waiting, place, value, flags];
                assert_eq!(cuda.call("cuStreamWaitValue64_v2", words), 0);
                let words = [waiting, place + 8, value, 0];
                assert_eq!(cuda.call("cuStreamWriteValue64_v2", words), 0);
                assert_eq!(cuda.call("cuStreamQuery", [waiting]), NOT_READY);
                let words = [writing, place, released_by, 0];
                assert_eq!(cuda.call("cuStreamWriteValue64_v2", words), 0);
                assert_eq!(cuda.call("cuStreamSynchronize", [waiting]), 0);
                assert_eq!(word(cuda, place + 8), value);
            }
            // In 32 bits numbers wrap around: 2 is not behind -1.
            assert_eq!(
                cuda.call("cuStreamWriteValue32_v2", [writing, place, 2, 0]),
                0
            );
            let words = [waiting, place, 0xffff_ffff, 0];
            assert_eq!(cuda.call("cuStreamWaitValue32_v2", words), 0);
            assert_eq!(cuda.call("cuStreamSynchronize", [waiting]), 0);
            for (address, flags) in [(place + 2, 0), (0x1000, 0), (place, 7)] {
                let words = [waiting, address, 0, flags];
                assert_eq!(cuda.call("cuStreamWaitValue32_v2", words), 1);
            }
        },
    );
}

#[test]
fn a_batch_is_done_in_order_and_in_graphs_too() {
    in_child(
        "memory_ops::a_batch_is_done_in_order_and_in_graphs_too",
        "h100",
        |cuda| {
            start(cuda);
            let stream = stream(cuda);
            let place = words_of_device(cuda);
            // Write 3 in 64 bits, wait until it is 3, a barrier, write 4 in 32 bits beside it.
            let mut batch = [
                [5, place, 3, 0, 0, 0],
                [4, place, 3, 1, 0, 0],
                [6, 0, 0, 0, 0, 0],
                [2, place + 8, 4, 0, 0, 0],
            ];
            let words = [stream, 4, to(&mut batch), 0];
            assert_eq!(cuda.call("cuStreamBatchMemOp_v2", words), 0);
            assert_eq!(cuda.call("cuStreamSynchronize", [stream]), 0);
            assert_eq!((word(cuda, place), word(cuda, place + 8)), (3, 4));
            let (mut graph, mut exec, mut node, mut count) = (0u64, 0u64, 0u64, 1usize);
            assert_eq!(cuda.call("cuStreamBeginCapture_v2", [stream, 0]), 0);
            batch[0][2] = 7;
            batch[1][2] = 7;
            assert_eq!(cuda.call("cuStreamBatchMemOp_v2", words), 0);
            assert_eq!(cuda.call("cuStreamEndCapture", [stream, to(&mut graph)]), 0);
            let ask = [graph, to(&mut node), to(&mut count)];
            assert_eq!(cuda.call("cuGraphGetNodes", ask), 0);
            let mut kind = 0u32;
            assert_eq!(cuda.call("cuGraphNodeGetType", [node, to(&mut kind)]), 0);
            assert_eq!((count, kind), (1, 12));
            let mut params = [9u64; 4];
            let ask = [node, to(&mut params)];
            assert_eq!(cuda.call("cuGraphBatchMemOpNodeGetParams", ask), 0);
            assert_eq!(params[1] as u32, 4, "operations");
            assert_eq!(word(cuda, place), 3, "captured, not done");
            let words = [to(&mut exec), graph, 0];
            assert_eq!(cuda.call("cuGraphInstantiateWithFlags", words), 0);
            assert_eq!(cuda.call("cuGraphLaunch", [exec, stream]), 0);
            assert_eq!(cuda.call("cuStreamSynchronize", [stream]), 0);
            assert_eq!(word(cuda, place), 7);
            assert_eq!(
                cuda.call("cuStreamBatchMemOp_v2", [stream, 0, to(&mut batch), 0]),
                1
            );
            batch[3][0] = 99;
            let words = [stream, 4, to(&mut batch), 0];
            assert_eq!(cuda.call("cuStreamBatchMemOp_v2", words), 1);
        },
    );
}

#[test]
fn streams_keep_their_attributes() {
    in_child(
        "memory_ops::streams_keep_their_attributes",
        "h100",
        |cuda| {
            start(cuda);
            let (one, other) = (stream(cuda), stream(cuda));
            let get = |stream: u64, attribute: u64| {
                let mut value = [7u64; 8];
                let words = [stream, attribute, to(&mut value)];
                (cuda.call("cuStreamGetAttribute", words), value[0])
            };
            let set = |stream: u64, attribute: u64, first: u64| {
                let mut value = [0u64; 8];
                value[0] = first;
                cuda.call("cuStreamSetAttribute", [stream, attribute, to(&mut value)])
            };
            // The policy of synchronisation is `auto` until it is set; attributes of launches alone are none of a stream's.
            assert_eq!(get(one, 3), (0, 1));
            assert_eq!(set(one, 3, 4), 0);
            assert_eq!(set(one, 3, 5), 1);
            assert_eq!(get(one, 3), (0, 4));
            assert_eq!((get(one, 4).0, set(one, 4, 1)), (1, 1));
            assert_eq!(get(other, 3), (0, 1));
            assert_eq!(cuda.call("cuStreamCopyAttributes", [other, one]), 0);
            assert_eq!(get(other, 3), (0, 4));
        },
    );
}

#[test]
fn advice_is_remembered_page_by_page() {
    in_child(
        "memory_ops::advice_is_remembered_page_by_page",
        "h100",
        |cuda| {
            start(cuda);
            const PAGE: u64 = 4096;
            let mut base = 0u64;
            let words = [to(&mut base), 4 * PAGE, 1];
            assert_eq!(cuda.call("cuMemAllocManaged", words), 0);
            let ask = |attribute: u64, address: u64, bytes: u64| {
                let mut value = [7i32; 2];
                let room = if attribute == 3 { 8 } else { 4 };
                let words = [to(&mut value), room, attribute, address, bytes];
                (cuda.call("cuMemRangeGetAttribute", words), value)
            };
            let advise = |advice: u64, device: i64, address: u64, bytes: u64| {
                cuda.call("cuMemAdvise", [address, bytes, advice, device as u64])
            };
            assert_eq!(ask(1, base, 4 * PAGE), (0, [0, 7]));
            assert_eq!(ask(2, base, 4 * PAGE), (0, [-2, 7]));
            assert_eq!(advise(1, 0, base, 2 * PAGE), 0);
            assert_eq!(advise(3, -1, base, 2 * PAGE), 0);
            assert_eq!(advise(5, 0, base, 4 * PAGE), 0);
            assert_eq!(ask(1, base, 2 * PAGE), (0, [1, 7]));
            assert_eq!(ask(1, base, 3 * PAGE), (0, [0, 7]), "not all of it");
            assert_eq!(ask(2, base, PAGE), (0, [-1, 7]));
            assert_eq!(ask(5, base, PAGE), (0, [2, 7]), "the host");
            assert_eq!(ask(3, base, 4 * PAGE), (0, [0, -2]));
            let words = [base + 2 * PAGE, PAGE, 0, 0];
            assert_eq!(cuda.call("cuMemPrefetchAsync", words), 0);
            assert_eq!(ask(4, base + 2 * PAGE, PAGE), (0, [0, 7]));
            assert_eq!(ask(4, base, PAGE), (0, [-2, 7]));
            assert_eq!(advise(2, 0, base, PAGE), 0);
            assert_eq!(ask(1, base, PAGE), (0, [0, 7]));
            assert_eq!(ask(99, base, PAGE).0, 1);
            assert_eq!(ask(1, base, 5 * PAGE).0, 1, "beyond its end");
            let (mut first, mut second) = (7i32, 7i32);
            let mut places = [to(&mut first), to(&mut second)];
            let (mut sizes, mut attributes) = ([4usize; 2], [1u32, 2]);
            let words = [
                to(&mut places),
                to(&mut sizes),
                to(&mut attributes),
                2,
                base + PAGE,
                PAGE,
            ];
            assert_eq!(cuda.call("cuMemRangeGetAttributes", words), 0);
            assert_eq!((first, second), (1, -1));
        },
    );
}
