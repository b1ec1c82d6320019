//! A small recording with one of everything, the same in every run: for golden files, the reader in Python and documentation.

use std::io;
use std::path::Path;

use crate::metadata::{Exit, Note, note};
use crate::sample::{Chance, SampleCapture};
use crate::sample_recording::{SampleProcess, SampleRecording};
use crate::sample_schema::{
    DEVICE_GET_NAME, GET_ERROR_STRING, INIT, LAUNCH_KERNEL, MEM_CREATE, MEM_GET_INFO, PROBE,
};

/// Calls that [`write_story`] records.
pub const STORY_CALLS: u64 = 219;

/// Two processes: start-up calls with every kind of argument, a loop of launches, a nested call, one that returns after its block was
/// written, one that never returns, and a function outside the table.
pub fn write_story(path: &Path) -> io::Result<SampleRecording> {
    let recording = SampleRecording::create(path)?;
    let mut first = recording.process(100, 0)?;
    first.ring().thread(1_500_000, 0, 100, "main");
    first.ring().thread(1_600_000, 1, 101, "worker-\u{e9}");
    start_up(&mut first);
    probe(&mut first);
    first.flush()?;
    launches(&mut first)?;
    first
        .blocks
        .extend(warning().to_block().map_err(io::Error::other)?);
    first.leave()?;
    let mut second = recording.process(200, 0)?;
    let ring = second.ring();
    ring.thread(1_700_000, 0, 200, "child");
    ring.function(3000, "cuUndocumented");
    let id = ring.begin_from(1_900_000, 3000, (0x10, &[1, 2, u64::MAX, 4, 5, 6]), &[]);
    ring.end_with(1_900_123, id, 0x1234_5678_9abc_def0, &[]);
    ring.begin_from(
        1_950_000,
        MEM_GET_INFO,
        (0x7f00_4444, &[0x7ffe_0010, 0x7ffe_0018]),
        &[],
    );
    second.leave()?;
    let exit = Exit {
        code: Some(3),
        signal: None,
        at_ns: 9_000_000,
    };
    append(
        &path.join("recording"),
        &exit.to_block().map_err(io::Error::other)?,
    )?;
    Ok(recording)
}

fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    std::fs::OpenOptions::new()
        .append(true)
        .open(path)?
        .write_all(bytes)
}

fn warning() -> Note {
    Note {
        kind: note::WAITED.to_owned(),
        text: "a thread waited".to_owned(),
        count: 1234,
        at_ns: 2_000_000,
        process: None,
    }
}

fn start_up(process: &mut SampleProcess) {
    let ring = &mut process.rings[0];
    let id = ring.begin_from(1_510_000, INIT, (0x7f00_1000, &[0]), &[]);
    ring.end(1_515_000, id, 0);
    // Fails, and its out parameters are valid all the same.
    let zero = [0; 8];
    let id = ring.begin_from(
        1_520_000,
        MEM_GET_INFO,
        (0x7f00_1010, &[0x7ffe_0000, 0x7ffe_0008]),
        &[],
    );
    ring.end_with(
        1_520_400,
        id,
        3,
        &[
            SampleCapture::after(0, &zero),
            SampleCapture::after(1, &zero),
        ],
    );
    let id = ring.begin_from(
        1_530_000,
        DEVICE_GET_NAME,
        (0x7f00_1020, &[0x7ffe_0100, 256, u64::MAX]),
        &[],
    );
    ring.end_with(
        1_530_900,
        id,
        0,
        &[SampleCapture::after(
            0,
            "NVIDIA \"H100\" \u{2122}\0".as_bytes(),
        )],
    );
    // Fails, so the buffer is not valid.
    let id = ring.begin_from(
        1_540_000,
        DEVICE_GET_NAME,
        (0x5500_0000, &[0x7ffe_0100, 256, 7]),
        &[],
    );
    ring.end_with(1_540_900, id, 1, &[SampleCapture::after(0, b"stale\0")]);
    let cut = SampleCapture {
        full: Some(20_000),
        ..SampleCapture::after(0, b"a long name without its end")
    };
    let id = ring.begin_from(
        1_550_000,
        DEVICE_GET_NAME,
        (0x7f00_1020, &[0x7ffe_0100, 256, 0]),
        &[],
    );
    ring.end_with(1_550_900, id, 0, &[cut]);
    let mut property = [0; 32];
    (property[0], property[4], property[8], property[12]) = (1, 0x19, 1, 2);
    let handle = 0x1_0000_0000_0001u64.to_le_bytes();
    let args = [0x7ffe_0200, 2 << 20, 0x7ffe_0300, 0];
    let id = ring.begin_from(
        1_560_000,
        MEM_CREATE,
        (0x7f00_1030, &args),
        &[SampleCapture::before(2, &property)],
    );
    ring.end_with(1_565_000, id, 0, &[SampleCapture::after(0, &handle)]);
    let text = 0x7f00_9999u64.to_le_bytes();
    let id = ring.begin_from(
        1_570_000,
        GET_ERROR_STRING,
        (0x7f00_1040, &[999, 0x7ffe_0400]),
        &[],
    );
    ring.end_with(1_570_100, id, 0, &[SampleCapture::after(1, &text)]);
    // A null out pointer, and an answer that has no name.
    let id = ring.begin_from(
        1_580_000,
        MEM_GET_INFO,
        (0x7f00_1010, &[0, 0x7ffe_0008]),
        &[],
    );
    ring.end_with(
        1_580_400,
        id,
        4711,
        &[SampleCapture::after(1, &u64::MAX.to_le_bytes())],
    );
}

