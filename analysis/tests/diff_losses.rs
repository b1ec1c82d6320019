//! Comparing two runs of which calls are missing, and comparisons that end early.

#[allow(dead_code)]
mod runs;

use std::path::Path;

use cutape_analysis::diff::{Comparison, DiffError, Options, Verdict};
use cutape_trace_format::metadata::{Note, note};
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;

use runs::{Outcomes, Pair, Run};

/// A run of many calls, none like another.
fn long_run(run: &mut Run) {
    let main = run.thread(1, "main");
    let memory = run.alloc(main, 1, 4096);
    for value in 0..40_000 {
        run.set(main, memory, value, 16);
        if run.process.rings[main].bytes.len() > 1 << 20 {
            run.process.flush().expect("writes");
        }
    }
}

/// Damages the third Calls block of a sealed file.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).expect("reads");
    let magic = b"\xC7cutBLK\n";
    let calls: Vec<usize> = (0..bytes.len() - 9)
        .filter(|&at| bytes[at..].starts_with(magic) && bytes[at + 8] == 7)
        .collect();
    bytes[calls[2] + 60] ^= 0xff;
    std::fs::write(path, bytes).expect("writes");
}

#[test]
fn calls_that_a_damaged_block_took_are_no_difference() {
    let pair = Pair::new(long_run, long_run);
    let files = [pair.a(), pair.b()].map(|folder| {
        let file = folder.with_extension("cutape");
        seal(&folder, &file, SealOptions::default(), &mut |_| {}).expect("seals");
        file
    });
    damage(&files[1]);
    let compared = Outcomes::of(&files[0], &files[1]);
    let counts = &compared.sequence().counts;
    assert_eq!(counts.differences(), 0, "{}", compared.text());
    assert!(
        counts.unknown > 1000 && counts.unknown == compared.comparison.b.lost,
        "{counts:?}"
    );
    assert_eq!(counts.same + counts.unknown, 40_001);
    assert_eq!(compared.comparison.verdict(), Verdict::Unknown);
    assert!(compared.comparison.is_damaged());
}

#[test]
fn calls_that_a_recording_dropped_are_not_known_to_be_a_difference() {
    let run = |calls: u64| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            let memory = run.alloc(main, 1, 4096);
            (0..calls).for_each(|value| run.set(main, memory, value * value, 16));
        }
    };
    let mut verdicts = Vec::new();
    for dropped in [0, 2, 5] {
        let pair = Pair::new(run(20), run(17));
        let note = Note {
            kind: note::DROPPED.to_owned(),
            count: dropped,
            ..Note::default()
        };
        let folder = std::fs::read_dir(pair.b()).expect("reads");
        let process = folder
            .filter_map(Result::ok)
            .find(|entry| entry.path().is_dir())
            .expect("has a process");
        let blocks = process.path().join("blocks");
        let mut bytes = std::fs::read(&blocks).expect("reads");
        if dropped > 0 {
            bytes.extend(note.to_block().expect("is a block"));
        }
        std::fs::write(&blocks, bytes).expect("writes");
        verdicts.push(pair.compare().comparison.verdict());
    }
    assert_eq!(
        verdicts,
        [Verdict::Differ, Verdict::Differ, Verdict::Unknown]
    );
}

#[test]
fn a_comparison_can_be_stopped() {
    let pair = Pair::new(long_run, long_run);
    let (a, b) = (
        Trace::open(&pair.a()).expect("opens"),
        Trace::open(&pair.b()).expect("opens"),
    );
    let options = Options {
        report: &|_, _| false,
        ..Options::usual()
    };
    assert_eq!(
        Comparison::of(&a, &b, options).err(),
        Some(DiffError::Stopped)
    );
}
