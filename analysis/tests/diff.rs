//! Comparing two runs, on traces made without a driver: what counts as a difference, and what doesn't.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use cutape_analysis::diff::report::{Compared, Extent, SequenceText};
use cutape_analysis::diff::{
    Comparison, DiffError, Mode, Options, Outcome, RowKind, Sequence, Verdict,
};
use cutape_analysis::text::Detail;
use cutape_cuda_api::Api;
use cutape_trace_format::metadata::{Note, note};
use cutape_trace_format::sample::{RingContent, SampleCapture};
use cutape_trace_format::sample_recording::{SampleProcess, SampleRecording};
use cutape_trace_format::schema::{Schema, schema_file};
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;

/// Functions by the numbers that these tests use for them.
const FUNCTIONS: [&str; 8] = [
    "cuInit",
    "cuMemAlloc_v2",
    "cuMemsetD8_v2",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuStreamQuery",
    "cuStreamCreate",
    "cuEventElapsedTime",
];
const INIT: u32 = 0;
const ALLOC: u32 = 1;
const SET: u32 = 2;
const FREE: u32 = 3;
const INFO: u32 = 4;
const QUERY: u32 = 5;
const STREAM: u32 = 6;
const ELAPSED: u32 = 7;

/// One run of a program: threads that write calls.
struct Run {
    process: SampleProcess,
    ticks: u64,
    /// Added to handles and addresses, which differ from run to run.
    shift: u64,
}

impl Run {
    fn new(path: &Path, pid: u32) -> Self {
        let recording = SampleRecording::create(path).expect("writes");
        let api = Api::get();
        let functions = (0..).zip(FUNCTIONS).map(|(number, name)| {
            let function = api.function(name).expect("is in the table");
            (number, api.at(function).clone())
        });
        let schema = Schema {
            functions: functions.collect(),
            types: api.types().to_vec(),
            export_tables: Vec::new(),
        };
        std::fs::write(
            path.join("schema"),
            schema_file(&schema).expect("is a schema"),
        )
        .expect("writes");
        Self {
            process: recording.process(pid, 0).expect("writes"),
            ticks: 2_000_000,
            shift: u64::from(pid) << 32,
        }
    }

    /// Adds a thread; its number.
    fn thread(&mut self, tid: u32, name: &str) -> usize {
        let number = self.process.rings.len();
        let ticks = self.ticks;
        self.process.ring().thread(ticks, number as u32, tid, name);
        number
    }

    fn ring(&mut self, thread: usize) -> &mut RingContent {
        &mut self.process.rings[thread]
    }

