//! Opening a recording while its process goes on: no call is missing and none is there twice, at any moment.

mod scratch;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use cutape_trace_format::clock::ClockFit;
use cutape_trace_format::encoder::CallsEncoder;
use cutape_trace_format::ring::{HEADER_BYTES, RingHeader};
use cutape_trace_format::sample::{Chance, RingContent};
use cutape_trace_format::sample_recording::{RING_CAPACITY, SampleRecording};
use cutape_trace_format::sample_schema::INIT;
use cutape_trace_format::trace::Trace;
use scratch::Scratch;

/// Writes to the files of a process as its producer and its flusher do: data, then head; block, then tail.
struct Writer {
    rings: File,
    blocks: File,
    encoder: CallsEncoder,
    /// Records that are in the ring and in no block.
    pending: RingContent,
    /// Bytes of `pending` that are in the ring already.
    in_ring: usize,
}

impl Writer {
    fn new(folder: &Path, pending: RingContent) -> Self {
        Self {
            rings: OpenOptions::new()
                .write(true)
                .open(folder.join("rings"))
                .expect("opens"),
            blocks: OpenOptions::new()
                .append(true)
                .open(folder.join("blocks"))
                .expect("opens"),
            encoder: CallsEncoder::new().expect("zstd has memory"),
            pending,
            in_ring: 0,
        }
    }

    fn write_position(&self, field: usize, position: u64) {
        self.rings
            .write_all_at(&position.to_le_bytes(), (HEADER_BYTES + field) as u64)
            .expect("writes");
    }

    fn call(&mut self, number: u64, split: bool) {
        let id = self.pending.begin(number * 10, INIT, &[number]);
        if split {
            self.publish();
        }
        self.pending.end(number * 10 + 5, id, 0);
        self.publish();
    }

    fn publish(&mut self) {
        let from = self.pending.from as usize + self.in_ring;
        for (at, byte) in self.pending.bytes[self.in_ring..].chunks(8).enumerate() {
            let place = (from + at * 8) % RING_CAPACITY;
            self.rings
                .write_all_at(byte, (2 * HEADER_BYTES + place) as u64)
                .expect("writes");
        }
        self.in_ring = self.pending.bytes.len();
        self.write_position(offset_of!(RingHeader, head), self.pending.head());
    }

    fn flush(&mut self) {
        let mut out = Vec::new();
        self.encoder
            .encode(&[self.pending.slice()], &ClockFit::monotonic(1), &mut out)
            .expect("encodes");
        self.blocks.write_all(&out).expect("writes");
        self.pending.drain();
        self.in_ring = 0;
        self.write_position(offset_of!(RingHeader, tail), self.pending.from);
    }
}

#[test]
fn a_live_recording_has_every_call_that_was_made_before_it_was_opened() {
    const CALLS: u64 = 30_000;
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
    process.ring().thread(0, 0, 1, "main");
    process.flush().expect("flushes");
    let mut writer = Writer::new(&process.folder, process.rings[0].clone());
    writer.encoder.set_thread(0, 0);

    let made = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut chance = Chance::new(1);
            for number in 0..CALLS {
                writer.call(number, chance.below(3) == 0);
                made.store(number + 1, Ordering::Release);
                if chance.below(150) == 0 || writer.pending.bytes.len() > RING_CAPACITY - 1024 {
                    writer.flush();
                }
            }
        });
        let mut last = 0;
        while last < CALLS {
            let before = made.load(Ordering::Acquire);
            let trace = Trace::open(&recording.path).expect("opens");
            assert!(
                trace.is_live() && trace.damages().is_empty(),
                "{:?}",
                trace.damages()
            );
            let numbers: Vec<u64> = trace
                .calls()
                .map(|call| call.expect("no damage").args[0])
                .collect();
            let found = numbers.len() as u64;
            assert!(
                found >= before,
                "{before} calls were made, {found} are there"
            );
            assert!(numbers.iter().copied().eq(0..found), "each call once");
            last = found;
        }
    });
}
