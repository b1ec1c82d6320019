//! A sealed file says what its folder said.

mod scratch;

use std::path::Path;

use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::sample::{Chance, SampleCapture};
use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::sample_schema::{
    DEVICE_GET_NAME, INIT, LAUNCH_KERNEL, MEM_CREATE, MEM_GET_INFO,
};
use cutape_trace_format::seal::{SealError, SealOptions, seal};
use cutape_trace_format::trace::Trace;
use scratch::Scratch;

/// A recording of two processes with everything in it, `calls` calls each.
fn record(path: &Path, calls: u64) -> SampleRecording {
    let recording = SampleRecording::create(path).expect("creates");
    let mut chance = Chance::new(calls);
    for pid in [100, 200] {
        let mut process = recording.process(pid, 0).expect("creates");
        for number in 0..3 {
            process.ring().thread(0, number, pid + number, "worker");
        }
        let mut now = 2_000_000;
        for step in 0..calls {
            now += chance.below(2000);
            let ring = &mut process.rings[chance.below(3) as usize];
            let total = (80u64 << 30).to_le_bytes();
            let name = format!("GPU number {}", chance.below(7));
            let property = [step as u8; 32];
            match chance.below(6) {
                0 => {
                    ring.begin(now, 7000, &[step]);
                }
                1 => {
                    let id = ring.begin_from(
                        now,
                        MEM_CREATE,
                        (1, &[1, 2, 3, 4]),
                        &[SampleCapture::before(2, &property)],
                    );
                    ring.end_with(now + 70, id, 0, &[SampleCapture::after(0, &total)]);
                }
                2 => {
                    let id = ring.begin_from(now, DEVICE_GET_NAME, (2, &[1, 64, 0]), &[]);
                    ring.end_with(
                        now + 50,
                        id,
                        step % 2,
                        &[SampleCapture::after(0, name.as_bytes())],
                    );
                }
                3 => {
                    let id = ring.begin_from(now, MEM_GET_INFO, (3, &[0x10, 0x20]), &[]);
                    ring.end_with(now + 10, id, 0, &[SampleCapture::after(1, &total)]);
                }
                4 => {
                    ring.begin(now, INIT, &[step]);
                }
                _ => {
                    let id = ring.begin(
                        now,
                        LAUNCH_KERNEL,
                        &[chance.below(9), 1, 1, 1, step, 1, 1, 0, 0, now, 0],
                    );
                    if chance.below(30) == 0 {
                        process.flush().expect("flushes");
                    }
                    let ring = &mut process.rings[(id.0 >> 48) as usize];
                    ring.end(now + chance.below(5000), id, 0);
                }
            }
            if chance.below(300) == 0 {
                process.flush().expect("flushes");
            }
        }
        process.leave().expect("writes");
    }
    recording
}

/// All that a trace says of its calls, with names in place of numbers.
fn story(trace: &Trace) -> Vec<String> {
    let tell = |call: Call| {
        let thread = trace.thread(call.thread).expect("named");
        let pid = trace.process(call.process).expect("named").process.pid;
        let decoded = decode(trace.schema(), &call);
        let module = trace
            .module_at(call.process, call.caller, call.begin_ns)
            .map(|(library, offset)| (&library.path, offset));
        let times = (call.seq, call.begin_ns, call.duration_ns, call.open_id);
        format!(
            "{times:?} {pid} {} {} {decoded:?} {:x} {module:?}",
            thread.tid,
            trace.function_name(call.function),
            call.caller
        )
    };
    trace
        .calls()
        .map(|call| tell(call.expect("no damage")))
        .collect()
}

#[test]
fn sealing_keeps_every_call_and_everything_about_it() {
    let scratch = Scratch::new();
    for calls in [0, 1, 50, 20_000] {
        let recording = record(&scratch.path(&format!("{calls}.cutape")), calls);
        let out = scratch.path(&format!("{calls}-sealed.cutape"));
        let mut steps = Vec::new();
        let sealed = seal(&recording.path, &out, SealOptions::default(), &mut |step| {
            steps.push(step.calls)
        })
        .expect("seals");
        assert_eq!(
            (sealed.calls, sealed.bytes),
            (2 * calls, std::fs::metadata(&out).expect("is there").len())
        );
        assert!(
            steps.is_sorted() && steps.last() == Some(&(2 * calls)),
            "{steps:?}"
        );
        let (before, after) = (
            Trace::open(&recording.path).expect("opens"),
            Trace::open(&out).expect("opens"),
        );
        assert!(
            after.is_sealed() && after.damages().is_empty(),
            "{:?}",
            after.damages()
        );
        assert!(after.call_count() == 2 * calls && after.start_ns() == before.start_ns());
        assert_eq!(
            (after.recording(), after.losses()),
            (before.recording(), before.losses())
        );
        let (before, after) = (story(&before), story(&after));
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after);
        }
    }
}

