//! What a user gets from a recording folder: every call once, in order, whatever happened to the process.

mod scratch;

use cutape_trace_format::call::Call;
use cutape_trace_format::ring::CallId;
use cutape_trace_format::sample::{Chance, SampleCapture};
use cutape_trace_format::sample_recording::{RING_CAPACITY, SampleRecording};
use cutape_trace_format::sample_schema::{DEVICE_GET_NAME, INIT, LAUNCH_KERNEL, MEM_GET_INFO};
use cutape_trace_format::trace::Trace;
use scratch::Scratch;

fn calls(trace: &Trace) -> Vec<Call> {
    trace.calls().map(|call| call.expect("no damage")).collect()
}

/// (function, begin, duration, return value) of each call.
fn summary(trace: &Trace) -> Vec<(String, u64, Option<u64>, Option<u64>)> {
    let name = |call: &Call| trace.function_name(call.function).into_owned();
    calls(trace)
        .iter()
        .map(|call| (name(call), call.begin_ns, call.duration_ns, call.returned))
        .collect()
}

#[test]
fn a_call_comes_back_with_arguments_answer_and_what_pointers_held() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    let ring = process.ring();
    ring.thread(2_000_000, 0, 101, "worker");
    let args = [0x7ffe_0000_1000, 0x7ffe_0000_1008];
    let id = ring.begin_from(2_000_100, MEM_GET_INFO, (0x7f00_1234, &args), &[]);
    let (free, total) = ((78u64 << 30).to_le_bytes(), (80u64 << 30).to_le_bytes());
    ring.end_with(
        2_000_350,
        id,
        0,
        &[
            SampleCapture::after(0, &free),
            SampleCapture::after(1, &total),
        ],
    );
    let name = b"NVIDIA H100 80GB HBM3\0";
    let id = ring.begin_from(
        2_001_000,
        DEVICE_GET_NAME,
        (0x7f00_1300, &[0x7ffe_0000_2000, 256, 0]),
        &[],
    );
    ring.end_with(
        2_001_500,
        id,
        0,
        &[SampleCapture {
            full: Some(256),
            ..SampleCapture::after(0, name)
        }],
    );
    process.flush().expect("flushes");

    let trace = Trace::open(&recording.path).expect("opens");
    assert!(trace.damages().is_empty(), "{:?}", trace.damages());
    let calls = calls(&trace);
    assert_eq!(calls.len(), 2);
    let first = &calls[0];
    assert_eq!(
        (first.seq, first.begin_ns, first.duration_ns, first.returned),
        (1, 2_000_100, Some(250), Some(0))
    );
    assert_eq!(
        (first.args.as_slice(), first.caller),
        (&args[..], 0x7f00_1234)
    );
    assert_eq!(first.capture(0, true).expect("captured").bytes, free);
    assert_eq!(first.capture(1, true).expect("captured").bytes, total);
    assert!(first.capture(0, false).is_none());
    let second = calls[1].capture(0, true).expect("captured");
    assert_eq!((second.bytes, second.full), (&name[..], Some(256)));
    let thread = trace.thread(first.thread).expect("named");
    assert_eq!((thread.tid, thread.name.as_str()), (101, "worker"));
    let (library, offset) = trace
        .module_at(first.process, first.caller, first.begin_ns)
        .expect("mapped");
    assert_eq!(
        (library.path.as_str(), offset),
        ("/usr/lib/libclient.so", 0x2000 + 0x1234)
    );
}

