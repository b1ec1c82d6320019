//! What `cuGetProcAddress` answers.

use cutape_cuda_api::{Api, DefaultStream, Function, Library};

use crate::doctor::client::ClientKind::{PyTorch, Runtime};
use crate::doctor::closing::Closing;
use crate::doctor::driver_exports::DriverExports;
use crate::doctor::moment::Moment;
use crate::doctor::rule::{Check, Found, Rule, Severity, Stage, silently};
use crate::printable::push_printable;
use crate::quantity;

/// Look-ups named in a finding.
const LISTED: usize = 3;
/// CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM.
const PER_THREAD: u64 = 2;

/// Whether a look-up by `cuGetProcAddress` found no function: the first version of it fails, the second succeeds without a pointer.
pub fn found_nothing(moment: &Moment<'_>) -> bool {
    moment.failure().is_some() || (moment.succeeded() && moment.out("pfn") == Some(0))
}

/// The function that a look-up gave, if the trace knows it and it may not be the one that was meant.
pub fn suspicious(moment: &Moment<'_>) -> Option<LookUp> {
    let address = moment.out("pfn").filter(|&address| address != 0)?;
    let call = moment.call;
    let names = moment
        .exports
        .at(moment.trace, call.process, address, call.begin_ns);
    if !moment.succeeded() || names.is_empty() {
        return None;
    }
    let symbol = moment.in_text("symbol")?;
    let api = Api::get();
    let found: Vec<_> = names
        .iter()
        .filter_map(|name| Some(api.at(api.function(name)?)))
        .filter(|function| function.library == Library::Cuda && function.base == symbol)
        .collect();
    let look_up = LookUp {
        seq: call.seq,
        version: moment.word("cudaVersion")? as u32,
        per_thread: moment.word("flags")? & PER_THREAD != 0,
        symbol,
        found,
    };
    look_up.expected(moment.exports, u32::MAX)?;
    look_up
        .is_wrong(moment.exports, u32::MAX)
        .then_some(look_up)
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

    fn is_wrong(&self, exports: &DriverExports, driver: u32) -> bool {
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
    fn is_only_the_stream(&self, exports: &DriverExports, driver: u32) -> bool {
        let expected = self.expected(exports, driver);
        expected.is_some_and(|expected| {
            expected.default_stream == DefaultStream::PerThread
                && self
                    .found
                    .iter()
                    .all(|function| function.default_stream == DefaultStream::Legacy)
        })
    }

    fn in_words(&self, exports: &DriverExports, driver: u32) -> String {
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

/// Look-ups of a process that were answered wrongly, as far as the driver's version allows to say so: a runtime may ask for the version
/// after its look-ups.
fn wrong(closing: &Closing<'_>, only_the_stream: bool) -> Vec<Found> {
    let exports = closing.story.exports;
    let version = closing.facts.version.value().copied().unwrap_or(0);
    let driver = u32::try_from(version)
        .ok()
        .filter(|&version| version > 0)
        .unwrap_or(u32::MAX);
    let wrong: Vec<&LookUp> = closing
        .facts
        .suspicious_look_ups
        .iter()
        .filter(|look_up| {
            look_up.is_wrong(exports, driver)
                && look_up.is_only_the_stream(exports, driver) == only_the_stream
        })
        .collect();
    let Some(first) = wrong.first() else {
        return Vec::new();
    };
    let calls = wrong.iter().take(LISTED).map(|look_up| look_up.seq);
    let mut found = Found::new(first.in_words(exports, driver), calls);
    found.count = wrong.len() as u64;
    vec![found]
}

/// `wrong-abi`.
pub static WRONG_ABI: Rule = Rule {
    id: "wrong-abi",
    title: "A look-up gives a function with another binary interface than the one asked for",
    when: "cuGetProcAddress returns the address of another version of a function than the newest one that the driver exports and that is newer neither than the version asked for nor than the driver. Known only where the trace has the driver's exports, which `cutape record` notes.",
    severity: Severity::Fatal,
    stage: Stage::Loading,
    checks: &[Check::Process(|closing| wrong(closing, false))],
    reactions: &[
        silently(
            Runtime,
            "calls the function with the arguments of the version it asked for: a crash, an error that makes no sense, or garbage, as the parameters differ",
        ),
        silently(PyTorch, "as the CUDA runtime, later and elsewhere"),
    ],
    advice: &[
        "choose by name, version and flags: of the variants of the name the newest that is no newer than cudaVersion",
        "CUDA 13 gives cuCtxCreate, cuCtxGetDevice and cuCtxSynchronize new parameters under the old names; HAMi-core#57 and #320 have tables",
    ],
    sources: &["HAMi-core#57", "HAMi-core#320", "cuda.h 12.9 and 13.5"],
    follows: &[],
};

/// `ptsz-ignored`.
pub static PTSZ_IGNORED: Rule = Rule {
    id: "ptsz-ignored",
    title: "A look-up for the per-thread default stream gives the function of the shared one",
    when: "cuGetProcAddress with flag 2 returns a function without _ptsz or _ptds although the driver exports one with it. Known where the trace has the driver's exports, which `cutape record` notes.",
    severity: Severity::Harmful,
    stage: Stage::Loading,
    checks: &[Check::Process(|closing| wrong(closing, true))],
    reactions: &[
        silently(
            Runtime,
            "programs built for per-thread streams work on the shared default stream: their threads wait for each other, or read what is not there yet",
        ),
        silently(
            PyTorch,
            "is not built for per-thread streams and does not mind",
        ),
    ],
    advice: &[
        "honour CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM (2): answer with the _ptsz or _ptds variant where there is one",
    ],
    sources: &[
        "cuda.h, CUdriverProcAddress_flags",
        "measured: NVIDIA's driver 535",
    ],
    follows: &[],
};
