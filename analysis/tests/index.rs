//! The index knows of each call what the trace says, whatever way it was built.

#[allow(dead_code)]
mod sample;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cutape_analysis::index::{Index, Row};
use cutape_trace_format::call::{Call, ThreadId};
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;
use sample::Sample;

/// Numbers and rows of all calls that can be read, from the calls themselves.
fn rows_of(trace: &Trace) -> Vec<(u64, Row)> {
    let calls = trace.calls().filter_map(Result::ok);
    calls.map(|call| (call.seq, Row::from(&call))).collect()
}

fn assert_indexed(trace: &Trace) -> Index {
    let index = Index::of(trace);
    let expected = rows_of(trace);
    assert_eq!(index.rows_from(1).collect::<Vec<_>>(), expected);
    for &(seq, row) in &expected {
        assert_eq!(index.row(seq), Some(row), "call {seq}");
    }
    assert_eq!((index.row(0), index.row(index.len() + 1)), (None, None));
    index
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../traces")
        .join(name)
}

/// Calls of two functions and two threads, one in flight, one of 5 s and one of a function that no schema knows.
fn recorded() -> Sample {
    let mut sample = Sample::new();
    for round in 0..40_000u64 {
        match round % 3 {
            0 => sample.call(
                "cuStreamQuery",
                &[7],
                Some(if round % 2 == 0 { 0 } else { 600 }),
            ),
            1 => sample.call("cuCtxGetCurrent", &[0x10], Some(0)),
            _ => sample.call_number(65_000, &[1, 2], Some(u64::MAX - round % 5), &[]),
        };
        if round == 100 {
            sample.call("cuCtxSynchronize", &[], None);
        }
        // The second process goes on with the clock of the first.
        if round == 20_000 {
            sample.process(200);
        }
    }
    let ring = &mut sample.processes[0].rings[0];
    let long = ring.begin(9_000_000_000, 3, &[]);
    ring.end(14_000_000_000, long, 0);
    sample
}

fn sealed(sample: &mut Sample) -> PathBuf {
    sample.open();
    let out = sample.path("sealed.cutape");
    seal(
        &sample.recording.path,
        &out,
        SealOptions::default(),
        &mut |_| {},
    )
    .expect("seals");
    out
}

#[test]
fn golden_traces_are_indexed_as_they_are_read() {
    for name in [
        "pytorch-on-h100.cutape",
        "ggml-backend-on-shim-uninitialized.cutape",
    ] {
        let trace = Trace::open(&golden(name)).expect("opens");
        let index = assert_indexed(&trace);
        assert_eq!(index.len(), trace.call_count());
        assert!(index.damages().is_empty() && index.holes().next().is_none());
    }
}

#[test]
fn folders_and_sealed_files_have_the_same_rows() {
    let mut sample = recorded();
    let folder = sample.open();
    let from_folder = assert_indexed(&folder);
    let file = Trace::open(&sealed(&mut sample)).expect("opens");
    let from_file = assert_indexed(&file);
    assert_eq!(from_folder.len(), 40_002);
    let times = |index: &Index| -> Vec<_> {
        let rows = index.rows_from(1);
        rows.map(|(seq, row)| (seq, row.begin_ns, row.duration_ns, row.returned))
            .collect()
    };
    assert_eq!(times(&from_folder), times(&from_file));
    assert_eq!(
        from_file
            .rows_from(1)
            .filter(|(_, row)| row.returned.is_none())
            .count(),
        1
    );
    let longest = from_file
        .rows_from(1)
        .filter_map(|(_, row)| row.duration_ns)
        .max();
    assert_eq!(longest, Some(5_000_000_000));
}