#[test]
fn a_killed_process_leaves_its_last_calls_and_the_one_in_flight() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    let ring = process.ring();
    ring.thread(0, 0, 100, "main");
    let first = ring.begin(10, INIT, &[0]);
    ring.end(20, first, 0);
    let across = ring.begin(30, INIT, &[1]);
    process.flush().expect("flushes");
    let ring = &mut process.rings[0];
    ring.end(45, across, 3);
    let third = ring.begin(50, INIT, &[2]);
    ring.end(60, third, 0);
    ring.begin(70, INIT, &[3]);
    process.leave().expect("writes");

    let trace = Trace::open(&recording.path).expect("opens");
    let init = |begin, duration, returned| ("cuInit".to_owned(), begin, duration, returned);
    let expected = vec![
        init(10, Some(10), Some(0)),
        init(30, Some(15), Some(3)),
        init(50, Some(10), Some(0)),
        init(70, None, None),
    ];
    assert_eq!(summary(&trace), expected);
    assert_eq!(calls(&trace)[3].args, [3]);
    assert!(trace.damages().is_empty(), "{:?}", trace.damages());

    // The same if the process died between writing a block and saying so in the ring: nothing is there twice.
    let old_rings = std::fs::read(process.folder.join("rings")).expect("reads");
    process.flush().expect("flushes");
    std::fs::write(process.folder.join("rings"), old_rings).expect("writes");
    assert_eq!(
        summary(&Trace::open(&recording.path).expect("opens")),
        expected
    );
    // Or in the middle of writing the block.
    for length in [1, 7, 20, 60] {
        let blocks = &process.blocks[..process.blocks.len() - length];
        std::fs::write(process.folder.join("blocks"), blocks).expect("writes");
        let trace = Trace::open(&recording.path).expect("opens");
        assert_eq!(summary(&trace), expected, "{length} bytes short");
        assert!(trace.damages().is_empty(), "{:?}", trace.damages());
    }
}

#[test]
fn nested_calls_keep_their_own_ends() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    let ring = process.ring();
    ring.thread(0, 0, 100, "main");
    let outer = ring.begin(10, LAUNCH_KERNEL, &[1; 11]);
    let inner = ring.begin(20, MEM_GET_INFO, &[1, 2]);
    ring.end(30, inner, 1);
    let jumped_over = ring.begin(40, MEM_GET_INFO, &[3, 4]);
    let _ = jumped_over;
    ring.end(50, outer, 2);
    process.flush().expect("flushes");
    let expected = vec![
        ("cuLaunchKernel".to_owned(), 10, Some(40), Some(2)),
        ("cuMemGetInfo_v2".to_owned(), 20, Some(10), Some(1)),
        ("cuMemGetInfo_v2".to_owned(), 40, None, None),
    ];
    assert_eq!(
        summary(&Trace::open(&recording.path).expect("opens")),
        expected
    );
}

#[test]
fn a_thread_that_changes_its_ring_in_the_middle_of_a_call_loses_nothing() {
    let scratch = Scratch::new();
    for begin_first in [true, false] {
        let recording = SampleRecording::create(&scratch.path(&format!("{begin_first}.cutape")))
            .expect("creates");
        let mut process = recording.process(100, 0).expect("creates");
        process.ring();
        process.ring();
        let (old, new) = if begin_first { (0, 1) } else { (1, 0) };
        process.rings[old].thread(0, 4, 100, "main");
        let id = process.rings[old].begin(10, INIT, &[0]);
        process.rings[new].thread(15, 4, 100, "main");
        process.rings[new].end(30, id, 7);
        let id = process.rings[new].begin(40, INIT, &[0]);
        process.rings[new].end(50, id, 0);
        process.flush().expect("flushes");
        let trace = Trace::open(&recording.path).expect("opens");
        let init = |begin, duration, returned| {
            ("cuInit".to_owned(), begin, Some(duration), Some(returned))
        };
        assert_eq!(summary(&trace), [init(10, 20, 7), init(40, 10, 0)]);
        assert_eq!(trace.threads().len(), 1);
    }
}

