//! A stream of calls like that of a PyTorch training loop, to measure with.

use crate::sample::{Chance, RingContent, SampleCapture};

const LAUNCH: u32 = 10;
const LAUNCH_EX: u32 = 11;
const GET_CONTEXT: u32 = 20;
const COPY_ASYNC: u32 = 30;
const STREAM_QUERY: u32 = 40;
const STREAM_CAPTURE: u32 = 41;
const EVENT_RECORD: u32 = 50;
const ALLOCATE: u32 = 60;

/// The functions that its calls are of, by the numbers that it gives them.
pub const FUNCTIONS: [(u32, &str); 8] = [
    (LAUNCH, "cuLaunchKernel"),
    (LAUNCH_EX, "cuLaunchKernelEx"),
    (GET_CONTEXT, "cuCtxGetCurrent"),
    (COPY_ASYNC, "cuMemcpyHtoDAsync_v2"),
    (STREAM_QUERY, "cuStreamQuery"),
    (STREAM_CAPTURE, "cuStreamIsCapturing"),
    (EVENT_RECORD, "cuEventRecord"),
    (ALLOCATE, "cuMemAlloc_v2"),
];

/// Ticks of a 2.5 GHz counter that moves in steps of 10 ns.
const TICKS_PER_STEP: u64 = 25;

/// A loop over the layers of a model: kernels with their own grids, parameters on the stack, temporaries at changing addresses.
#[derive(Clone, Debug)]
pub struct SampleStream {
    chance: Chance,
    ticks: u64,
    layer: u64,
    step: u64,
    device_pointer: u64,
}

impl SampleStream {
    /// A stream that is the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self {
            chance: Chance::new(seed),
            ticks: 0,
            layer: 0,
            step: 0,
            device_pointer: 0x7f50_0000_0000,
        }
    }

    /// Now, in ticks of a 2.5 GHz counter.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

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

    /// Adds one copy of so many bytes.
    pub fn copy(&mut self, ring: &mut RingContent, bytes: u64) {
        let words = [
            self.device_pointer,
            0x7f55_0000_0000,
            bytes,
            0x55aa_1000_2000,
        ];
        self.call(ring, COPY_ASYNC, (0x7f12_3400_3000, &words), 0);
    }

    /// Leaves out the calls of a layer.
    pub fn pass_over_layer(&mut self) {
        let mut nowhere = RingContent::new(0);
        self.layer(&mut nowhere);
    }

    /// Adds about ten calls.
    pub fn layer(&mut self, ring: &mut RingContent) {
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