    fn call(
        &mut self,
        thread: usize,
        function: u32,
        words: &[u64],
        returned: u64,
        answer: &[SampleCapture<'_>],
    ) {
        self.ticks += 100;
        let (begin, end) = (self.ticks, self.ticks + 50);
        let id = self
            .ring(thread)
            .begin_from(begin, function, (0x7f00_0010, words), &[]);
        self.ring(thread).end_with(end, id, returned, answer);
    }

    fn init(&mut self, thread: usize) {
        self.call(thread, INIT, &[0], 0, &[]);
    }

    /// Allocates; the address.
    fn alloc(&mut self, thread: usize, number: u64, bytes: u64) -> u64 {
        let address = 0x7f00_0000_0000 + self.shift + number * 0x10_0000;
        let answer = address.to_le_bytes();
        self.call(
            thread,
            ALLOC,
            &[0x7ffc_0000, bytes],
            0,
            &[SampleCapture::after(0, &answer)],
        );
        address
    }

    fn set(&mut self, thread: usize, address: u64, value: u64, bytes: u64) {
        self.call(thread, SET, &[address, value, bytes], 0, &[]);
    }

    fn info(&mut self, thread: usize, free: u64, code: u64) {
        let (free, total) = (free.to_le_bytes(), (80u64 << 30).to_le_bytes());
        let answer = [
            SampleCapture::after(0, &free),
            SampleCapture::after(1, &total),
        ];
        self.call(thread, INFO, &[0x7ffc_0000, 0x7ffc_0008], code, &answer);
    }

    fn finish(mut self) {
        self.process.flush().expect("writes");
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Two runs in a folder of their own, which is removed in the end.
struct Pair(PathBuf);

impl Drop for Pair {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Pair {
    fn new(a: impl FnOnce(&mut Run), b: impl FnOnce(&mut Run)) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cutape-diff-{}-{number}", std::process::id());
        let pair = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&pair.0).expect("a writable folder for temporary files");
        let mut run = Run::new(&pair.a(), 100);
        a(&mut run);
        run.finish();
        let mut run = Run::new(&pair.b(), 200);
        b(&mut run);
        run.finish();
        pair
    }

    fn a(&self) -> PathBuf {
        self.0.join("a")
    }

    fn b(&self) -> PathBuf {
        self.0.join("b")
    }

    fn compare(&self) -> Outcomes {
        Outcomes::of(&self.a(), &self.b())
    }
}

/// A comparison with its traces.
struct Outcomes {
    a: Trace,
    b: Trace,
    comparison: Comparison,
}

impl Outcomes {
    fn of(a: &Path, b: &Path) -> Self {
        let (a, b) = (
            Trace::open(a).expect("opens"),
            Trace::open(b).expect("opens"),
        );
        let options = Options {
            mode: Some(Mode::Sequence),
            ..Options::usual()
        };
        let comparison = Comparison::of(&a, &b, options).expect("compares");
        Self { a, b, comparison }
    }

    fn sequence(&self) -> &Sequence {
        match &self.comparison.outcome {
            Outcome::Sequence(sequence) => sequence,
            Outcome::Profile(_) => panic!("a sequence was asked for"),
        }
    }

    /// Same, changed, only A, only B.
    fn counts(&self) -> [u64; 4] {
        let counts = &self.sequence().counts;
        [counts.same, counts.changed, counts.only_a, counts.only_b]
    }

    fn text(&self) -> String {
        let compared = Compared {
            comparison: &self.comparison,
            a: &self.a,
            b: &self.b,
        };
        let extent = Extent {
            rows: 12,
            detail: Detail::LINE,
        };
        let sequence = self.sequence();
        let hunks = sequence.hunks(1, &|_, _| true).expect("has numbers");
        let lines = SequenceText::new(compared, sequence, extent).hunks(&hunks, 0);
        lines
            .iter()
            .map(|line| format!("{}\n", line.text))
            .collect()
    }
}

#[test]
fn handles_and_addresses_of_another_run_are_no_difference() {
    let run = |run: &mut Run| {
        let main = run.thread(1, "main");
        run.init(main);
        let memory = run.alloc(main, 1, 4096);
        run.set(main, memory + 0x40, 7, 16);
        run.call(main, FREE, &[memory], 0, &[]);
    };
    let compared = Pair::new(run, run).compare();
    assert_eq!(compared.counts(), [4, 0, 0, 0], "{}", compared.text());
    assert_eq!(compared.comparison.verdict(), Verdict::Same);
}

#[test]
fn one_more_object_at_the_start_changes_nothing_about_the_use_of_the_others() {
    let run = |more: bool| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            run.init(main);
            if more {
                run.alloc(main, 9, 64);
            }
            let memory = [run.alloc(main, 1, 4096), run.alloc(main, 2, 8192)];
            for round in 0..100 {
                run.set(main, memory[round % 2], 1, 16);
            }
        }
    };
    let compared = Pair::new(run(false), run(true)).compare();
    assert_eq!(compared.counts(), [103, 0, 0, 1], "{}", compared.text());
}

#[test]
fn another_object_is_a_difference_and_is_named() {
    let run = |used: usize| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            let memory = [run.alloc(main, 1, 4096), run.alloc(main, 2, 4096)];
            run.set(main, memory[used] + 8, 1, 16);
        }
    };
    let compared = Pair::new(run(0), run(1)).compare();
    assert_eq!(compared.counts(), [2, 1, 0, 0]);
    let text = compared.text();
    assert!(
        text.contains("dstDevice dptr#1+0x8 -> dptr#2+0x8"),
        "{text}"
    );
}

