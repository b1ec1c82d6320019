//! The blocks that are not calls: who recorded what, processes, threads, libraries, notes, the end.
//!
//! Each is a msgpack map by field name. Readers skip fields that they do not know, and take a default for fields that are missing.

use serde::{Deserialize, Serialize};

use crate::block::{self, BuildError, Kind};
use crate::clock::AnchorReading;

/// What was recorded and how: the first block of the file `recording`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recording {
    /// Version of cutape.
    pub cutape_version: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Name of the host.
    pub host: String,
    /// Start, CLOCK_REALTIME, nanoseconds since 1970.
    pub start_realtime_ns: u64,
    /// Start, CLOCK_MONOTONIC; times of calls are shown from here.
    pub start_monotonic_ns: u64,
    /// Options of the recording, name and value.
    pub options: Vec<(String, String)>,
    /// What programs find in the driver library: the names of the functions it exports, with the offset of each in the file. Empty where
    /// that was not looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub driver_exports: Vec<(String, u64)>,
}

/// Variables whose values are kept with a process: those that decide which GPUs it sees and how its CUDA libraries start. Nothing else
/// of the environment is recorded.
pub const ENVIRONMENT_KEPT: [&str; 8] = [
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "CUDA_MODULE_LOADING",
    "NVIDIA_VISIBLE_DEVICES",
    "GGML_CUDA_INIT",
    "GGML_CUDA_ENABLE_UNIFIED_MEMORY",
    "OLLAMA_LLM_LIBRARY",
    "PYTORCH_NVML_BASED_CUDA_CHECK",
];

/// One process, or what it became after exec: the first block of its file `blocks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// The parent's process id.
    pub parent_pid: u32,
    /// Start time as in /proc/PID/stat, clock ticks since boot.
    pub start_time: u64,
    /// Count of this process's incarnations (fork without exec, exec), from 0.
    pub incarnation: u32,
    /// Path of the program.
    pub program: String,
    /// Its arguments.
    pub command: Vec<String>,
    /// The driver library that calls were passed to.
    pub driver: String,
    /// The recording library, as it is mapped: functions on a call stack that are ours are not shown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recorder: String,
    /// Clocks before the first call.
    pub anchor: AnchorReading,
    /// Ticks are the time stamp counter; otherwise nanoseconds.
    pub ticks_are_tsc: bool,
    /// Granularity of the clock: the unit of times in Calls blocks, nanoseconds.
    pub unit_ns: u32,
    /// Those of the variables named in [`ENVIRONMENT_KEPT`] that were set, with their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<(String, String)>,
    /// In sealed files: its number in Threads, Libraries and Note blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
}

/// A file mapped executable, for resolving return addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Library {
    /// Its path.
    pub path: String,
    /// First address.
    pub start: u64,
    /// Address after the last one.
    pub end: u64,
    /// Offset of `start` in the file.
    pub file_offset: u64,
    /// The GNU build id, empty where it was not read.
    #[serde(with = "serde_bytes_as_bin")]
    pub build_id: Vec<u8>,
}

/// Libraries of a process. Later blocks add to earlier ones; where ranges overlap, the later block holds from its time on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Libraries {
    /// When the map was read, CLOCK_MONOTONIC nanoseconds.
    pub since_ns: u64,
    /// What was mapped.
    pub libraries: Vec<Library>,
    /// In sealed files: the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
}

/// One thread as an entry of a Threads block. A thread has one entry for each ring that it used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Thread {
    /// Number in its process, from 0. In sealed files: number in the trace.
    pub ordinal: u32,
    /// In sealed files: its number in its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_ordinal: Option<u32>,
    /// Kernel thread id.
    pub tid: u32,
    /// The ring that it took over.
    pub ring: u16,
    /// When, CLOCK_MONOTONIC nanoseconds.
    pub since_ns: u64,
    /// Its name.
    pub name: String,
    /// In sealed files: the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
}

/// Content of a Threads block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Threads {
    /// Threads with the ring they took over.
    pub threads: Vec<Thread>,
}

/// Content of a Functions block: numbers and names of functions that the schema does not know. They hold for one process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Functions {
    /// Number and symbol name.
    pub functions: Vec<(u32, String)>,
}

/// Something that the recorder has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// One of [`note`], or a word that this version does not know.
    pub kind: String,
    /// For people.
    pub text: String,
    /// What was counted: calls lost, nanoseconds waited; 0 where nothing is.
    pub count: u64,
    /// When, CLOCK_MONOTONIC nanoseconds.
    pub at_ns: u64,
    /// In sealed files: the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
}

/// Kinds of notes.
pub mod note {
    /// Recording was turned off by a failure of ours; the text says which.
    pub const OFF: &str = "off";
    /// `count` calls were dropped because a ring was full.
    pub const DROPPED: &str = "dropped";
    /// `count` calls were not recorded because their thread got no ring.
    pub const NO_RING: &str = "no-ring";
    /// Threads waited `count` nanoseconds for space in their rings.
    pub const WAITED: &str = "waited";
    /// The recording has only calls that a filter means; the text is the filter.
    pub const FILTER: &str = "filter";
    /// `count` recorded calls were left out when the recording was sealed, because the filter, which is the text, does not mean them.
    pub const LEFT_OUT: &str = "left-out";
    /// Besides calls that failed, those that a filter means have their stacks kept; the text is the filter.
    pub const STACKS: &str = "stacks";
    /// Rule number `count`, from 1, by which the recording changes what calls do; the text is the option and its value.
    pub const INJECTION: &str = "injection";
    /// A module image or copied data of `count` bytes was not kept; the text says why, the first time that it happens.
    pub const PAYLOAD: &str = "payload";
    /// The trace is a part of another one; the text says which part and which calls come before it because it needs them, `count` of them.
    pub const TRIMMED: &str = "trimmed";
    /// Something was taken out of the trace; the text says what.
    pub const REDACTED: &str = "redacted";
    /// Something was unreadable when the recording was sealed, and `count` calls are known to be lost with it.
    pub const DAMAGED: &str = "damaged";
}

/// How the recorded program ended: the last block of the file `recording`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exit {
    /// Exit code, if it exited.
    pub code: Option<i32>,
    /// Signal number, if a signal killed it.
    pub signal: Option<i32>,
    /// When, CLOCK_MONOTONIC nanoseconds.
    pub at_ns: u64,
}

macro_rules! block_of {
    ($($type:ident => $kind:ident),*) => {$(
        impl $type {
            /// This as a block of its own.
            pub fn to_block(&self) -> Result<Vec<u8>, BuildError> {
                block::single(Kind::$kind, self)
            }
        }
    )*};
}
block_of!(Recording => Recording, Process => Process, Libraries => Libraries, Threads => Threads, Functions => Functions,
    Note => Note, Exit => Exit);

/// Byte vectors as msgpack byte strings; serde alone would write an array of numbers.
pub(crate) mod serde_bytes_as_bin {
    use serde::de::{SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a byte string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = sequence.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_any(Bytes)
    }
}
