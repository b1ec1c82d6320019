//! What a call answered, when it was recorded or when it was played, and what of it differs.

use serde::{Deserialize, Serialize};

/// A code that a function returned.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Code {
    /// The number; 0 is success.
    pub number: u32,
    /// Its name, if one is known: `CUDA_ERROR_NOT_INITIALIZED`.
    pub name: Option<String>,
}

/// What a call answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The code; `None` if the function returns no code, or never returned.
    pub code: Option<Code>,
    /// How long it took, nanoseconds; `None` if it never returned or was not timed.
    pub duration_ns: Option<u64>,
}

impl Answer {
    /// The number of the code.
    pub fn code_number(&self) -> Option<u32> {
        self.code.as_ref().map(|code| code.number)
    }

    /// Whether it returned a code other than success.
    pub fn is_failure(&self) -> bool {
        self.code_number().is_some_and(|code| code != 0)
    }
}

/// How values of an answer are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerClass {
    /// What the function returns: the numbers must be equal.
    Code,
    /// A handle: null where it was null, and the object that it stood for when it was recorded.
    Handle,
    /// An address: null where it was null, and aligned as well.
    Pointer,
    /// The address of a function or a table: there where it was there, and the same one for the same question.
    Function,
    /// A number, text or structure: byte for byte.
    Exact,
    /// An amount of memory that is free or used: zero where it was zero, else within a factor of two.
    FreeMemory,
    /// A duration or a sensor's reading: not compared beyond being there.
    Reading,
    /// What names one device or process, such as a UUID, a PCI address or a process id: empty where it was empty.
    Identity,
    /// Copied data: byte for byte, where it was recorded.
    Data,
    /// Memory that is not the call's to write: nothing may change there.
    Bystander,
}

impl AnswerClass {
    /// Its stable name in reports: `free-memory`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Handle => "handle",
            Self::Pointer => "pointer",
            Self::Function => "function",
            Self::Exact => "exact",
            Self::FreeMemory => "free-memory",
            Self::Reading => "reading",
            Self::Identity => "identity",
            Self::Data => "data",
            Self::Bystander => "bystander",
        }
    }
}

/// Which part of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What the function returned.
    Returned,
    /// What an argument led to after the call: `free`, or `prop.location.id` inside a structure.
    Argument(String),
}

impl Part {
    /// The argument's name; none for what is returned.
    pub fn argument(&self) -> Option<&str> {
        match self {
            Self::Returned => None,
            Self::Argument(name) => Some(name),
        }
    }
}

/// One part of an answer that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which part.
    pub part: Part,
    /// How it was compared.
    pub class: AnswerClass,
    /// What was recorded, as `cutape print` shows values: `0`, `83751862272 (78 GiB)`, `CUDA_SUCCESS (0)`.
    pub recorded: String,
    /// What the driver under test answered.
    pub replayed: String,
    /// Both in few letters, for one line of text: `3 -> 0`, `free 0 -> 78 GiB`.
    pub brief: String,
}
