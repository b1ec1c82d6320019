//! A small file can't make a reader take much memory. A test binary of its own, because it looks at the whole process's peak.

mod scratch;

use cutape_trace_format::block::{BlockBuilder, Kind, Label};
use cutape_trace_format::call::Call;
use cutape_trace_format::calls_block::{BlobTable, CallsWriter, GroupColumns, RowColumns, Source};
use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::trace::Trace;
use scratch::Scratch;

const BLOCKS: u64 = 60;
const BLOB_BYTES: usize = 15 << 20;

/// A block of two calls that are a minute apart, with megabytes of zeros in it.
fn bomb() -> Vec<u8> {
    let rows = RowColumns {
        begin: vec![0, 60_000_000_000],
        thread: vec![0; 2],
        group: vec![0; 2],
        open: Vec::new(),
    };
    let mut group = GroupColumns::default();
    group.start(0, 0);
    for _ in 0..2 {
        group.push(&Call::default());
    }
    let mut blobs = BlobTable::default();
    blobs.place(&vec![0; BLOB_BYTES]);
    let mut writer = CallsWriter::default();
    let mut raw = Vec::new();
    writer.head(&rows, 1, Source::Rings(&[]), 1, &mut raw);
    writer.group(&mut group, &mut raw);
    writer.tail(&blobs, &mut raw);
    let mut out = Vec::new();
    let label = Label {
        kind: Kind::Calls,
        rows: 2,
        first_begin_ns: 0,
    };
    BlockBuilder::new(1)
        .expect("zstd has memory")
        .append(label, &raw, &mut out)
        .expect("builds");
    out
}

fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("reads");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("Linux says it");
    let kilobytes: usize = line
        .split_ascii_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number");
    kilobytes << 10
}

#[test]
fn blocks_that_unpack_to_gigabytes_and_overlap_are_read_within_bounds() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let process = recording.process(100, 0).expect("creates");
    let bomb = bomb();
    assert!(bomb.len() < 10_000, "{} bytes", bomb.len());
    let blocks = [process.blocks.clone(), bomb.repeat(BLOCKS as usize)].concat();
    std::fs::write(process.folder.join("blocks"), blocks).expect("writes");
    let before = peak_bytes();
    let trace = Trace::open(&recording.path).expect("opens");
    let begins: Vec<u64> = trace
        .calls()
        .map(|call| call.expect("no damage").begin_ns)
        .collect();
    assert!(begins.len() as u64 == 2 * BLOCKS && begins.is_sorted());
    let grown = peak_bytes() - before;
    assert!(
        grown < 400 << 20,
        "{} MiB for {} MiB of blocks",
        grown >> 20,
        (BLOCKS as usize * BLOB_BYTES) >> 20
    );
}
