//! Damaged and malicious traces: what is intact is read, the rest is reported, nothing panics and memory stays bounded.

mod scratch;

use std::path::Path;

use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::sample::{Chance, SampleCapture};
use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::sample_schema::{DEVICE_GET_NAME, INIT, LAUNCH_KERNEL, MEM_GET_INFO};
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;
use cutape_trace_format::verify::verify;
use scratch::Scratch;

const CALLS: usize = 60;

fn record(path: &Path) -> SampleRecording {
    let recording = SampleRecording::create(path).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    process.ring().thread(0, 0, 100, "main");
    for step in 0..CALLS as u64 {
        let now = 2_000_000 + step * 100;
        let ring = &mut process.rings[0];
        match step % 3 {
            0 => {
                let id = ring.begin(now, LAUNCH_KERNEL, &[1, 2, 3, 4, step, 6, 7, 8, 9, 10, 11]);
                ring.end(now + 50, id, 0);
            }
            1 => {
                let id = ring.begin(now, MEM_GET_INFO, &[0x10, 0x20]);
                ring.end_with(
                    now + 50,
                    id,
                    0,
                    &[SampleCapture::after(0, &step.to_le_bytes())],
                );
            }
            _ => {
                let id = ring.begin(now, DEVICE_GET_NAME, &[0x10, 64, 0]);
                if step % 12 == 11 {
                    process.flush().expect("flushes");
                }
                process.rings[0].end_with(
                    now + 50,
                    id,
                    0,
                    &[SampleCapture::after(0, b"a name of a GPU\0")],
                );
            }
        }
    }
    process.leave().expect("writes");
    recording
}

/// Reads everything that there is to read, and returns what calls say of themselves.
fn read_all(path: &Path) -> Vec<String> {
    let Ok(trace) = Trace::open(path) else {
        return Vec::new();
    };
    let tell = |call: Call| {
        let decoded = decode(trace.schema(), &call);
        trace.module_at(call.process, call.caller, call.begin_ns);
        format!(
            "{} {} {decoded:?}",
            call.begin_ns,
            trace.function_name(call.function)
        )
    };
    let calls = trace.calls().filter_map(Result::ok).map(tell).collect();
    let _ = (
        trace.losses(),
        trace.start_ns(),
        trace.start_realtime_ns(),
        trace.call(3),
    );
    calls
}

#[test]
fn a_sealed_file_cut_anywhere_gives_the_blocks_before_the_cut() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"));
    let out = scratch.path("b.cutape");
    seal(&recording.path, &out, SealOptions::default(), &mut |_| {}).expect("seals");
    let whole = std::fs::read(&out).expect("reads");
    let all = read_all(&out);
    assert_eq!(all.len(), CALLS);
    assert!(verify(&out).expect("reads").is_sound());
    let mut with_calls = 0;
    for length in 0..whole.len() {
        std::fs::write(&out, &whole[..length]).expect("writes");
        let calls = read_all(&out);
        assert!(
            calls.is_empty() || calls.len() == CALLS,
            "one block has all calls"
        );
        with_calls += usize::from(!calls.is_empty());
        if length >= 16 {
            let verified = verify(&out).expect("reads");
            assert!(!verified.is_sound(), "cut at {length}");
        }
    }
    assert!(
        with_calls > 500,
        "behind the Calls block lie schema, index and footer"
    );
}

#[test]
fn a_folder_cut_anywhere_loses_no_call_that_is_still_in_a_ring() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"));
    let all = read_all(&recording.path);
    assert_eq!(all.len(), CALLS);
    let blocks = recording.path.join("100-0-0/blocks");
    let whole = std::fs::read(&blocks).expect("reads");
    for length in 0..whole.len() {
        std::fs::write(&blocks, &whole[..length]).expect("writes");
        let calls = read_all(&recording.path);
        assert_eq!(
            calls.len(),
            CALLS,
            "cut at {length}: the ring still has it all"
        );
    }
    std::fs::write(&blocks, &whole).expect("writes");
    let rings = recording.path.join("100-0-0/rings");
    let whole = std::fs::read(&rings).expect("reads");
    for length in (0..whole.len()).step_by(509) {
        std::fs::write(&rings, &whole[..length]).expect("writes");
        assert!(
            read_all(&recording.path).len() >= CALLS - 10,
            "the blocks have the rest"
        );
    }
}

