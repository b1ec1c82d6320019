//! Comparing two runs, on traces made without a driver: what counts as a difference, and what doesn't.

#[allow(dead_code)]
mod runs;

use cutape_analysis::diff::{RowKind, Verdict};
use cutape_trace_format::sample::SampleCapture;

use runs::{ELAPSED, FREE, Pair, QUERY, Run, STREAM};

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
    let hunks = compared
        .sequence()
        .hunks(3, &|_, _| true)
        .expect("has numbers");
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
fn kernels_are_compared_by_values_and_by_the_memory_that_they_are_given() {
    let run = |used: usize, value: u32| {
        move |run: &mut Run| {
            let main = run.thread(1, "main");
            let memory = [run.alloc(main, 1, 4096), run.alloc(main, 2, 4096)];
            let address = (memory[used] + 8).to_le_bytes();
            // A structure: a pointer in it, and an address that nobody knows.
            let unknown = 0x7ffe_0000_0000 + run.shift / 4096;
            let structure = [memory[0].to_le_bytes(), unknown.to_le_bytes()].concat();
            run.launch(main, &[&address, &value.to_le_bytes(), &structure]);
        }
    };
    let same = Pair::new(run(0, 1024), run(0, 1024)).compare();
    assert_eq!(same.counts(), [3, 0, 0, 0], "{}", same.text());
    let other = Pair::new(run(0, 1024), run(0, 1025)).compare();
    assert_eq!(other.counts(), [2, 1, 0, 0]);
    assert!(other.text().contains("kernelParams ["), "{}", other.text());
    assert!(other.text().contains("1025"), "{}", other.text());
    let elsewhere = Pair::new(run(0, 1024), run(1, 1024)).compare();
    assert_eq!(elsewhere.counts(), [2, 1, 0, 0]);
    let text = elsewhere.text();
    assert!(
        text.contains("dptr#1+0x8") && text.contains("dptr#2+0x8"),
        "{text}"
    );
    let nothing = |run: &mut Run| {
        let main = run.thread(1, "main");
        (1..=2).for_each(|number| {
            run.alloc(main, number, 4096);
        });
        run.launch(main, &[]);
    };
    let not_captured = Pair::new(run(0, 1024), nothing).compare();
    assert_eq!(
        not_captured.counts(),
        [3, 0, 0, 0],
        "nobody knows what it was given"
    );
}
