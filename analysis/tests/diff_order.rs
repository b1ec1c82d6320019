//! Comparing two runs: which calls may come in another order, or in another thread.

#[allow(dead_code)]
mod runs;

use cutape_analysis::diff::Verdict;
use cutape_trace_format::sample::Chance;

use runs::{EVENT, FREE, Pair, RECORD, Run, SET_ASYNC, STREAM, SYNC, WAIT};

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

const STREAMS: u64 = 3;
const EVENTS: u64 = 2;

/// A call of a program that feeds several streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Sets memory: that which was allocated at the start, or by an earlier step.
    Set {
        stream: u64,
        value: u64,
        target: Option<u64>,
    },
    /// Allocates memory with that number.
    Alloc { stream: u64, number: u64 },
    /// Records an event.
    Record { event: u64, stream: u64 },
    /// Makes a stream wait for an event.
    Wait { event: u64, stream: u64 },
    /// Sets memory on the default stream.
    SetOnDefault { value: u64 },
    /// Waits for all.
    Sync,
}

impl Step {
    fn random(chance: &mut Chance, allocated: &mut u64) -> Self {
        let stream = chance.below(STREAMS);
        match chance.below(12) {
            0 => Self::Sync,
            1 => Self::SetOnDefault {
                value: chance.below(3),
            },
            2 => Self::Record {
                event: chance.below(EVENTS),
                stream,
            },
            3 => Self::Wait {
                event: chance.below(EVENTS),
                stream,
            },
            4 => {
                *allocated += 1;
                let number = *allocated;
                Self::Alloc { stream, number }
            }
            _ => Self::Set {
                stream,
                value: chance.below(3),
                target: Some(1 + chance.below(8)).filter(|target| target <= allocated),
            },
        }
    }

    fn stream(self) -> Option<u64> {
        match self {
            Self::Set { stream, .. }
            | Self::Alloc { stream, .. }
            | Self::Record { stream, .. }
            | Self::Wait { stream, .. } => Some(stream),
            Self::SetOnDefault { .. } | Self::Sync => None,
        }
    }

    fn event(self) -> Option<u64> {
        match self {
            Self::Record { event, .. } | Self::Wait { event, .. } => Some(event),
            _ => None,
        }
    }

    /// Whether their order matters.
    fn are_in_order(self, later: Self) -> bool {
        let uses_new = matches!((self, later), (Self::Alloc { number, .. }, Self::Set { target: Some(target), .. }) if number == target);
        match (self.stream(), later.stream()) {
            (Some(one), Some(other)) => {
                one == other || self.event().is_some() && self.event() == later.event() || uses_new
            }
            _ => true,
        }
    }
}

/// The steps in another order that means the same.
fn shuffled(steps: &[Step], chance: &mut Chance) -> Vec<Step> {
    let mut left = steps.to_vec();
    let mut order = Vec::new();
    while !left.is_empty() {
        let is_free = |&place: &usize| {
            let before = left[..place].iter();
            !before
                .clone()
                .any(|before| before.are_in_order(left[place]))
        };
        let free: Vec<usize> = (0..left.len()).filter(is_free).collect();
        order.push(left.remove(free[chance.below(free.len() as u64) as usize]));
    }
    order
}

fn streams_run(steps: Vec<Step>) -> impl FnOnce(&mut Run) {
    move |run: &mut Run| {
        let main = run.thread(1, "main");
        let streams: Vec<u64> = (0..STREAMS)
            .map(|number| run.create(main, STREAM, number))
            .collect();
        let events: Vec<u64> = (0..EVENTS)
            .map(|number| run.create(main, EVENT, 100 + number))
            .collect();
        let memory = run.alloc(main, 1, 4096);
        let mut allocated = std::collections::HashMap::new();
        for step in steps {
            match step {
                Step::Set {
                    stream,
                    value,
                    target,
                } => {
                    let target = target.map_or(memory, |target| allocated[&target]);
                    let words = [target, value, 16, streams[stream as usize]];
                    run.call(main, SET_ASYNC, &words, 0, &[]);
                }
                Step::Alloc { stream, number } => {
                    let stream = streams[stream as usize];
                    let address = run.alloc_async(main, 1 + number, (4096, stream));
                    allocated.insert(number, address);
                }
                Step::Record { event, stream } => {
                    let words = [events[event as usize], streams[stream as usize]];
                    run.call(main, RECORD, &words, 0, &[]);
                }
                Step::Wait { event, stream } => {
                    let words = [streams[stream as usize], events[event as usize], 0];
                    run.call(main, WAIT, &words, 0, &[]);
                }
                Step::SetOnDefault { value } => {
                    run.call(main, SET_ASYNC, &[memory, value, 16, 0], 0, &[]);
                }
                Step::Sync => run.call(main, SYNC, &[], 0, &[]),
            }
        }
    }
}

