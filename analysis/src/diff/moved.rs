//! Calls that one thread makes in A and another one in B, calls that are on their stream where they were, and calls that give objects back in
//! another order: no difference.

use std::collections::HashMap;

use super::judging::{Judge, add};
use super::rows::{RowKind, Run};
use super::scan::Lane;

/// Calls that give an object back are the same in another order if they are at most so many calls apart: runtimes give back what is in their
/// tables, whose order depends on addresses (cudart unloads PyTorch's libraries so).
const NEAR: u32 = 64;

/// Rows of a pair of threads, with their lanes.
pub(crate) type Threads<'a> = [(Vec<Run>, (&'a Lane, &'a Lane))];

/// Places of the calls that moved, of one pair of threads.
#[derive(Clone, Debug, Default)]
struct Places {
    a: Vec<u32>,
    b: Vec<u32>,
}

/// Finds calls that moved, and marks them. `gives_back` says by class of B which give an object back.
pub(crate) fn mark_moved(judge: &mut Judge<'_>, gives_back: &[bool], threads: &mut Threads<'_>) {
    let mut waiting = waiting(judge, gives_back, threads);
    let mut moved = vec![Places::default(); threads.len()];
    for (thread, (runs, lanes)) in threads.iter().enumerate() {
        let differ = runs.iter().filter(|run| run.kind.is_difference());
        let open = differ.filter(|run| run.kind.has_b());
        for (_, place) in open.flat_map(|run| unmatched(run, lanes.1, gives_back)) {
            let class = lanes.1.classes[place as usize];
            let Some(list) = waiting.get_mut(&judge.exact.b[class as usize]) else {
                continue;
            };
            // A thread that makes the same calls in another order does differ, unless it gives back.
            let back = gives_back.get(class as usize) == Some(&true);
            let moved_here =
                |other: usize, at: u32| other != thread || back && at.abs_diff(place) <= NEAR;
            let Some((other, at)) = list.pop_if(|&mut (other, at)| moved_here(other, at)) else {
                continue;
            };
            if judge.is_same(threads[other].1.0.classes[at as usize], class) {
                moved[other].a.push(at);
                moved[thread].b.push(place);
            } else {
                list.push((other, at));
            }
        }
    }
    for ((runs, _), mut places) in threads.iter_mut().zip(moved) {
        if places.a.is_empty() && places.b.is_empty() {
            continue;
        }
        places.a.sort_unstable();
        places.b.sort_unstable();
        *runs = with_moved(runs, &places);
    }
}

/// Marks calls that another order of streams moved, and that got the same answer.
pub(crate) fn mark_other_order(
    judge: &mut Judge<'_>,
    (runs, lanes): (Vec<Run>, (&Lane, &Lane)),
    pairs: &[(u32, u32)],
) -> Vec<Run> {
    let mut moved = Places::default();
    for &(a, b) in pairs {
        if judge.is_same(lanes.0.classes[a as usize], lanes.1.classes[b as usize]) {
            moved.a.push(a);
            moved.b.push(b);
        }
    }
    moved.b.sort_unstable();
    if moved.a.is_empty() {
        runs
    } else {
        with_moved(&runs, &moved)
    }
}

/// Calls of A that B does not make there, by exact question: thread and place. B may make them elsewhere.
fn waiting(
    judge: &Judge<'_>,
    gives_back: &[bool],
    threads: &Threads<'_>,
) -> HashMap<u32, Vec<(usize, u32)>> {
    let mut waiting: HashMap<u32, Vec<(usize, u32)>> = HashMap::new();
    for (thread, (runs, lanes)) in threads.iter().enumerate() {
        let differ = runs.iter().filter(|run| run.kind.is_difference());
        for run in differ.filter(|run| run.kind.has_a()) {
            for (place, _) in unmatched(run, lanes.1, gives_back).rev() {
                let class = lanes.0.classes[place as usize];
                let symbol = judge.exact.a[class as usize];
                waiting.entry(symbol).or_default().push((thread, place));
            }
        }
    }
    waiting
}

/// Places of the rows whose calls the other side does not make there: those that one side alone has, and those that give back another
/// object. `lane` is that of B.
fn unmatched(
    run: &Run,
    lane: &Lane,
    gives_back: &[bool],
) -> impl DoubleEndedIterator<Item = (u32, u32)> {
    let Run { kind, a, b, rows } = *run;
    let is_unmatched = move |step: &u32| match kind {
        RowKind::OnlyA | RowKind::OnlyB => true,
        RowKind::Changed => {
            let class = lane.classes[(b + step) as usize];
            gives_back.get(class as usize) == Some(&true)
        }
        _ => false,
    };
    let steps = (0..rows).filter(is_unmatched);
    steps.map(move |step| (a + step, b + step))
}

/// Splits runs at calls that moved. Of a row of two calls, each may have moved.
fn with_moved(runs: &[Run], moved: &Places) -> Vec<Run> {
    let mut split = Vec::with_capacity(runs.len());
    let in_a = |place: u32| match moved.a.binary_search(&place) {
        Ok(_) => RowKind::MovedA,
        Err(_) => RowKind::OnlyA,
    };
    let in_b = |place: u32| match moved.b.binary_search(&place) {
        Ok(_) => RowKind::MovedB,
        Err(_) => RowKind::OnlyB,
    };
    for &Run { kind, a, b, rows } in runs {
        match kind {
            RowKind::OnlyA => (a..a + rows).for_each(|a| add(&mut split, in_a(a), (a, b), 1)),
            RowKind::OnlyB => (b..b + rows).for_each(|b| add(&mut split, in_b(b), (a, b), 1)),
            RowKind::Changed => {
                for (a, b) in (a..a + rows).zip(b..) {
                    match (in_a(a), in_b(b)) {
                        (RowKind::OnlyA, RowKind::OnlyB) => add(&mut split, kind, (a, b), 1),
                        (of_a, of_b) => {
                            add(&mut split, of_a, (a, b), 1);
                            add(&mut split, of_b, (a + 1, b), 1);
                        }
                    }
                }
            }
            _ => add(&mut split, kind, (a, b), rows),
        }
    }
    split
}