#[test]
fn an_index_that_calls_are_pushed_to_is_the_same() {
    let mut sample = recorded();
    let trace = sample.open();
    let mut index = Index::default();
    for call in trace.calls() {
        let call = call.expect("reads");
        index.push(&call);
        index.push(&call);
    }
    let rows: Vec<_> = index.rows_from(1).collect();
    assert_eq!(rows, rows_of(&trace));
    let mut gap = Call::default();
    (gap.seq, gap.thread) = (5, ThreadId(3));
    let mut index = Index::default();
    index.push(&gap);
    gap.seq = 9;
    index.push(&gap);
    assert_eq!(index.holes().collect::<Vec<_>>(), [1..5, 6..9]);
    assert_eq!((index.len(), index.row(4)), (9, None));
    assert_eq!(index.row(9).map(|row| row.thread), Some(ThreadId(3)));
}

#[test]
fn calls_in_damaged_blocks_keep_their_numbers_and_are_missing() {
    let mut sample = recorded();
    let path = sealed(&mut sample);
    let intact = rows_of(&Trace::open(&path).expect("opens"));
    let mut bytes = std::fs::read(&path).expect("reads");
    let second = Trace::open(&path)
        .expect("opens")
        .ordered_block(1)
        .expect("has blocks");
    // The byte in the middle of the second Calls block's frame.
    let magic = b"\xC7cutBLK\n";
    let calls_blocks: Vec<usize> = (0..bytes.len() - 8)
        .filter(|&at| bytes[at..at + 8] == *magic && bytes[at + 8] == 7)
        .collect();
    bytes[calls_blocks[1] + 200] ^= 0x10;
    std::fs::write(&path, &bytes).expect("writes");
    let trace = Trace::open(&path).expect("opens");
    let index = assert_indexed(&trace);
    let hole = second.first_seq..second.first_seq + u64::from(second.rows);
    assert_eq!(
        index.holes().collect::<Vec<_>>(),
        std::slice::from_ref(&hole)
    );
    assert_eq!(
        (index.len(), index.damages().len()),
        (intact.len() as u64, 1)
    );
    let outside = intact.iter().filter(|(seq, _)| !hole.contains(seq));
    assert!(index.rows_from(1).eq(outside.copied()));
    let behind = intact[hole.end as usize - 1].1.begin_ns;
    assert_eq!(index.seq_at(behind), hole.end);
    assert_eq!(
        index.seq_at(intact[hole.start as usize].1.begin_ns),
        hole.end,
        "in the hole"
    );
}

#[test]
fn a_time_finds_the_first_call_from_then_on() {
    let mut sample = recorded();
    let trace = sample.open();
    let index = Index::of(&trace);
    assert_eq!(index.seq_at(0), 1);
    assert_eq!(index.seq_at(u64::MAX), index.len() + 1);
    for seq in [1, 2, 8_191, 8_192, 8_193, 20_000, index.len()] {
        let row = index.row(seq).expect("is there");
        assert_eq!(index.seq_at(row.begin_ns), seq);
        assert_eq!(index.seq_at(row.begin_ns + 1), seq + 1);
    }
}

#[test]
fn the_beginning_can_be_used_while_the_rest_is_built() {
    let mut sample = recorded();
    let path = sealed(&mut sample);
    let file = Trace::open(&path).expect("opens");
    let folder = Trace::open(&sample.recording.path).expect("opens");
    for trace in [file, folder] {
        let whole = rows_of(&trace);
        let mut lengths = Vec::new();
        Index::build(&trace, &mut |beginning| {
            lengths.push(beginning.len());
            let rows: Vec<_> = beginning.rows_from(1).collect();
            assert_eq!(rows, whole[..rows.len()]);
            ControlFlow::Continue(())
        });
        assert!(lengths.len() > 1 && lengths.is_sorted(), "{lengths:?}");
        let first = Index::build(&trace, &mut |_| ControlFlow::Break(()));
        assert_eq!(first.len(), lengths[0], "broken off at the first chance");
    }
}

#[test]
fn a_call_takes_few_bytes() {
    let mut sample = recorded();
    let trace = Trace::open(&sealed(&mut sample)).expect("opens");
    let index = Index::of(&trace);
    let per_call = index.heap_bytes() as f64 / index.len() as f64;
    assert!(per_call < 9.0, "{per_call} bytes");
}