#[test]
fn calls_of_all_processes_and_threads_come_in_order_of_their_begin() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut chance = Chance::new(11);
    let mut expected = Vec::new();
    for pid in [100, 200, 300] {
        let mut process = recording.process(pid, 0).expect("creates");
        for _ in 0..4 {
            process.ring();
        }
        let mut now = [0u64; 4];
        for (number, ring) in process.rings.iter_mut().enumerate() {
            ring.thread(0, number as u32, pid + number as u32, "t");
        }
        for step in 0..4000 {
            let number = chance.below(4) as usize;
            let ring = &mut process.rings[number];
            now[number] += 1 + chance.below(1000);
            let begin = now[number];
            let id = ring.begin(begin, INIT, &[step]);
            now[number] += 1 + chance.below(100);
            if chance.below(100) > 0 {
                ring.end(now[number], id, 0);
            }
            expected.push((begin, pid + number as u32, step));
            let full = process
                .rings
                .iter()
                .any(|ring| ring.bytes.len() > RING_CAPACITY - 4096);
            if full || chance.below(200) == 0 {
                process.flush().expect("flushes");
            }
        }
        process.leave().expect("writes");
    }
    let trace = Trace::open(&recording.path).expect("opens");
    assert!(trace.damages().is_empty(), "{:?}", trace.damages());
    assert_eq!(trace.call_count(), 12_000);
    let found: Vec<_> = calls(&trace)
        .iter()
        .map(|call| {
            (
                call.begin_ns,
                trace.thread(call.thread).expect("named").tid,
                call.args[0],
            )
        })
        .collect();
    assert!(found.is_sorted_by_key(|call| call.0), "begins rise");
    let mut sorted = found.clone();
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
}

#[test]
fn a_function_outside_the_table_is_shown_by_its_name() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    for (pid, name) in [(100, "cuSecretOne"), (200, "nvmlSecretTwo")] {
        let mut process = recording.process(pid, 0).expect("creates");
        let ring = process.ring();
        ring.thread(0, 0, pid, "main");
        ring.function(5000, name);
        let id = ring.begin(u64::from(pid), 5000, &[1, 2, 3, 4, 5, 6]);
        ring.end_with(u64::from(pid) + 1, id, u64::MAX - 5, &[]);
        ring.begin(u64::from(pid) + 2, 6000, &[]);
        process.leave().expect("writes");
    }
    let names: Vec<_> = summary(&Trace::open(&recording.path).expect("opens"))
        .into_iter()
        .map(|call| (call.0, call.3))
        .collect();
    let wide = Some(u64::MAX - 5);
    let named = |name: &str, returned| (name.to_owned(), returned);
    assert_eq!(
        names,
        [
            named("cuSecretOne", wide),
            named("function#6000", None),
            named("nvmlSecretTwo", wide),
            named("function#6000", None)
        ]
    );
}

#[test]
fn an_unreadable_record_costs_only_what_follows_it_in_its_ring() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    for number in 0..2 {
        let ring = process.ring();
        ring.thread(0, number, 100, "main");
        let id = ring.begin(10, INIT, &[0]);
        ring.end(20, id, 0);
    }
    process.rings[0].bytes.extend([0; 16]);
    let id = process.rings[0].begin(30, INIT, &[0]);
    process.rings[0].end(40, id, 0);
    process.leave().expect("writes");
    let trace = Trace::open(&recording.path).expect("opens");
    assert_eq!(trace.call_count(), 2);
    assert_eq!(trace.damages().len(), 1);
    assert!(
        trace.damages()[0].problem.contains("ring 0, position"),
        "{}",
        trace.damages()[0]
    );
}

#[test]
fn an_end_whose_begin_was_never_seen_is_ignored() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    let ring = process.ring();
    ring.thread(0, 0, 100, "main");
    ring.end(5, CallId::new(7, 12345), 0);
    process.flush().expect("flushes");
    assert_eq!(Trace::open(&recording.path).expect("opens").call_count(), 0);
}

#[test]
fn what_is_not_a_trace_is_said_to_be_none() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("empty")).expect("creates");
    std::fs::write(scratch.path("text"), "hello, this is text").expect("writes");
    let mut newer = cutape_trace_format::block::file_header();
    newer[8] = 9;
    std::fs::write(scratch.path("newer"), newer).expect("writes");
    let message = |name: &str| {
        Trace::open(&scratch.path(name))
            .expect_err("is none")
            .to_string()
    };
    assert!(message("empty").contains("not a cutape trace"));
    assert!(message("text").contains("not a cutape trace"));
    assert!(message("newer").contains("version 9") && message("newer").contains("newer cutape"));
    assert!(message("absent").contains("absent"));
}
