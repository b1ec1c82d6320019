//! Which context is current: a stack per thread, reached without a lock.
//!
//! The main thread's stack lasts to the very end of the process: destructors of C++ statics run after those of thread-locals, and libraries
//! (cuBLAS, cuFFT) still work in their contexts there.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use super::Context;
use crate::abi::CUcontext;
use crate::driver;
use crate::status::CuError;
use crate::stream::{Stream, StreamKind};

/// Something of each thread's that is there whenever it is asked for. It is emptied by [`EndOfThread`].
type Lasting<T> = ManuallyDrop<RefCell<Vec<Arc<T>>>>;

thread_local! {
    static STACK: Lasting<Context> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };
    /// The thread's own default streams, by context.
    static OWN_STREAMS: Lasting<Stream> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };
    static END: EndOfThread = const { EndOfThread };
}

/// Lets go of contexts and streams when a thread ends, but for the main thread, which ends with the process.
struct EndOfThread;

impl EndOfThread {
    /// From now on the thread's end is noticed; a thread that is ending already keeps what it gets.
    fn notice() {
        let _ = END.try_with(|_| ());
    }
}

impl Drop for EndOfThread {
    fn drop(&mut self) {
        // SAFETY: both ask for a number.
        let is_main = unsafe { libc::gettid() == libc::getpid() };
        if !is_main {
            drop(STACK.with(|stack| stack.take()));
            drop(OWN_STREAMS.with(|streams| streams.take()));
        }
    }
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
    STACK.with(|stack| match stack.borrow().last() {
        Some(context) if context.is_alive() => Ok(see(context)),
        Some(_) => Err(CuError::CONTEXT_IS_DESTROYED),
        None => Err(CuError::INVALID_CONTEXT),
    })
}

/// The top of the stack, alive or not.
pub fn top() -> Option<Arc<Context>> {
    STACK.with(|stack| stack.borrow().last().cloned())
}

/// The handle on top, NULL where the stack is empty.
#[inline]
pub fn top_handle() -> CUcontext {
    let handle = STACK.with(|stack| stack.borrow().last().map(|context| context.handle));
    handle.unwrap_or_default()
}

/// Puts a context on top.
pub fn push(context: Arc<Context>) {
    EndOfThread::notice();
    STACK.with(|stack| stack.borrow_mut().push(context));
}

/// Takes the top away; `None` if the stack is empty.
pub fn pop() -> Option<Arc<Context>> {
    STACK.with(|stack| stack.borrow_mut().pop())
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
    EndOfThread::notice();
    OWN_STREAMS.with(|streams| {
        let mut streams = streams.borrow_mut();
        if let Some(stream) = streams
            .iter()
            .find(|stream| stream.context == context.handle)
        {
            return Arc::clone(stream);
        }
        let stream = make();
        streams.push(Arc::clone(&stream));
        stream
    })
}
