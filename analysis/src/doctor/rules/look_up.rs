//! What `cuGetProcAddress` answers.

use cutape_cuda_api::{Api, DefaultStream, Function, Library};

use crate::doctor::client::ClientKind::{PyTorch, Runtime};
use crate::doctor::moment::Moment;
use crate::doctor::rule::{CallCheck, Check, Rule, Severity, Stage, silently};
use crate::printable::push_printable;

const FUNCTIONS: &[&str] = &["cuGetProcAddress"];
/// CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM.
const PER_THREAD: u64 = 2;

/// Whether a look-up by `cuGetProcAddress` found no function: the first version of it fails, the second succeeds without a pointer.
pub fn found_nothing(moment: &Moment<'_>) -> bool {
    moment.failure().is_some() || (moment.succeeded() && moment.out("pfn") == Some(0))
}

/// A look-up that gave another function than the one that was meant.
struct WrongAnswer {
    symbol: String,
    version: u32,
    per_thread: bool,
    expected: &'static Function,
    found: Vec<&'static Function>,
}

impl WrongAnswer {
    /// Only what the driver exports counts: a look-up by a newer version than the driver's rightly finds the driver's newest. All names
    /// that the function found goes by must be wrong, as several may stand for one.
    fn of(moment: &Moment<'_>) -> Option<Self> {
        let address = moment.out("pfn").filter(|&address| address != 0)?;
        let call = moment.call;
        let names = moment
            .exports
            .at(moment.trace, call.process, address, call.begin_ns);
        if !moment.succeeded() || names.is_empty() {
            return None;
        }
        let symbol = moment.in_text("symbol")?;
        let version = moment.word("cudaVersion")? as u32;
        let per_thread = moment.word("flags")? & PER_THREAD != 0;
        let api = Api::get();
        let found: Vec<_> = names
            .iter()
            .filter_map(|name| Some(api.at(api.function(name)?)))
            .filter(|function| function.library == Library::Cuda && function.base == symbol)
            .collect();
        let expected = expected(moment, &symbol, (version, per_thread))?;
        let wrong =
            !found.is_empty() && found.iter().all(|function| function.name != expected.name);
        wrong.then_some(Self {
            symbol,
            version,
            per_thread,
            expected,
            found,
        })
    }

    /// The function found has the right binary interface and takes the wrong stream for its default.
    fn is_only_the_stream(&self) -> bool {
        self.per_thread
            && self.expected.default_stream == DefaultStream::PerThread
            && self
                .found
                .iter()
                .all(|function| function.default_stream == DefaultStream::Legacy)
    }

    fn in_words(&self) -> String {
        let mut text = String::from("cuGetProcAddress was asked for ");
        push_printable(&mut text, &self.symbol);
        let version =
            crate::quantity::text(crate::quantity::push_cuda_version, self.version.into());
        text.push_str(&format!(
            " of CUDA {version}{} and gave {}, not {}, which the driver exports as well.",
            if self.per_thread {
                " for the thread's own default stream"
            } else {
                ""
            },
            self.found[0].name,
            self.expected.name
        ));
        text
    }
}

/// The exported function that name, version and flags mean.
fn expected(
    moment: &Moment<'_>,
    symbol: &str,
    (version, per_thread): (u32, bool),
) -> Option<&'static Function> {
    // cuda.h means the second version by this name until CUDA 13, whatever newer ones there are (HAMi-core#57).
    let version = match symbol {
        "cuCtxCreate" if version < 13_000 => version.min(3_020),
        _ => version,
    };
    let api = Api::get();
    let exported = |stream: DefaultStream| {
        api.variants(symbol)
            .map(|id| api.at(id))
            .filter(|function| {
                function.default_stream == stream
                    && function.since <= version
                    && moment.exports.have(&function.name)
            })
            .last()
    };
    let own = per_thread
        .then(|| exported(DefaultStream::PerThread))
        .flatten();
    own.or_else(|| exported(DefaultStream::Legacy))
}

/// `wrong-abi`.
pub static WRONG_ABI: Rule = Rule {
    id: "wrong-abi",
    title: "A look-up gives a function with another binary interface than the one asked for",
    when: "cuGetProcAddress returns the address of another version of a function than the newest one that the driver exports and that is no newer than the version asked for. Known only where the trace has the driver's exports, which `cutape record` notes.",
    severity: Severity::Fatal,
    stage: Stage::Loading,
    checks: &[Check::Call(CallCheck {
        functions: FUNCTIONS,
        fires: |moment| {
            WrongAnswer::of(moment)
                .filter(|wrong| !wrong.is_only_the_stream())
                .map(|_| 0)
        },
        what: |moment| {
            WrongAnswer::of(moment).map_or_else(String::new, |wrong| {
                wrong.in_words()
                    + " Their parameters differ: the caller passes what the one takes to the other."
            })
        },
    })],
    reactions: &[
        silently(
            Runtime,
            "calls the function with the arguments of the version it asked for: a crash, an error that makes no sense, or garbage",
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
    checks: &[Check::Call(CallCheck {
        functions: FUNCTIONS,
        fires: |moment| {
            WrongAnswer::of(moment)
                .filter(WrongAnswer::is_only_the_stream)
                .map(|_| 0)
        },
        what: |moment| WrongAnswer::of(moment).map_or_else(String::new, |wrong| wrong.in_words()),
    })],
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
