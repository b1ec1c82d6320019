//! How fast ring records become blocks, and how many bytes a call takes, on a stream like that of a PyTorch training loop.
//!
//! `cargo run --release -p cutape-trace-format --example encode_speed [MILLION_CALLS]`

use std::time::{Duration, Instant};

use cutape_trace_format::clock::{AnchorReading, ClockFit};
use cutape_trace_format::encoder::CallsEncoder;
use cutape_trace_format::sample::RingContent;
use cutape_trace_format::sample_stream::SampleStream;

fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec, which the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() {
    let millions: u64 = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(5);
    // Several flushes of about 60,000 calls (8 MB), made beforehand; used over and over, later than before each time.
    let mut stream = SampleStream::new(1);
    let mut flushes = Vec::new();
    let mut ring = RingContent::new(0);
    ring.thread(0, 0, 4711, "python");
    while flushes.len() < 8 {
        while ring.bytes.len() < 8 << 20 {
            stream.layer(&mut ring);
        }
        flushes.push((ring.clone(), stream.ticks()));
        ring.drain();
    }
    let mut encoder = CallsEncoder::new().expect("zstd has memory");
    let mut out = Vec::new();
    let (mut calls, mut bytes, mut blocks, mut ring_bytes) = (0, 0, 0, 0);
    let (start, start_thread) = (Instant::now(), thread_time());
    let mut previous = AnchorReading::default();
    while calls < millions * 1_000_000 {
        for (ring, until) in &flushes {
            let current = AnchorReading {
                ticks: *until,
                monotonic_ns: until * 2 / 5,
                realtime_ns: 0,
            };
            out.clear();
            let clock = ClockFit::between(&previous, &current, 10);
            let encoded = encoder
                .encode(&[ring.slice()], &clock, &mut out)
                .expect("encodes");
            calls += encoded.calls;
            blocks += encoded.blocks;
            bytes += out.len() as u64;
            ring_bytes += ring.bytes.len() as u64;
            previous = current;
        }
        previous = AnchorReading::default();
        encoder = CallsEncoder::new().expect("zstd has memory");
    }
    let (wall, thread) = (start.elapsed(), thread_time() - start_thread);
    let per_call = thread.as_nanos() as f64 / calls as f64;
    println!(
        "{calls} calls in {blocks} blocks: {:.1} M calls/s of CPU time, {per_call:.1} ns a call ({:.1} ns wall)",
        1000.0 / per_call,
        wall.as_nanos() as f64 / calls as f64
    );
    println!(
        "{:.2} bytes a call on disk, {:.0} in the ring",
        bytes as f64 / calls as f64,
        ring_bytes as f64 / calls as f64
    );
    zstd_share(&out, per_call);
}

/// Compresses the last flush's blocks once more, to see what zstd alone takes.
fn zstd_share(blocks: &[u8], per_call: f64) {
    use cutape_trace_format::block::{HEADER_BYTES, Header};
    let (mut at, mut rows, mut raws) = (0, 0, Vec::new());
    while at < blocks.len() {
        let head = blocks[at..at + HEADER_BYTES]
            .try_into()
            .expect("a header's length");
        let header = Header::read(head).expect("our own block");
        let end = at + header.total_bytes() as usize;
        raws.push(
            header
                .unpack(&blocks[at + HEADER_BYTES..end])
                .expect("unpacks"),
        );
        rows += u64::from(header.rows);
        at = end;
    }
    let mut compressor = zstd::bulk::Compressor::new(1).expect("zstd has memory");
    let mut frame = Vec::with_capacity(16 << 20);
    let start = thread_time();
    const ROUNDS: u32 = 20;
    for raw in std::iter::repeat_n(&raws, ROUNDS as usize).flatten() {
        compressor
            .compress_to_buffer(raw, &mut frame)
            .expect("compresses");
    }
    let zstd_ns = (thread_time() - start).as_nanos() as f64 / f64::from(ROUNDS) / rows as f64;
    let raw_bytes: usize = raws.iter().map(Vec::len).sum();
    println!(
        "zstd: {zstd_ns:.1} ns a call ({:.0} %), {:.1} bytes of msgpack a call",
        100.0 * zstd_ns / per_call,
        raw_bytes as f64 / rows as f64
    );
}
