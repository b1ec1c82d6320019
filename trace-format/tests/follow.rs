//! Following a recording gives every call once, when it has returned.

mod scratch;

use cutape_trace_format::follow::Follower;
use cutape_trace_format::sample_recording::{SampleProcess, SampleRecording};
use cutape_trace_format::sample_schema::INIT;
use scratch::Scratch;

/// A process that looks alive: this one.
fn living(recording: &SampleRecording) -> SampleProcess {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("reads");
    let start_time = stat
        .rsplit_once(')')
        .expect("a name")
        .1
        .split_ascii_whitespace()
        .nth(19)
        .expect("field 22");
    recording
        .process(std::process::id(), start_time.parse().expect("a number"))
        .expect("creates")
}

fn poll(follower: &mut Follower) -> Vec<(u64, Option<u64>)> {
    let news = follower.poll().expect("reads");
    assert!(news.damages.is_empty(), "{:?}", news.damages);
    news.calls
        .iter()
        .map(|call| (call.begin_ns, call.duration_ns))
        .collect()
}

#[test]
fn calls_are_delivered_once_when_they_have_returned() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut follower = Follower::open(&recording.path).expect("opens");
    assert_eq!(poll(&mut follower), []);
    let mut process = living(&recording);
    let ring = process.ring();
    ring.thread(0, 0, 1, "main");
    let first = ring.begin(10, INIT, &[0]);
    ring.end(20, first, 0);
    let second = ring.begin(30, INIT, &[0]);
    process.flush().expect("flushes");
    assert_eq!(poll(&mut follower), [(10, Some(10))]);
    assert_eq!(poll(&mut follower), []);
    assert_eq!(follower.in_flight().len(), 1);
    let thread = follower
        .trace()
        .thread(follower.in_flight()[0].thread)
        .expect("named");
    assert_eq!(thread.name, "main");

    let ring = &mut process.rings[0];
    ring.end(35, second, 0);
    let third = ring.begin(40, INIT, &[0]);
    ring.end(44, third, 0);
    process.flush().expect("flushes");
    // Half of what was written is there yet.
    let blocks = process.folder.join("blocks");
    std::fs::write(&blocks, &process.blocks[..process.blocks.len() - 30]).expect("writes");
    assert_eq!(poll(&mut follower), [(30, Some(5))]);
    std::fs::write(&blocks, &process.blocks).expect("writes");
    assert_eq!(poll(&mut follower), [(40, Some(4))]);
    assert!(follower.in_flight().is_empty());
}

#[test]
fn when_a_process_has_ended_its_rings_and_its_open_calls_come_last() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    let ring = process.ring();
    ring.thread(0, 0, 1, "main");
    let first = ring.begin(10, INIT, &[0]);
    process.flush().expect("flushes");
    let ring = &mut process.rings[0];
    ring.end(20, first, 0);
    ring.begin(30, INIT, &[0]);
    process.leave().expect("writes");
    let mut follower = Follower::open(&recording.path).expect("opens");
    let news = follower.poll().expect("reads");
    let calls: Vec<_> = news
        .calls
        .iter()
        .map(|call| (call.seq, call.begin_ns, call.duration_ns))
        .collect();
    assert_eq!(calls, [(1, 10, Some(10)), (2, 30, None)]);
    assert!(news.all_ended);
    assert!(follower.poll().expect("reads").calls.is_empty());
}