#[test]
fn thousands_of_flipped_bits_and_bytes_never_panic() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"));
    let out = scratch.path("b.cutape");
    seal(&recording.path, &out, SealOptions::default(), &mut |_| {}).expect("seals");
    let mut chance = Chance::new(2026);
    let files = [
        (out.clone(), out.clone(), 3000),
        (
            recording.path.clone(),
            recording.path.join("100-0-0/blocks"),
            1500,
        ),
        (recording.path.clone(), recording.path.join("schema"), 300),
        (
            recording.path.clone(),
            recording.path.join("recording"),
            300,
        ),
    ];
    for (trace, file, rounds) in files {
        let whole = std::fs::read(&file).expect("reads");
        let intact = read_all(&trace);
        for _ in 0..rounds {
            let mut damaged = whole.clone();
            let at = chance.below(damaged.len() as u64) as usize;
            damaged[at] ^= 1 << chance.below(8);
            std::fs::write(&file, &damaged).expect("writes");
            let calls = read_all(&trace);
            assert!(calls.len() <= CALLS);
            if at >= 16 {
                let verified = verify(&trace).expect("reads");
                assert!(
                    !verified.is_sound() || calls == intact,
                    "byte {at} of {}",
                    file.display()
                );
            }
        }
        std::fs::write(&file, &whole).expect("writes");
    }
}

#[test]
fn ring_files_may_say_anything() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"));
    let rings = recording.path.join("100-0-0/rings");
    let whole = std::fs::read(&rings).expect("reads");
    let ring = 4096;
    let absurd = [
        0,
        1,
        7,
        8,
        u64::MAX,
        u64::MAX - 7,
        1 << 40,
        1 << 63,
        65536,
        65537,
        4096,
    ];
    // Magic, version, pid and number of rings; magic, capacity, index, head and tail of the ring; first words of the data.
    for at in [
        0,
        8,
        16,
        20,
        ring,
        ring + 8,
        ring + 16,
        ring + 64,
        ring + 192,
        ring + 4096,
        ring + 4104,
        ring + 4200,
    ] {
        for value in absurd {
            let mut damaged = whole.clone();
            damaged[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
            std::fs::write(&rings, &damaged).expect("writes");
            assert!(read_all(&recording.path).len() <= CALLS + 1);
            verify(&recording.path).expect("reads");
        }
    }
    let mut chance = Chance::new(5);
    for _ in 0..1500 {
        let mut damaged = whole.clone();
        for _ in 0..=chance.below(4) {
            // Where there is something: headers and the first records.
            let at = if chance.below(2) == 0 {
                chance.below(256) + 4096
            } else {
                chance.below(9000) + 8192
            };
            damaged[at as usize] = chance.word() as u8;
        }
        std::fs::write(&rings, &damaged).expect("writes");
        read_all(&recording.path);
    }
}

/// Wraps msgpack into a block whose checksum is right.
fn block(kind: cutape_trace_format::block::Kind, rows: u32, raw: &[u8]) -> Vec<u8> {
    use cutape_trace_format::block::{BlockBuilder, Label};
    let mut out = Vec::new();
    let label = Label {
        kind,
        rows,
        first_begin_ns: 0,
    };
    BlockBuilder::new(1)
        .expect("zstd has memory")
        .append(label, raw, &mut out)
        .expect("builds");
    out
}

