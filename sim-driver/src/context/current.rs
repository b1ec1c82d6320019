//! Which context is current: a stack per thread, reached without a lock.

use std::cell::RefCell;
use std::sync::Arc;

use super::Context;
use crate::abi::CUcontext;
use crate::driver;
use crate::status::CuError;
use crate::stream::{Stream, StreamKind};

thread_local! {
    static STACK: RefCell<Vec<Arc<Context>>> = const { RefCell::new(Vec::new()) };
    /// The thread's own default streams, by context.
    static OWN_STREAMS: RefCell<Vec<Arc<Stream>>> = const { RefCell::new(Vec::new()) };
}

/// The context that calls of this thread work in.
pub fn current() -> Result<Arc<Context>, CuError> {
    with_current(Arc::clone)
}

/// Lets a function see the current context, without counting a reference.
///
/// # Errors
/// `NOT_INITIALIZED` before `cuInit`, `INVALID_CONTEXT` if none is current, `CONTEXT_IS_DESTROYED` if it was destroyed.
#[inline]
pub fn with_current<R>(see: impl FnOnce(&Arc<Context>) -> R) -> Result<R, CuError> {
    driver::started()?;
    // A call from a thread-specific-data destructor may come when the stack is gone already: then no context is current.
    let seen = STACK.try_with(|stack| match stack.borrow().last() {
        Some(context) if context.is_alive() => Ok(see(context)),
        Some(_) => Err(CuError::CONTEXT_IS_DESTROYED),
        None => Err(CuError::INVALID_CONTEXT),
    });
    seen.unwrap_or(Err(CuError::INVALID_CONTEXT))
}

/// The top of the stack, alive or not.
pub fn top() -> Option<Arc<Context>> {
    STACK
        .try_with(|stack| stack.borrow().last().cloned())
        .ok()
        .flatten()
}

/// The handle on top, NULL where the stack is empty.
#[inline]
pub fn top_handle() -> CUcontext {
    let handle = STACK.try_with(|stack| stack.borrow().last().map(|context| context.handle));
    handle.ok().flatten().unwrap_or_default()
}

/// Puts a context on top.
pub fn push(context: Arc<Context>) {
    let _ = STACK.try_with(|stack| stack.borrow_mut().push(context));
}

/// Takes the top away; `None` if the stack is empty.
pub fn pop() -> Option<Arc<Context>> {
    STACK
        .try_with(|stack| stack.borrow_mut().pop())
        .ok()
        .flatten()
}

/// Puts a context in place of the top; NULL only takes the top away.
pub fn replace(context: Option<Arc<Context>>) {
    pop();
    if let Some(context) = context {
        push(context);
    }
}

/// The calling thread's own default stream in a context.
pub fn per_thread_stream(context: &Context) -> Arc<Stream> {
    let make = || {
        Arc::new(Stream::default_of(
            StreamKind::PerThread,
            context.handle,
            context.id,
            &context.group,
        ))
    };
    let found = OWN_STREAMS.try_with(|streams| {
        let mut streams = streams.borrow_mut();
        if let Some(stream) = streams
            .iter()
            .find(|stream| stream.context_id == context.id)
        {
            return Arc::clone(stream);
        }
        let stream = make();
        streams.push(Arc::clone(&stream));
        stream
    });
    found.unwrap_or_else(|_| make())
}
