//! What a rule is: what people read, as data, and the check that says when it fires. Each file of [`super::rules`] holds one or a table of
//! them; docs/doctor.md says how to add one.

use super::client::ClientKind;
use super::closing::Closing;
use super::moment::Moment;
use super::story::Story;

/// How much a problem costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A client that meets this does without the GPU, or ends.
    Fatal,
    /// The GPU is used, and something is slower or wrong.
    Harmful,
    /// Only some clients mind, or the trace alone can't prove it.
    Doubtful,
}

impl Severity {
    /// The word for it, in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Harmful => "harmful",
            Self::Doubtful => "doubtful",
        }
    }
}

/// Where in a program's life the problem lies. An earlier one is more likely to be the cause of a later one than the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The library is found and its functions are there.
    Loading,
    /// The driver's version.
    Version,
    /// `cuInit`.
    Init,
    /// What the CUDA runtime wants beyond the API.
    Runtime,
    /// How many devices there are.
    Devices,
    /// What a device is.
    Properties,
    /// Contexts.
    Context,
    /// Virtual memory management.
    VirtualMemory,
    /// How much memory there is.
    MemoryInfo,
    /// Modules and kernels.
    Code,
    /// What a running program does.
    Work,
    /// NVML beside the driver.
    Management,
    /// How long calls take.
    Pace,
    /// How the process ended.
    End,
}

impl Stage {
    /// The word for it, in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Version => "version",
            Self::Init => "initialisation",
            Self::Runtime => "runtime",
            Self::Devices => "devices",
            Self::Properties => "properties",
            Self::Context => "context",
            Self::VirtualMemory => "virtual memory",
            Self::MemoryInfo => "memory info",
            Self::Code => "code",
            Self::Work => "work",
            Self::Management => "management",
            Self::Pace => "pace",
            Self::End => "end",
        }
    }
}

/// What a client does about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// The client.
    pub client: ClientKind,
    /// What it does.
    pub does: &'static str,
    /// It prints nothing about it at its default log level.
    pub silent: bool,
}

/// A reaction that leaves a message.
pub const fn says(client: ClientKind, does: &'static str) -> Reaction {
    Reaction {
        client,
        does,
        silent: false,
    }
}

/// A reaction without a word.
pub const fn silently(client: ClientKind, does: &'static str) -> Reaction {
    Reaction {
        client,
        does,
        silent: true,
    }
}

/// A thing known to go wrong.
#[derive(Debug)]
pub struct Rule {
    /// Stable name.
    pub id: &'static str,
    /// The problem in one line.
    pub title: &'static str,
    /// When the rule fires, for `--explain`, with what it can't tell.
    pub when: &'static str,
    /// How much it costs.
    pub severity: Severity,
    /// Where it lies.
    pub stage: Stage,
    /// What decides whether it fires: it does if one of them finds something.
    pub checks: &'static [Check],
    /// What clients do about it.
    pub reactions: &'static [Reaction],
    /// What to try, most promising first.
    pub advice: &'static [&'static str],
    /// Where this is known from: documents, issues, measurements of ours.
    pub sources: &'static [&'static str],
    /// Ids of rules that explain this one when they fire in the same process: it is then their consequence, not a problem of its own.
    pub follows: &'static [&'static [&'static str]],
}

impl Rule {
    /// Whether the rule of that id, if it fires, explains this one.
    pub fn is_explained_by(&self, id: &str) -> bool {
        self.follows.iter().any(|ids| ids.contains(&id))
    }
}

/// Decides whether a rule fires.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// Looks at each call of some functions.
    Call(CallCheck),
    /// Looks at what a process did, when all calls are read.
    Process(fn(&Closing<'_>) -> Vec<Found>),
    /// Looks at the trace as a whole, when all calls are read.
    Trace(fn(&Story<'_>) -> Vec<Found>),
}

/// A check of single calls.
#[derive(Clone, Copy, Debug)]
pub struct CallCheck {
    /// Names as `cuGetProcAddress` takes them: all versions and variants of a function are meant.
    pub functions: &'static [&'static str],
    /// Says whether the call is one of the problem, and which variant of it, most often the code. Called for each call.
    pub fires: fn(&Moment<'_>) -> Option<u64>,
    /// Says what happened. Called for the first call of a variant.
    pub what: fn(&Moment<'_>) -> String,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Tells problems of one rule apart: those of the same variant in several processes are one finding.
    pub variant: u64,
    /// What happened, in a sentence or two, with the values that were seen.
    pub what: String,
    /// Numbers of the calls that show it.
    pub calls: Vec<u64>,
    /// How many times it happened, where that is more than there are calls listed.
    pub count: u64,
}

impl Found {
    /// Something that these calls show.
    pub fn new(what: impl Into<String>, calls: impl IntoIterator<Item = u64>) -> Self {
        let calls: Vec<u64> = calls.into_iter().collect();
        Self {
            variant: 0,
            what: what.into(),
            count: (calls.len() as u64).max(1),
            calls,
        }
    }

    /// The same, told apart from others of its rule.
    pub fn variant(mut self, variant: u64) -> Self {
        self.variant = variant;
        self
    }
}