#[test]
fn a_call_is_found_by_its_number() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"), 10_000);
    let out = scratch.path("b.cutape");
    seal(&recording.path, &out, SealOptions::default(), &mut |_| {}).expect("seals");
    for path in [&recording.path, &out] {
        let trace = Trace::open(path).expect("opens");
        let all: Vec<Call> = trace.calls().map(|call| call.expect("no damage")).collect();
        for seq in [1, 2, 9_999, 16_384, 16_385, 20_000] {
            assert_eq!(
                trace.call(seq).expect("reads").as_ref(),
                all.get(seq as usize - 1),
                "{seq}"
            );
        }
        assert_eq!(trace.call(20_001).expect("reads"), None);
        assert_eq!(trace.call(0).expect("reads"), None);
        assert_eq!(trace.calls_from(19_999).count(), 2);
    }
}

#[test]
fn a_folder_can_be_sealed_in_its_own_place() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"), 500);
    let before = story(&Trace::open(&recording.path).expect("opens"));
    seal(
        &recording.path,
        &recording.path,
        SealOptions::default(),
        &mut |_| {},
    )
    .expect("seals");
    assert!(recording.path.is_file());
    assert_eq!(story(&Trace::open(&recording.path).expect("opens")), before);
    let left = std::fs::read_dir(scratch.path("")).expect("lists").count();
    assert_eq!(left, 1, "nothing but the file is left");
    let again = seal(
        &recording.path,
        &scratch.path("c.cutape"),
        SealOptions::default(),
        &mut |_| {},
    );
    assert!(matches!(again, Err(SealError::AlreadySealed { .. })));
}

#[test]
fn a_file_is_never_overwritten_unasked() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"), 10);
    let out = scratch.path("precious");
    std::fs::write(&out, "precious").expect("writes");
    let refused = seal(&recording.path, &out, SealOptions::default(), &mut |_| {});
    assert!(matches!(refused, Err(SealError::Exists { .. })));
    assert_eq!(std::fs::read(&out).expect("reads"), b"precious");
    let options = SealOptions {
        overwrite: true,
        ..SealOptions::default()
    };
    seal(&recording.path, &out, options, &mut |_| {}).expect("seals");
    assert_eq!(Trace::open(&out).expect("opens").call_count(), 20);
}

#[test]
fn a_recording_in_the_making_is_refused_unless_asked_for() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let stat = std::fs::read_to_string("/proc/self/stat").expect("reads");
    let start_time = stat
        .rsplit_once(')')
        .expect("a name")
        .1
        .split_ascii_whitespace()
        .nth(19)
        .expect("field 22");
    let mut process = recording
        .process(std::process::id(), start_time.parse().expect("a number"))
        .expect("creates");
    let ring = process.ring();
    ring.thread(0, 0, 1, "main");
    let id = ring.begin(10, INIT, &[0]);
    ring.end(20, id, 0);
    process.leave().expect("writes");
    let out = scratch.path("b.cutape");
    let refused = seal(&recording.path, &out, SealOptions::default(), &mut |_| {});
    assert!(matches!(refused, Err(SealError::Live { pid, .. }) if pid == std::process::id()));
    assert!(!out.exists());
    let options = SealOptions {
        allow_live: true,
        ..SealOptions::default()
    };
    assert_eq!(
        seal(&recording.path, &out, options, &mut |_| {})
            .expect("seals")
            .calls,
        1
    );
}

#[test]
fn a_sealed_file_without_its_end_is_read_by_scanning() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"), 10_000);
    let out = scratch.path("b.cutape");
    seal(&recording.path, &out, SealOptions::default(), &mut |_| {}).expect("seals");
    let whole = std::fs::read(&out).expect("reads");
    let before = story(&Trace::open(&out).expect("opens"));
    // Without footer and index, everything else is there.
    std::fs::write(&out, &whole[..whole.len() - 24]).expect("writes");
    let trace = Trace::open(&out).expect("opens");
    assert_eq!(trace.damages().len(), 1, "{:?}", trace.damages());
    assert_eq!(story(&trace), before);
}
