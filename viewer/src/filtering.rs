//! Choosing the calls that match a filter.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use cutape_analysis::filter::{Filter, Matcher, Seen, Selection};

use crate::msg::Msg;
use crate::workers::{Job, Slot, Worker};

/// Calls between looking whether to stop.
const LOOK: u64 = 1 << 14;

/// What a filter chose.
#[derive(Debug)]
pub struct Chosen {
    /// The filter.
    pub text: String,
    /// The calls.
    pub selection: Arc<Selection>,
    /// How long that took, milliseconds.
    pub took_ms: u64,
}

/// The job that chooses the indexed calls that a filter means.
pub fn filter_job(filter: Filter) -> Job {
    Job::new(Slot::Filter, move |worker: &Worker<'_>| {
        let started = Instant::now();
        let reading = worker.opened.reading();
        let index = worker.opened.index();
        let all = index.len();
        let mut watch = |done: u64| {
            worker.send(Msg::Progress {
                slot: Slot::Filter,
                what: "filtering",
                done,
                all,
            });
            match worker.is_stopped() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let selection = match reading.trace().is_sealed() {
            true => filter.select(reading.trace(), &index, &mut watch),
            false => select_kept(worker, &filter, all, &mut watch),
        };
        if let Some(selection) = selection {
            worker.send(Msg::Filtered(Chosen {
                text: filter.text().to_owned(),
                selection: Arc::new(selection),
                took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            }));
        }
    })
}

/// What a filter chose of the calls so far, and what it remembers of them.
#[derive(Debug)]
pub struct LiveChoice {
    /// The filter.
    text: String,
    seen: Seen,
    selection: Selection,
}

/// The calls of a folder are looked at one after the other, as they were kept: those that this filter has seen are not looked at again.
fn select_kept(
    worker: &Worker<'_>,
    filter: &Filter,
    all: u64,
    watch: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Option<Selection> {
    let reading = worker.opened.reading();
    let before = worker.opened.take_choice();
    let before = before.filter(|choice| choice.text == filter.text());
    let (mut matcher, selection) = match before {
        Some(choice) => (Matcher::go_on(filter, choice.seen), choice.selection),
        None => (Matcher::new(filter), Selection::default()),
    };
    let mut numbers = Vec::new();
    let mut flow = ControlFlow::Continue(());
    reading.calls(selection.calls() + 1..=all, |call| {
        if matcher.matches(reading.trace(), call) {
            numbers.push(call.seq);
        }
        if call.seq.is_multiple_of(LOOK) {
            flow = watch(call.seq);
        }
        flow
    });
    if flow.is_break() {
        return None;
    }
    let selection = selection.extended(all, &numbers);
    worker.opened.set_choice(Some(LiveChoice {
        text: filter.text().to_owned(),
        seen: matcher.into_seen(),
        selection: selection.clone(),
    }));
    Some(selection)
}