#[test]
fn an_allocation_of_another_size_is_one_difference_and_not_one_more_for_each_use() {
    let run = |bytes: u64| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            let memory = run.alloc(main, 1, bytes);
            (0..50).for_each(|value| run.set(main, memory, value, 16));
        }
    };
    let compared = Pair::new(run(4096), run(8192)).compare();
    assert_eq!(compared.counts(), [50, 1, 0, 0]);
    let text = compared.text();
    assert!(
        text.contains("bytesize 4096 (4 KiB) -> 8192 (8 KiB)"),
        "{text}"
    );
}

#[test]
fn a_loop_that_ran_once_more_is_one_difference() {
    let run = |rounds: u64| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            let memory = run.alloc(main, 1, 4096);
            for _ in 0..rounds {
                (0..3).for_each(|value| run.set(main, memory, value, 16));
            }
            run.init(main);
        }
    };
    let compared = Pair::new(run(300), run(301)).compare();
    assert_eq!(compared.counts(), [902, 0, 0, 3]);
    let hunks = compared.sequence().hunks(3, &|_, _| true).expect("has numbers");
    assert_eq!(hunks.len(), 1);
    let again = hunks[0].units.iter().find_map(|unit| unit.again);
    let again = again.map(|again| (again.body, again.a, again.b));
    assert_eq!(again, Some((3, 300, 301)));
    let text = compared.text();
    assert!(
        text.contains("! the 3 calls above: ran 300 times in A, 301 times in B"),
        "{text}"
    );
}

#[test]
fn a_change_in_every_round_of_a_loop_is_shown_once() {
    let run = |value: u64| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            let memory = run.alloc(main, 1, 4096);
            for _ in 0..500 {
                run.set(main, memory, 1, 16);
                run.set(main, memory, value, 32);
            }
        }
    };
    let compared = Pair::new(run(2), run(3)).compare();
    assert_eq!(compared.counts(), [501, 500, 0, 0]);
    let text = compared.text();
    assert!(text.lines().count() < 10, "{text}");
    assert!(text.contains("500 times:"), "{text}");
    assert!(text.contains("uc 2 -> 3"), "{text}");
}

#[test]
fn time_and_a_little_free_memory_are_no_difference_and_no_memory_is() {
    let run = |free: u64, milliseconds: f32, code: u64| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            run.info(main, free, code);
            run.call(
                main,
                ELAPSED,
                &[0x7ffc_0000, 0x5000_0000_1000, 0x5000_0000_2000],
                0,
                &[SampleCapture::after(0, &milliseconds.to_le_bytes())],
            );
        }
    };
    let alike = Pair::new(run(78 << 30, 0.25, 0), run(77 << 30, 3.5, 0)).compare();
    assert_eq!(alike.counts(), [2, 0, 0, 0], "{}", alike.text());
    let less = Pair::new(run(78 << 30, 0.25, 0), run(20 << 30, 0.25, 0)).compare();
    assert_eq!(less.counts(), [1, 1, 0, 0]);
    assert!(
        less.text()
            .contains("free 83751862272 (78 GiB) -> 21474836480 (20 GiB)"),
        "{}",
        less.text()
    );
    let failed = Pair::new(run(78 << 30, 0.25, 0), run(0, 0.25, 3)).compare();
    assert!(
        failed.text().contains(
            "free 83751862272 (78 GiB) -> 0, CUDA_SUCCESS (0) -> CUDA_ERROR_NOT_INITIALIZED (3)"
        ),
        "{}",
        failed.text()
    );
}

#[test]
fn how_often_a_program_asks_whether_work_is_done_is_a_matter_of_time() {
    let run = |asked: u64| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            run.init(main);
            (0..asked).for_each(|_| run.call(main, QUERY, &[0], 600, &[]));
            run.call(main, QUERY, &[0], 0, &[]);
        }
    };
    let compared = Pair::new(run(5), run(50)).compare();
    assert_eq!(compared.counts(), [1, 0, 0, 0]);
    let counts = (
        compared.comparison.a.readiness,
        compared.comparison.b.readiness,
    );
    assert_eq!(counts, (6, 51));
    let failed = |run: &mut Run| {
        let main = run.thread(1, "main");
        run.init(main);
        run.call(main, QUERY, &[0], 700, &[]);
    };
    let compared = Pair::new(run(5), failed).compare();
    assert_eq!(compared.counts(), [1, 0, 0, 1], "a failure is a difference");
}

