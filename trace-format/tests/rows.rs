//! The rows of a Calls block read alone are those of the whole block, and damage to one is damage to the other.

use cutape_trace_format::block::{HEADER_BYTES, Header, Kind};
use cutape_trace_format::call::Call;
use cutape_trace_format::calls_block::{CallRows, CallsBlock};
use cutape_trace_format::clock::ClockFit;
use cutape_trace_format::encoder::CallsEncoder;
use cutape_trace_format::sample::{Chance, RingContent};
use cutape_trace_format::sample_stream::SampleStream;

/// The msgpack of a Calls block with an open row.
fn calls_block() -> Vec<u8> {
    let mut ring = RingContent::new(0);
    ring.thread(0, 0, 100, "main");
    let mut stream = SampleStream::new(5);
    for _ in 0..8 {
        stream.layer(&mut ring);
    }
    ring.begin(stream.ticks() + 100, 10, &[1]);
    let mut blocks = Vec::new();
    CallsEncoder::new()
        .expect("has memory")
        .encode(&[ring.slice()], &ClockFit::monotonic(1), &mut blocks)
        .expect("encodes");
    let mut rest = blocks.as_slice();
    while !rest.is_empty() {
        let (header, frame) = rest.split_at(HEADER_BYTES);
        let header = Header::read(header.try_into().expect("its length")).expect("reads");
        let (frame, behind) = frame.split_at(header.frame_bytes as usize);
        if header.kind == Kind::Calls as u8 {
            return header.unpack(frame).expect("unpacks");
        }
        rest = behind;
    }
    panic!("no Calls block");
}

fn assert_agree(block: &CallsBlock, rows: &CallRows) {
    assert_eq!(block.rows(), rows.len());
    let mut places = vec![0; rows.groups.len()];
    let mut call = Call::default();
    for row in 0..rows.len() {
        block.fill(row, &mut call);
        let group = rows.group[row] as usize;
        let place = places[group];
        places[group] += 1;
        let of_group = &rows.groups[group];
        let outcome = (!rows.open.contains(&(row as u32))).then(|| {
            let duration_ns = of_group.duration[place].saturating_mul(rows.unit_ns);
            (duration_ns, of_group.returned[place])
        });
        assert_eq!(call.function.0, of_group.function);
        assert_eq!(call.begin_ns, rows.begin[row].saturating_mul(rows.unit_ns));
        assert_eq!(
            u64::from(call.thread.0),
            rows.thread[row].min(u32::MAX.into())
        );
        assert_eq!(call.duration_ns.zip(call.returned), outcome);
    }
}

#[test]
fn rows_are_those_of_the_whole_block() {
    let raw = calls_block();
    let rows = CallRows::parse(&raw).expect("reads");
    assert!(rows.len() > 60 && rows.open.len() == 1);
    assert_agree(&CallsBlock::parse(raw).expect("reads"), &rows);
}

#[test]
fn damaged_rows_never_panic_and_never_differ_from_the_block() {
    let raw = calls_block();
    let mut chance = Chance::new(77);
    let mut both = 0;
    for length in 0..raw.len() {
        assert!(
            CallsBlock::parse(raw[..length].to_vec()).is_err(),
            "cut at {length}"
        );
        let _ = CallRows::parse(&raw[..length]);
    }
    for _ in 0..4_000 {
        let mut damaged = raw.clone();
        for _ in 0..=chance.below(2) {
            let at = chance.below(damaged.len() as u64) as usize;
            damaged[at] = chance.word() as u8;
        }
        let rows = CallRows::parse(&damaged);
        if let Ok(block) = CallsBlock::parse(damaged) {
            both += 1;
            assert_agree(&block, &rows.expect("what the block can do, its rows can"));
        }
    }
    assert!(both > 500, "most bytes are numbers: {both}");
}

#[test]
fn a_number_of_rows_does_not_change_once_columns_were_read_by_it() {
    // n: 1, begin: as they are with one plane of one byte, then n: 9.
    let second = b"\x83\xa1n\x01\xa5begin\x94\x01\x00\x01\xc4\x01\x05\xa1n\x09";
    assert!(CallsBlock::parse(second.to_vec()).is_err());
    assert!(CallRows::parse(second).is_err());
    // A thousand groups of 65,536 rows that are all 0 would be 1 GiB of words.
    let mut many = b"\x82\xa1n\xce\x00\x01\x00\x00\xa6groups\xdc\x03\xe8".to_vec();
    for _ in 0..1000 {
        many.extend_from_slice(b"\x82\xa1n\xce\x00\x01\x00\x00\xa3dur\x00");
    }
    let refused = CallRows::parse(&many).expect_err("more rows than the block has");
    assert!(
        refused
            .to_string()
            .contains("no more rows than the block has"),
        "{refused}"
    );
}