#[test]
fn well_formed_blocks_with_bad_content_never_panic() {
    use cutape_trace_format::block::{HEADER_BYTES, Header, Kind, file_header};
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"));
    let blocks = std::fs::read(recording.path.join("100-0-0/blocks")).expect("reads");
    let out = scratch.path("b.cutape");
    let mut chance = Chance::new(77);
    let mut at = 16;
    while at < blocks.len() {
        let header = Header::read(blocks[at..at + HEADER_BYTES].try_into().expect("length"))
            .expect("our own");
        let end = at + header.total_bytes() as usize;
        let raw = header
            .unpack(&blocks[at + HEADER_BYTES..end])
            .expect("our own");
        for _ in 0..600 {
            let mut damaged = raw.clone();
            for _ in 0..=chance.below(3) {
                let place = chance.below(damaged.len() as u64) as usize;
                damaged[place] = if chance.below(2) == 0 {
                    chance.word() as u8
                } else {
                    0xc0 + chance.below(0x20) as u8
                };
            }
            let mut file = file_header().to_vec();
            let kind = Kind::from_number(header.kind).expect("known");
            file.extend(block(kind, header.rows, &damaged));
            std::fs::write(&out, &file).expect("writes");
            read_all(&out);
            verify(&out).expect("reads");
        }
        at = end;
    }
    // Claims without bytes behind them.
    for raw in [
        &b"\x82\xa1n\xce\xff\xff\xff\xff\xa5begin\x00"[..],
        b"\x82\xa1n\xcd\xff\xff\xa5begin\x00",
        b"\x81\xa6groups\xdd\xff\xff\xff\xff",
        b"\x81\xa5blobs\xdd\x7f\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa7threads\xdd\xff\xff\xff\xff",
        b"\x81\xa9functions\xdd\xff\xff\xff\xff",
        b"",
    ] {
        for kind in (1..=12).filter_map(Kind::from_number) {
            let mut file = file_header().to_vec();
            file.extend(block(kind, 65536, raw));
            std::fs::write(&out, &file).expect("writes");
            assert!(read_all(&out).is_empty());
            verify(&out).expect("reads");
        }
    }
}

#[test]
fn blocks_of_unknown_kinds_and_unknown_keys_are_skipped() {
    let scratch = Scratch::new();
    let recording = record(&scratch.path("a.cutape"));
    let path = recording.path.join("100-0-0/blocks");
    let whole = std::fs::read(&path).expect("reads");
    let mut later = block(
        cutape_trace_format::block::Kind::Note,
        0,
        b"\x81\xa7unheard\x2a",
    );
    later[8] = 200;
    let crc = crc32fast::hash(&[&later[..32], &later[36..]].concat());
    later[32..36].copy_from_slice(&crc.to_le_bytes());
    let known = block(
        cutape_trace_format::block::Kind::Note,
        0,
        b"\x82\xa4kind\xa1x\xa7unheard\x93\x01\x02\xc0",
    );
    std::fs::write(&path, [&whole[..16], &later, &known, &whole[16..]].concat()).expect("writes");
    let trace = Trace::open(&recording.path).expect("opens");
    assert!(trace.damages().is_empty(), "{:?}", trace.damages());
    assert_eq!(
        (trace.call_count(), trace.notes()[0].kind.as_str()),
        (CALLS as u64, "x")
    );
    assert!(verify(&recording.path).expect("reads").is_sound());
}

#[test]
fn damage_says_where_it_is_and_how_many_calls_it_cost() {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    process.ring().thread(0, 0, 100, "main");
    let mut ends = Vec::new();
    for step in 0..30 {
        let id = process.rings[0].begin(step * 10, INIT, &[step]);
        process.rings[0].end(step * 10 + 5, id, 0);
        if step % 10 == 9 {
            process.flush().expect("flushes");
            ends.push(process.blocks.len());
        }
    }
    // The second of three Calls blocks; and the ring is gone.
    std::fs::remove_file(process.folder.join("rings")).expect("removes");
    let mut blocks = process.blocks.clone();
    blocks[ends[0] + 50] ^= 1;
    std::fs::write(process.folder.join("blocks"), &blocks).expect("writes");
    let trace = Trace::open(&recording.path).expect("opens");
    assert_eq!((trace.call_count(), trace.losses().damaged), (20, 10));
    let damage = &trace.damages()[0];
    assert_eq!(
        (damage.offset, damage.bytes),
        (ends[0] as u64, (ends[1] - ends[0]) as u64)
    );
    assert!(damage.problem.contains("checksum"), "{damage}");
    let verified = verify(&recording.path).expect("reads");
    assert_eq!((verified.calls, verified.problems.len()), (20, 1));
}
