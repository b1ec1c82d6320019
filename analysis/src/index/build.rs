//! Building an index: the blocks of a sealed file on all processors, the calls of a folder one after the other.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use super::{Chunk, Index, Part, TAIL_ROWS};
use crate::parallel::workers;

impl Index {
    /// The index of all calls of a trace.
    pub fn of(trace: &Trace) -> Self {
        Self::build(trace, &mut |_| ControlFlow::Continue(()))
    }

    /// The index of a trace. `watch` is shown what there is so far each time that the beginning has grown, and ends the work with
    /// [`ControlFlow::Break`]; the index then has the beginning only. [`Trace::call_count`] says how many calls there will be.
    pub fn build(trace: &Trace, watch: &mut dyn FnMut(&Self) -> ControlFlow<()>) -> Self {
        match trace.ordered_blocks() {
            Some(blocks) => of_blocks(trace, blocks, watch),
            None => of_calls(trace, watch),
        }
    }
}

fn of_calls(trace: &Trace, watch: &mut dyn FnMut(&Index) -> ControlFlow<()>) -> Index {
    let mut index = Index::default();
    let (mut calls, mut call) = (trace.calls(), Call::default());
    loop {
        match calls.read_next(&mut call) {
            Ok(true) => index.push(&call),
            Ok(false) => return index,
            Err(damage) => index.push_damage(damage),
        }
        if index.len().is_multiple_of(TAIL_ROWS as u64) && watch(&index).is_break() {
            return index;
        }
    }
}

fn of_blocks(
    trace: &Trace,
    blocks: usize,
    watch: &mut dyn FnMut(&Index) -> ControlFlow<()>,
) -> Index {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers(blocks) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody receives any more: the work was broken off.
                    if block >= blocks || sender.send((block, part_of(trace, block))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut index = Index::default();
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (block, part) in receiver {
            early.insert(block, part);
            while let Some((part, damage)) = early.remove(&due) {
                due += 1;
                damage
                    .into_iter()
                    .for_each(|damage| index.push_damage(damage));
                index.push_part(part);
                if watch(&index).is_break() {
                    return index;
                }
            }
        }
        index
    })
}

fn part_of(trace: &Trace, block: usize) -> (Part, Option<Damage>) {
    match trace.ordered_rows(block) {
        Some(Ok(rows)) => (Part::Calls(Arc::new(Chunk::of_block(trace, &rows))), None),
        Some(Err(damage)) => {
            let calls = trace.ordered_block(block).map_or(0, |block| block.rows);
            (Part::Hole(calls.into()), Some(damage))
        }
        None => (Part::Hole(0), None),
    }
}
