//! The worked example in docs/format.md is what the writer writes and what the reader reads.

use std::path::Path;

use cutape_trace_format::block::{BlockBuilder, HEADER_BYTES, Header, Kind, Label, file_header};
use cutape_trace_format::call::Call;
use cutape_trace_format::calls_block::CallsBlock;
use cutape_trace_format::clock::ClockFit;
use cutape_trace_format::encoder::CallsEncoder;
use cutape_trace_format::sample::{RingContent, SampleCapture};

/// Two calls of function 1 with two arguments and a captured word, and one of function 0 that is in flight.
fn example_block() -> Vec<u8> {
    let mut ring = RingContent::new(0);
    ring.thread(0, 0, 4711, "main");
    let threads = ring.bytes.len();
    for (begin, free) in [(5000u64, 0u64), (5900, 7)] {
        let id = ring.begin_from(begin, 1, (0x401136, &[0x7ffe10, 0x7ffe18]), &[]);
        ring.end_with(
            begin + 200,
            id,
            3,
            &[SampleCapture::after(0, &free.to_le_bytes())],
        );
    }
    ring.begin_from(6400, 0, (0x401150, &[0]), &[]);
    let mut out = Vec::new();
    let mut encoder = CallsEncoder::new().expect("zstd has memory");
    let mut slice = ring.slice();
    (slice.from, slice.bytes) = (threads as u64, &ring.bytes[threads..]);
    encoder.set_thread(0, 0);
    encoder
        .encode(&[slice], &ClockFit::monotonic(10), &mut out)
        .expect("encodes");
    out
}

fn unpack(block: &[u8]) -> (Header, Vec<u8>) {
    let header = Header::read(block[..HEADER_BYTES].try_into().expect("a header's length"))
        .expect("a block");
    (
        header,
        header.unpack(&block[HEADER_BYTES..]).expect("unpacks"),
    )
}

/// The hexadecimal text in the document's code block of that language tag, as bytes.
fn hex_of_document(tag: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    let document = std::fs::read_to_string(path).expect("reads");
    let start = document
        .find(&format!("```{tag}\n"))
        .expect("the example is there")
        + tag.len()
        + 4;
    let text = &document[start..start + document[start..].find("```").expect("the example ends")];
    let words = text.lines().flat_map(|line| {
        line.split("  ")
            .next()
            .unwrap_or_default()
            .split_whitespace()
    });
    words
        .map(|word| u8::from_str_radix(word, 16).expect("two hexadecimal digits"))
        .collect()
}

#[test]
fn the_example_is_what_the_writer_writes() {
    let (header, raw) = unpack(&example_block());
    let shown: Vec<String> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex_of_document("msgpack"),
        raw,
        "the document should show:\n{}",
        shown.join(" ")
    );
    assert_eq!((header.rows, header.first_begin_ns), (3, 5000));
    assert_eq!(hex_of_document("file-header"), file_header());
}

#[test]
fn the_example_is_read_as_the_document_says() {
    let raw = hex_of_document("msgpack");
    // The same header but for what zstd decides.
    let mut block = Vec::new();
    let label = Label {
        kind: Kind::Calls,
        rows: 3,
        first_begin_ns: 5000,
    };
    BlockBuilder::new(1)
        .expect("zstd has memory")
        .append(label, &raw, &mut block)
        .expect("builds");
    assert_eq!(hex_of_document("block-header")[..24], block[..24]);
    let calls = CallsBlock::parse(raw).expect("reads");
    let mut call = Call::default();
    calls.fill(1, &mut call);
    assert_eq!(
        (call.begin_ns, call.duration_ns, call.returned),
        (5900, Some(200), Some(3))
    );
    assert_eq!(
        (call.args.as_slice(), call.caller),
        (&[0x7ffe10, 0x7ffe18][..], 0x401136)
    );
    assert_eq!(
        call.capture(0, true).expect("captured").bytes,
        7u64.to_le_bytes()
    );
    calls.fill(2, &mut call);
    assert_eq!(
        (call.begin_ns, call.duration_ns, call.returned),
        (6400, None, None)
    );
}
