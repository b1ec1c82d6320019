//! What a call keeps its order with. Work that a program puts on one stream happens in the order of the calls; which of two streams it feeds
//! first may be a matter of time.

use std::collections::HashSet;

use super::scan::{Lane, Scan};
use super::symbols::Counterparts;

/// Functions whose calls put work on a stream, or ask about one, and do nothing else. All others are in order with everything: they wait, make
/// and give back objects, or are about no stream.
const ON_STREAM: [&str; 59] = [
    "cuEventRecord",
    "cuEventRecordWithFlags",
    "cuGraphLaunch",
    "cuGraphUpload",
    "cuLaunchCooperativeKernel",
    "cuLaunchGridAsync",
    "cuLaunchHostFunc",
    "cuLaunchKernel",
    "cuLaunchKernelEx",
    "cuMemAllocAsync",
    "cuMemAllocFromPoolAsync",
    "cuMemBatchDecompressAsync",
    "cuMemDiscardAndPrefetchBatchAsync",
    "cuMemDiscardBatchAsync",
    "cuMemFreeAsync",
    "cuMemMapArrayAsync",
    "cuMemPrefetchAsync",
    "cuMemPrefetchBatchAsync",
    "cuMemcpy2DAsync",
    "cuMemcpy3DAsync",
    "cuMemcpy3DBatchAsync",
    "cuMemcpy3DPeerAsync",
    "cuMemcpy3DWithAttributesAsync",
    "cuMemcpyAsync",
    "cuMemcpyAtoHAsync",
    "cuMemcpyBatchAsync",
    "cuMemcpyDtoDAsync",
    "cuMemcpyDtoHAsync",
    "cuMemcpyHtoAAsync",
    "cuMemcpyHtoDAsync",
    "cuMemcpyPeerAsync",
    "cuMemcpyWithAttributesAsync",
    "cuMemsetD16Async",
    "cuMemsetD2D16Async",
    "cuMemsetD2D32Async",
    "cuMemsetD2D8Async",
    "cuMemsetD32Async",
    "cuMemsetD8Async",
    "cuSignalExternalSemaphoresAsync",
    "cuStreamAddCallback",
    "cuStreamAttachMemAsync",
    "cuStreamBatchMemOp",
    "cuStreamGetAttribute",
    "cuStreamGetCaptureInfo",
    "cuStreamGetCtx",
    "cuStreamGetDevResource",
    "cuStreamGetDevice",
    "cuStreamGetFlags",
    "cuStreamGetGreenCtx",
    "cuStreamGetId",
    "cuStreamGetPriority",
    "cuStreamIsCapturing",
    "cuStreamQuery",
    "cuStreamWaitEvent",
    "cuStreamWaitValue32",
    "cuStreamWaitValue64",
    "cuStreamWriteValue32",
    "cuStreamWriteValue64",
    "cuWaitExternalSemaphoresAsync",
];

/// Whether calls of a function, by its name for `cuGetProcAddress`, are in order with those on their stream alone.
pub(crate) fn is_on_stream(base: &str) -> bool {
    ON_STREAM.contains(&base)
}

/// The stream that each thread has as its own.
const PER_THREAD: u64 = 1;
/// Objects are known by their numbers in B behind this; objects of A without a counterpart have numbers that none of B has.
const FIRST_OBJECT: u64 = 2;

/// With which calls a call is in order: with those on the same stream, with those that record or await the same event, and with those that are
/// in order with everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderKey {
    /// The stream; `None`: in order with everything.
    pub stream: Option<u64>,
    /// The event.
    pub event: Option<u64>,
}

/// Keys by class.
#[derive(Debug)]
pub(crate) struct OrderKeys {
    /// Of A.
    pub a: Vec<OrderKey>,
    /// Of B.
    pub b: Vec<OrderKey>,
}

impl OrderKeys {
    /// Of all classes. `counterparts` says which streams and events are the same.
    pub fn of(a: &Scan, b: &Scan, counterparts: &Counterparts) -> Self {
        let keys = |scan: &Scan, name: &dyn Fn(u32) -> u64| -> Vec<OrderKey> {
            let named = |object: u32| FIRST_OBJECT + name(object);
            let key = |class: u32| {
                let class = scan.class(class);
                OrderKey {
                    stream: match class.stream() {
                        StreamOf::All => None,
                        StreamOf::PerThread => Some(PER_THREAD),
                        StreamOf::Object(object) => Some(named(object)),
                    },
                    event: class.event().map(named),
                }
            };
            (0..scan.classes.len() as u32).map(key).collect()
        };
        Self {
            a: keys(a, &|object| counterparts.name_in_a(object)),
            b: keys(b, &|object| object.into()),
        }
    }

    /// Whether the calls of a pair of threads are on several streams.
    pub fn has_several_streams(&self, lanes: (&Lane, &Lane)) -> bool {
        let streams = |keys: &[OrderKey], lane: &Lane, seen: &mut HashSet<u64>| {
            let mut last = None;
            for &class in &lane.classes {
                let stream = keys[class as usize].stream;
                if stream != last {
                    last = stream;
                    seen.extend(stream);
                    if seen.len() > 1 {
                        return;
                    }
                }
            }
        };
        let mut seen = HashSet::new();
        streams(&self.a, lanes.0, &mut seen);
        streams(&self.b, lanes.1, &mut seen);
        seen.len() > 1
    }
}

/// On which stream the calls of a class are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamOf {
    /// On none, or on the default stream that all others wait for.
    All,
    /// On the default stream of their thread.
    PerThread,
    /// On a stream that a program made.
    Object(u32),
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_cuda_api::Api;

    #[test]
    fn the_table_names_functions_that_there_are() {
        let api = Api::get();
        for base in ON_STREAM {
            let known = api.functions().iter().any(|function| function.base == base);
            assert!(known, "{base}");
        }
    }
}