fn random_steps(chance: &mut Chance) -> Vec<Step> {
    let mut allocated = 0;
    let count = 4 + chance.below(40);
    (0..count)
        .map(|_| Step::random(chance, &mut allocated))
        .collect()
}

#[test]
fn which_stream_a_thread_feeds_first_is_no_difference() {
    let mut chance = Chance::new(21);
    let mut moved = 0;
    for round in 0..60 {
        let steps = random_steps(&mut chance);
        let other = shuffled(&steps, &mut chance);
        let compared = Pair::new(streams_run(steps.clone()), streams_run(other.clone())).compare();
        assert_eq!(
            compared.comparison.verdict(),
            Verdict::Same,
            "{round}: {steps:?}\n{other:?}\n{}",
            compared.text()
        );
        let counts = &compared.sequence().counts;
        assert_eq!(counts.same * 2 + counts.moved, 2 * (6 + steps.len() as u64));
        moved += counts.moved;
    }
    assert!(moved > 100, "{moved} calls moved in all");
}

#[test]
fn another_order_on_a_stream_is_a_difference() {
    let mut chance = Chance::new(22);
    let mut swapped = 0;
    while swapped < 60 {
        let steps = random_steps(&mut chance);
        let matters = |&place: &usize| {
            let (one, next) = (steps[place], steps[place + 1]);
            let is_alloc = |step| matches!(step, Step::Alloc { .. });
            one != next && one.are_in_order(next) && !is_alloc(one) && !is_alloc(next)
        };
        let places: Vec<usize> = (0..steps.len() - 1).filter(matters).collect();
        if places.is_empty() {
            continue;
        }
        let place = places[chance.below(places.len() as u64) as usize];
        let mut other = steps.clone();
        other.swap(place, place + 1);
        let other = shuffled(&other, &mut chance);
        let compared = Pair::new(streams_run(steps.clone()), streams_run(other)).compare();
        assert_eq!(
            compared.comparison.verdict(),
            Verdict::Differ,
            "{place}: {steps:?}"
        );
        swapped += 1;
    }
}

#[test]
fn a_stream_that_is_fed_earlier_is_marked_and_what_it_waits_for_is_not_passed() {
    let set = |stream, value| Step::Set {
        stream,
        value,
        target: None,
    };
    let steps = vec![set(0, 1), set(1, 2), Step::Sync, set(0, 3)];
    let mut other = steps.clone();
    other.swap(0, 1);
    let compared = Pair::new(streams_run(steps.clone()), streams_run(other)).compare();
    assert_eq!(compared.comparison.verdict(), Verdict::Same);
    assert_eq!(compared.sequence().counts.moved, 2);
    let mut other = steps.clone();
    other.swap(1, 2);
    let compared = Pair::new(streams_run(steps), streams_run(other)).compare();
    assert_eq!(
        compared.comparison.verdict(),
        Verdict::Differ,
        "passes a wait"
    );
}

#[test]
fn of_two_calls_that_changed_places_on_a_stream_one_is_a_difference_wherever_other_streams_come() {
    let set = |stream, value| Step::Set {
        stream,
        value,
        target: None,
    };
    let (event, stream) = (0, 2);
    let record = Step::Record { event, stream };
    let steps = vec![record, set(2, 0), set(0, 0), Step::Sync];
    let other = vec![set(2, 0), set(0, 0), record, Step::Sync];
    let compared = Pair::new(streams_run(steps), streams_run(other)).compare();
    assert_eq!(compared.comparison.verdict(), Verdict::Differ);
}