#[test]
fn which_thread_of_a_pool_makes_a_call_is_no_difference() {
    let run = |swapped: bool| {
        move |run: &mut Run| {
            let main = run.thread(100, "main");
            let workers = [run.thread(2, "worker"), run.thread(3, "worker")];
            let memory = run.alloc(main, 1, 4096);
            for job in 0..40 {
                // Every fifth job goes to the other worker in one of the runs.
                let other = usize::from(swapped && job % 5 == 0);
                run.set(workers[(job as usize + other) % 2], memory, job, 16);
            }
        }
    };
    let compared = Pair::new(run(false), run(true)).compare();
    assert_eq!(
        compared.comparison.verdict(),
        Verdict::Same,
        "{}",
        compared.text()
    );
    assert_eq!(
        compared.sequence().counts.moved,
        16,
        "eight calls, on both sides"
    );
}

#[test]
fn the_order_within_a_thread_is_a_difference() {
    let run = |first: u64, second: u64| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            let memory = run.alloc(main, 1, 4096);
            run.set(main, memory, first, 16);
            run.set(main, memory, second, 16);
        }
    };
    let compared = Pair::new(run(1, 2), run(2, 1)).compare();
    assert_eq!(compared.comparison.verdict(), Verdict::Differ);
}

#[test]
fn a_call_in_flight_differs_from_one_that_returned() {
    let whole = |run: &mut Run| {
        let main = run.thread(1, "main");
        run.init(main);
        run.call(
            main,
            STREAM,
            &[0x7ffc_0000, 1],
            0,
            &[SampleCapture::after(0, &[1; 8])],
        );
    };
    let open = |run: &mut Run| {
        let main = run.thread(1, "main");
        run.init(main);
        let ticks = run.ticks + 100;
        run.ring(main)
            .begin_from(ticks, STREAM, (0x7f00_0010, &[0x7ffc_0000, 1]), &[]);
    };
    let compared = Pair::new(whole, open).compare();
    assert_eq!(compared.counts(), [1, 1, 0, 0]);
    assert!(
        compared
            .text()
            .contains("CUDA_SUCCESS (0) -> ? <in flight>"),
        "{}",
        compared.text()
    );
}

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
fn rows_can_be_asked_for_one_by_one() {
    let run = |value: u64| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            run.init(main);
            let memory = run.alloc(main, 1, 4096);
            run.set(main, memory, value, 16);
            run.init(main);
        }
    };
    let compared = Pair::new(run(1), run(2)).compare();
    let sequence = compared.sequence();
    let thread = sequence.threads().next().expect("has a thread");
    let rows: Vec<_> = (0..thread.rows())
        .filter_map(|row| sequence.row(thread, row))
        .map(|row| (row.kind, row.a, row.b))
        .collect();
    assert_eq!(
        rows,
        [
            (RowKind::Same, Some(1), Some(1)),
            (RowKind::Same, Some(2), Some(2)),
            (RowKind::Changed, Some(3), Some(3)),
            (RowKind::Same, Some(4), Some(4)),
        ]
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

#[test]
fn the_order_in_which_objects_are_given_back_is_no_difference() {
    let run = |order: [usize; 4]| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            let memory = [1, 2, 3, 4].map(|number| run.alloc(main, number, number * 4096));
            for place in order {
                run.call(main, FREE, &[memory[place]], 0, &[]);
            }
        }
    };
    for number in 0..4 * 4 * 4 * 4 {
        let order = [0, 1, 2, 3].map(|place: u32| number / 4usize.pow(place) % 4);
        if (0..4).any(|place| !order.contains(&place)) {
            continue;
        }
        let compared = Pair::new(run([0, 3, 2, 1]), run(order)).compare();
        assert_eq!(
            compared.comparison.verdict(),
            Verdict::Same,
            "{order:?}: {}",
            compared.text()
        );
    }
    let less = Pair::new(run([0, 1, 2, 3]), run([1, 2, 3, 3])).compare();
    assert_eq!(
        less.comparison.verdict(),
        Verdict::Differ,
        "one is never freed"
    );
}
