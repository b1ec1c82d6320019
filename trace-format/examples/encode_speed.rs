//! How fast ring records become blocks, and how many bytes a call takes, on a stream like that of a PyTorch training loop.
//!
//! `cargo run --release -p cutape-trace-format --example encode_speed [MILLION_CALLS]`

use std::time::{Duration, Instant};

use cutape_trace_format::clock::{AnchorReading, ClockFit};
use cutape_trace_format::encoder::CallsEncoder;
use cutape_trace_format::sample::{Chance, RingContent, SampleCapture};

const LAUNCH: u32 = 10;
const LAUNCH_EX: u32 = 11;
const GET_CONTEXT: u32 = 20;
const COPY_ASYNC: u32 = 30;
const STREAM_QUERY: u32 = 40;
const STREAM_CAPTURE: u32 = 41;
const EVENT_RECORD: u32 = 50;
const ALLOCATE: u32 = 60;

/// Ticks of a 2.5 GHz counter that moves in steps of 10 ns.
const TICKS_PER_STEP: u64 = 25;

/// A loop over the layers of a model: kernels with their own grids, parameters on the stack, temporaries at changing addresses.
struct Stream {
    chance: Chance,
    ticks: u64,
    layer: u64,
    step: u64,
    device_pointer: u64,
}

impl Stream {
    fn pause(&mut self, steps: u64) -> u64 {
        // Latencies have a floor and a long tail.
        let spread = self.chance.below(steps) + self.chance.below(steps);
        let tail = if self.chance.below(50) == 0 {
            self.chance.below(steps * 20)
        } else {
            0
        };
        self.ticks += (steps / 2 + spread + tail) * TICKS_PER_STEP;
        self.ticks
    }

    fn call(&mut self, ring: &mut RingContent, function: u32, words: (u64, &[u64]), returned: u64) {
        let id = ring.begin_from(self.pause(60), function, words, &[]);
        let duration = if words.1.len() > 8 { 200 } else { 20 };
        ring.end_with(self.pause(duration), id, returned, &[]);
    }

    fn launch(&mut self, ring: &mut RingContent) {
        let kernel = self.layer % 37;
        let grid = 1 + (kernel * 7919) % 512;
        let block = [128, 256, 512][kernel as usize % 3];
        let params = 0x7ffd_1234_0000 + (kernel % 5) * 0x40;
        let caller = 0x7f12_3456_0000 + (kernel % 4) * 0x130;
        let stream: u64 = 0x55aa_1000_2000;
        if kernel.is_multiple_of(4) {
            let mut config = [0; 56];
            config[..4].copy_from_slice(&(grid as u32).to_le_bytes());
            config[12..16].copy_from_slice(&(block as u32).to_le_bytes());
            config[32..40].copy_from_slice(&stream.to_le_bytes());
            let begin = self.pause(60);
            let args = [
                0x7ffd_1234_5600,
                0x55bb_0000_0000 + kernel * 0x1c0,
                params,
                0,
            ];
            let id = ring.begin_from(
                begin,
                LAUNCH_EX,
                (caller, &args),
                &[SampleCapture::before(0, &config)],
            );
            ring.end(self.pause(200), id, 0);
        } else {
            let function = 0x55bb_0000_0000 + kernel * 0x1c0;
            let args = [
                function,
                grid,
                1,
                1,
                block,
                1,
                1,
                (kernel % 3) * 1024,
                stream,
                params,
                0,
            ];
            self.call(ring, LAUNCH, (caller, &args), 0);
        }
    }

    /// About ten calls.
    fn layer(&mut self, ring: &mut RingContent) {
        self.layer += 1;
        for _ in 0..2 {
            self.call(
                ring,
                GET_CONTEXT,
                (0x7f12_3400_1000, &[0x7ffd_1234_5000]),
                0,
            );
        }
        self.launch(ring);
        let capture = [0x55aa_1000_2000, 0x7ffd_1234_4ff0];
        self.call(ring, STREAM_CAPTURE, (0x7f12_3400_2000, &capture), 0);
        self.launch(ring);
        self.launch(ring);
        if self.layer.is_multiple_of(3) {
            self.device_pointer += 512 * (1 + self.chance.below(64));
            let copy = [
                self.device_pointer,
                0x7f55_0000_0000 + self.layer * 4096 % (1 << 24),
                4096,
                0x55aa_1000_2000,
            ];
            self.call(ring, COPY_ASYNC, (0x7f12_3400_3000, &copy), 0);
        }
        self.call(
            ring,
            EVENT_RECORD,
            (
                0x7f12_3400_4000,
                &[0x55cc_0000 + self.layer % 16 * 0x80, 0x55aa_1000_2000],
            ),
            0,
        );
        let busy = if self.chance.below(3) == 0 { 0 } else { 600 };
        self.call(
            ring,
            STREAM_QUERY,
            (0x7f12_3400_5000, &[0x55aa_1000_2000]),
            busy,
        );
        if self.layer.is_multiple_of(16) {
            self.step += 1;
            let begin = self.pause(60);
            let id = ring.begin_from(
                begin,
                ALLOCATE,
                (0x7f12_3400_6000, &[0x7ffd_1234_5100, 2 << 20]),
                &[],
            );
            let pointer = 0x7f55_8000_0000 + self.step * (2 << 20);
            let end = self.pause(2000);
            ring.end_with(
                end,
                id,
                0,
                &[SampleCapture::after(0, &pointer.to_le_bytes())],
            );
        }
    }
}

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
    let mut stream = Stream {
        chance: Chance::new(1),
        ticks: 0,
        layer: 0,
        step: 0,
        device_pointer: 0x7f55_4000_0000,
    };
    let mut flushes = Vec::new();
    let mut ring = RingContent::new(0);
    ring.thread(0, 0, 4711, "python");
    while flushes.len() < 8 {
        while ring.bytes.len() < 8 << 20 {
            stream.layer(&mut ring);
        }
        flushes.push((ring.clone(), stream.ticks));
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
