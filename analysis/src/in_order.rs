//! All calls of a trace, one after the other. The blocks of a sealed file are decoded ahead, on other processors.

use std::ops::ControlFlow;
use std::sync::mpsc;

use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::{Call, FunctionId};
use cutape_trace_format::ordered_blocks::OrderedCalls;
use cutape_trace_format::trace::Trace;

use crate::parallel::workers;

/// Threads that decode ahead at most: whoever takes in what they decode is one thread, and slower than these.
const MAX_AHEAD: usize = 4;

/// What comes next.
pub(crate) enum Next<'c> {
    /// A call.
    Call(&'c Call),
    /// Calls that can't be read, behind the call that came last.
    Damage(Damage),
}

/// A block, or why it can't be read.
type Block<'t> = Result<OrderedCalls<'t>, Damage>;

/// Shows all calls to `visit` until it breaks. Calls of functions whose arguments nobody needs come without arguments and without what was behind
/// them, which costs a fraction; in a recording folder they may come with them.
pub(crate) fn for_each_call(
    trace: &Trace,
    needs_arguments: impl Fn(FunctionId) -> bool,
    mut visit: impl FnMut(Next<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some(blocks) = trace.ordered_blocks() else {
        return one_by_one(trace, &mut visit);
    };
    std::thread::scope(|scope| {
        let workers = workers(blocks).min(MAX_AHEAD);
        let receivers: Vec<mpsc::Receiver<Block<'_>>> = (0..workers)
            .map(|first| {
                // One block waits while the next one is decoded: memory holds two for each worker.
                let (sender, receiver) = mpsc::sync_channel(1);
                scope.spawn(move || {
                    let own = (first..blocks).step_by(workers);
                    for block in own.filter_map(|block| trace.ordered_calls(block)) {
                        // Nobody receives any more: the work was broken off.
                        if sender.send(block).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        let mut call = Call::default();
        for block in 0..blocks {
            match receivers[block % workers].recv() {
                Ok(Ok(calls)) => visit_block(&calls, &needs_arguments, (&mut call, &mut visit))?,
                Ok(Err(damage)) => visit(Next::Damage(damage))?,
                Err(_) => break,
            }
        }
        ControlFlow::Continue(())
    })
}

fn visit_block(
    calls: &OrderedCalls<'_>,
    needs_arguments: &impl Fn(FunctionId) -> bool,
    (call, visit): (&mut Call, &mut impl FnMut(Next<'_>) -> ControlFlow<()>),
) -> ControlFlow<()> {
    for row in 0..calls.len() {
        calls.read_head(row, call);
        if needs_arguments(call.function) {
            calls.read(row, call);
        }
        visit(Next::Call(call))?;
    }
    ControlFlow::Continue(())
}

fn one_by_one(
    trace: &Trace,
    visit: &mut impl FnMut(Next<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (mut calls, mut call) = (trace.calls(), Call::default());
    loop {
        match calls.read_next(&mut call) {
            Ok(true) => visit(Next::Call(&call))?,
            Ok(false) => return ControlFlow::Continue(()),
            Err(damage) => visit(Next::Damage(damage))?,
        }
    }
}