fn probe(process: &mut SampleProcess) {
    let ring = &mut process.rings[0];
    let mut shape = [0u8; 32];
    (shape[0], shape[8], shape[16], shape[19]) = (7, 9, 0x0d, 0x80);
    shape[20..24].copy_from_slice(b"abc\0");
    shape[24..28].copy_from_slice(&(-5i32).to_le_bytes());
    let data: Vec<u8> = (0..12).collect();
    let args = [
        0x10,
        0x20,
        0x30,
        0x40,
        0x50,
        0x60,
        0x7f00_0000_0000,
        1,
        2,
        2.5f64.to_bits(),
    ];
    let before = [
        SampleCapture::before(0, &[8, 0, 0, 0]),
        SampleCapture::before(3, &shape),
        SampleCapture::before(4, &data),
    ];
    let values: Vec<u8> = [1u32, u32::MAX]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    for (place, milliseconds) in [0.1f32, f32::INFINITY].into_iter().enumerate() {
        let begin = 1_585_000 + place as u64 * 1000;
        let id = ring.begin_from(begin, PROBE, (0x7f00_1050, &args), &before);
        let milliseconds = milliseconds.to_le_bytes();
        let after = [
            SampleCapture::after(0, &[2, 0, 0, 0]),
            SampleCapture {
                full: Some(40_000).filter(|_| place == 1),
                ..SampleCapture::after(1, &values)
            },
            SampleCapture::after(2, &milliseconds),
        ];
        ring.end_with(begin + 300, id, 0, &after);
    }
}

fn launches(process: &mut SampleProcess) -> io::Result<()> {
    let mut chance = Chance::new(1);
    let mut now = 2_000_000;
    let late = process.rings[1].begin(1_999_000, INIT, &[9]);
    for step in 0..200u64 {
        now += 500 + chance.below(2000);
        let ring = &mut process.rings[usize::from(step % 3 == 0)];
        let grid = 1 + chance.below(5) * 8;
        let stream = 0x5555_0000_1000 * (step % 2);
        let args = [
            0x5555_2222_0000 + step % 4 * 64,
            grid,
            1,
            1,
            256,
            1,
            1,
            0,
            stream,
            0x7ffe_5000 + step * 16,
            0,
        ];
        let id = ring.begin_from(now, LAUNCH_KERNEL, (0x7f00_2000, &args), &[]);
        if step == 50 {
            let inner = ring.begin_from(
                now + 10,
                MEM_GET_INFO,
                (0x7f00_2222, &[0x7ffe_0000, 0]),
                &[],
            );
            ring.end_with(
                now + 20,
                inner,
                0,
                &[SampleCapture::after(0, &(78u64 << 30).to_le_bytes())],
            );
        }
        ring.end(now + 100 + chance.below(400), id, 0);
        if step == 120 {
            process.flush()?;
        }
    }
    process.rings[1].end(now + 5000, late, 0);
    let ring = &mut process.rings[0];
    for step in 0..4 {
        let id = ring.begin(now + 6000 + step * 100, INIT, &[step]);
        ring.end(now + 6050 + step * 100, id, (step % 2) as u32);
    }
    ring.begin_from(
        now + 7000,
        LAUNCH_KERNEL,
        (0x7f00_2000, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        &[],
    );
    Ok(())
}
