//! What `cuGetProcAddress` answers.

use cutape_cuda_api::{Api, DefaultStream, Function, Library};

use super::driver_exports::DriverExports;
use super::seen_call::SeenCall;
use crate::printable::push_printable;
use crate::quantity;

/// CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM.
const PER_THREAD: u64 = 2;

/// Whether a look-up by `cuGetProcAddress` found no function: the first version of it fails, the second succeeds without a pointer.
pub fn found_nothing(call: &SeenCall<'_>) -> bool {
    call.failure().is_some() || (call.succeeded() && call.out("pfn") == Some(0))
}

/// The function that a look-up gave, if the trace knows it and it may not be the one that was meant.
pub fn suspicious(seen: &SeenCall<'_>, exports: &DriverExports) -> Option<LookUp> {
    let address = seen.out("pfn").filter(|&address| address != 0)?;
    let call = seen.call;
    let names = exports.at(seen.trace, call.process, address, call.begin_ns);
    if !seen.succeeded() || names.is_empty() {
        return None;
    }
    let symbol = seen.in_text("symbol")?;
    let api = Api::get();
    let found: Vec<_> = names
        .iter()
        .filter_map(|name| Some(api.at(api.function(name)?)))
        .filter(|function| function.library == Library::Cuda && function.base == symbol)
        .collect();
    let look_up = LookUp {
        seq: call.seq,
        version: seen.word("cudaVersion")? as u32,
        per_thread: seen.word("flags")? & PER_THREAD != 0,
        symbol,
        found,
    };
    look_up.expected(exports, u32::MAX)?;
    look_up.is_wrong(exports, u32::MAX).then_some(look_up)
}

/// A look-up and what it gave.
#[derive(Clone, Debug)]
pub struct LookUp {
    /// The call.
    pub seq: u64,
    symbol: String,
    version: u32,
    per_thread: bool,
    /// All names of the function, as several may stand for one.
    found: Vec<&'static Function>,
}

impl LookUp {
    /// The exported function that name, version and flags mean to a driver of some version: of the variants the newest that is newer than
    /// neither.
    fn expected(&self, exports: &DriverExports, driver: u32) -> Option<&'static Function> {
        let version = self.version.min(driver);
        let api = Api::get();
        let exported = |stream: DefaultStream| {
            api.variants(&self.symbol)
                .map(|id| api.at(id))
                .filter(|function| {
                    function.default_stream == stream
                        && function.since <= version
                        && exports.have(&function.name)
                })
                .last()
        };
        let own = self
            .per_thread
            .then(|| exported(DefaultStream::PerThread))
            .flatten();
        own.or_else(|| exported(DefaultStream::Legacy))
    }

    /// cuda.h means the second version by cuCtxCreate until CUDA 13, whatever newer ones there are, and HAMi-core#57 tells of drivers that
    /// answer so for a toolkit's version (12090). NVIDIA's 535 gives the newest (measured with cuda-bindings, which ask for the very versions
    /// that brought a change, and call what they asked for). So the second version will do, but not for such a version.
    fn may_be_second(&self, expected: &Function) -> bool {
        let asked = self.version;
        self.symbol == "cuCtxCreate"
            && asked < 13_000
            && asked != expected.since
            && self.found.iter().any(|function| function.since == 3_020)
    }

    /// Whether another function was found than the one meant to a driver of that version.
    pub fn is_wrong(&self, exports: &DriverExports, driver: u32) -> bool {
        let expected = self.expected(exports, driver);
        expected.is_some_and(|expected| {
            !self.found.is_empty()
                && !self.may_be_second(expected)
                && self
                    .found
                    .iter()
                    .all(|function| function.name != expected.name)
        })
    }

    /// The function found has the right binary interface and takes the wrong stream for its default.
    pub fn is_only_the_stream(&self, exports: &DriverExports, driver: u32) -> bool {
        let expected = self.expected(exports, driver);
        expected.is_some_and(|expected| {
            expected.default_stream == DefaultStream::PerThread
                && self
                    .found
                    .iter()
                    .all(|function| function.default_stream == DefaultStream::Legacy)
        })
    }

    /// What was asked for, what was found and what was meant.
    pub fn in_words(&self, exports: &DriverExports, driver: u32) -> String {
        let mut text = String::from("cuGetProcAddress was asked for ");
        push_printable(&mut text, &self.symbol);
        let version = quantity::text(quantity::push_cuda_version, self.version.into());
        let stream = if self.per_thread {
            " for the thread's own default stream"
        } else {
            ""
        };
        let expected = self.expected(exports, driver);
        text.push_str(&format!(
            " of CUDA {version}{stream} and gave {}, not {}, which the driver exports as well.",
            self.found.first().map_or("?", |found| &found.name),
            expected.map_or("?", |expected| &expected.name)
        ));
        text
    }
}
