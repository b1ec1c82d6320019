//! How the calls of each function are played: made once for a function, then followed for each of its calls.
//!
//! Plans come from the table of this build, never from the schema of a trace: what a trace says about a prototype would otherwise
//! decide which words the driver takes for addresses.

mod compile;
mod copy_fields;
mod relocations;
mod rules;

use serde::{Deserialize, Serialize};

pub use compile::Compiler;
pub use rules::{class_of, codes_are_alike};

use crate::skip::SkipReason;

/// What memory for answers holds before the call. No answer looks like that by accident.
pub const UNWRITTEN: u8 = 0xa5;

/// Number of a handle type; handles of different types never stand for each other.
pub type Kind = u16;

/// The plans of all functions of a trace, and what goes with them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plans {
    /// By the trace's function numbers.
    pub plans: Vec<Plan>,
    /// Names of handle types, by [`Kind`].
    pub kinds: Vec<String>,
}

/// How the calls of a function are played.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The exported name.
    pub function: String,
    /// Whether it is looked for in the NVML library.
    pub is_nvml: bool,
    /// If none of its calls can be played, why.
    pub skip: Option<SkipReason>,
    /// What it returns.
    pub returns: Returns,
    /// How the arguments are passed.
    pub passing: Passing,
    /// Argument words of a recorded call.
    pub words: u16,
    /// Parameters that need more than passing a word on.
    pub params: Vec<ParamPlan>,
    /// What a successful call does to the objects that its arguments stand for.
    pub effects: Vec<Effect>,
    /// Whether it takes host memory where the header says `CUdeviceptr`, because all addresses are one space.
    pub takes_any_address: bool,
    /// After a call of it, it is not known what device memory holds.
    pub writes_unseen: bool,
    /// It may bring data to the host, or is one with which programs wait for data.
    pub brings_data: bool,
}

/// What a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Returns {
    /// A code; 0 is success.
    Code,
    /// Something else, or nothing: not compared.
    Other,
}

/// How argument words are passed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Passing {
    /// The words in their order: the first six in registers, the others on the stack.
    Straight,
    /// For each word, where it goes.
    Placed(Vec<Destination>),
}

/// Where an argument word goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Destination {
    /// An integer register.
    Register(u8),
    /// A vector register.
    Vector(u8),
    /// A word of the stack.
    Stack(u8),
}

/// How one argument is made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ParamPlan {
    /// Place in the parameter list, as captures name it.
    pub number: u8,
    /// Its first argument word.
    pub word: u8,
    /// What it is.
    pub role: Role,
}

/// What an argument is, as far as playing it goes. Numbers that are passed as they are have no plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Words of a value that holds handles or device pointers.
    Value {
        /// Bytes.
        bytes: u32,
        /// What to replace in it.
        relocations: Vec<Relocation>,
        /// It may as well be the host side of a copy; then the recording has, or names, its data.
        host_side: Option<HostSide>,
    },
    /// Memory that the driver reads.
    In(Memory),
    /// Memory that the driver writes.
    Out(Memory),
    /// Memory that it reads and then writes.
    InOut(Memory),
    /// Text that ends in a NUL.
    Text,
    /// The host side of a copy.
    Copied(HostSide),
    /// An address of host memory that the driver knows: allocated by it, or registered.
    Host,
    /// Host memory that is registered: so many bytes, by an argument word.
    Registered {
        /// The word that says how many.
        bytes: u8,
    },
    /// An address on the device, in a parameter that the header calls a pointer.
    DeviceAddress,
    /// Memory for an answer of no known type; it is not compared.
    Scratch {
        /// Bytes of it.
        bytes: u32,
    },
    /// A function of the program's: one of ours stands in.
    Callback(Stub),
    /// What a callback gets. It never leaves our own stub.
    UserData,
    /// A module image.
    Image,
    /// The name of a file with a module image.
    ImageFile,
    /// The arguments of a kernel.
    KernelParams,
    /// Kernel arguments in one buffer.
    KernelExtra,
    /// Options of the linker and the compiler: words whose meaning the options say, in an array behind another parameter.
    OptionValues {
        /// The parameter with the options.
        options: u8,
        /// They are those of a library, not of the linker or the compiler.
        is_library: bool,
        /// The word that says how many.
        count: u8,
    },
    /// Only a null pointer can be passed.
    OnlyNull,
}

/// Which function of ours stands in for the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stub {
    /// `void (*)(void *)`.
    HostFunction,
    /// `void (*)(CUstream, CUresult, void *)`.
    StreamCallback,
    /// `size_t (*)(int)`.
    BlockSizeToSharedMemory,
}

/// The host side of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSide {
    /// Whether the driver writes there.
    pub is_written: bool,
    /// The argument word that says how many bytes.
    pub bytes: u8,
}

/// Memory behind a pointer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// How much.
    pub extent: Span,
    /// What to replace in each item.
    pub relocations: Vec<Relocation>,
    /// A successful call may leave it as it was.
    pub may_stay_unwritten: bool,
}

/// How much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    /// So many bytes.
    Fixed(u32),
    /// As many items of so many bytes as an argument word says.
    Counted {
        /// Bytes of an item.
        item: u32,
        /// The word.
        word: u8,
        /// Bytes of it that count.
        word_bytes: u8,
    },
    /// As many items as stand behind another parameter before the call.
    CountedBehind {
        /// Bytes of an item.
        item: u32,
        /// Which parameter.
        param: u8,
    },
    /// Receives a pointer to text of the driver's.
    PointedText,
}

impl Span {
    /// Bytes of one item.
    pub fn item_bytes(self) -> u32 {
        match self {
            Self::Fixed(bytes) => bytes,
            Self::Counted { item, .. } | Self::CountedBehind { item, .. } => item,
            Self::PointedText => 8,
        }
    }
}

/// A place in a structure whose recorded content means nothing to the driver under test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relocation {
    /// Bytes from the start of the item.
    pub offset: u32,
    /// What stands there.
    pub target: Target,
    /// It may also be something else: other members of a union overlap it.
    pub is_ambiguous: bool,
    /// When it counts at all: all of these must hold.
    pub when: Vec<When>,
    /// Where it doesn't count, something else stands there, which is passed as it is. Otherwise nothing is passed in its place.
    pub shares_place: bool,
}

/// A 4-byte number in the same item that says whether a place counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// Bytes from the start of the item.
    pub offset: u32,
    /// The numbers with which it does.
    pub is_one_of: Vec<u32>,
}

/// What stands in a place of a structure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A handle.
    Handle(Kind),
    /// A device pointer of 8 bytes.
    DevicePointer,
    /// The address of a function or of memory of the driver's, in an answer.
    DriverAddress,
    /// The address of host memory that the driver made, in an answer.
    HostAddress,
    /// A host pointer that leads to memory of ours, by the fields of a copy.
    CopyHost(CopyFields),
    /// A device pointer in the fields of a copy, or, where the memory's type is that of unified addresses, perhaps a host pointer; then the recording
    /// has, or names, the data.
    CopyDevice(CopyFields),
    /// A pointer to a place for an answer of no known type.
    Scratch,
    /// A host function.
    Callback,
    /// What a host function gets.
    UserData,
    /// A pointer to items that are on record by themselves.
    Items {
        /// Bytes of an item.
        item: u32,
        /// Where the number of items stands in the structure, and how many bytes it has.
        count: (u32, u32),
        /// What to replace in each item.
        relocations: Vec<Relocation>,
    },
    /// A pointer that the driver answers to a list of handles of its own, which is on record by itself; nothing is passed in its place.
    AnsweredHandles(Kind),
    /// Arguments of the kernel, a pointer to each.
    KernelParams,
    /// Arguments of the kernel in one buffer.
    KernelExtra,
    /// A pointer that can only be null: what it leads to is not on record.
    OnlyNull,
}

/// Where a copy's structure says how far its host side reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyFields {
    /// Whether the driver writes there.
    pub is_written: bool,
    /// Offsets of first byte in a row, first row and first slice.
    pub start: [Option<u32>; 3],
    /// Offsets of bytes of a row, rows of a slice as they lie in memory.
    pub pitch: u32,
    /// Rows of a slice as they lie in memory.
    pub slice_rows: Option<u32>,
    /// Offsets of bytes in a row, rows and slices to copy.
    pub size: [Option<u32>; 3],
    /// Bytes of each of these numbers.
    pub number_bytes: u32,
}

/// What a successful call does to objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The handle behind that parameter is new.
    CreatesHandle(u8),
    /// The device pointer behind that parameter begins so many bytes.
    CreatesRange {
        /// The parameter.
        param: u8,
        /// Where the number of bytes stands.
        bytes: RangeBytes,
        /// It is host memory, too.
        is_host: bool,
    },
    /// The handle in that argument word is gone.
    DestroysHandle {
        /// The word.
        word: u8,
        /// Its kind.
        kind: Kind,
    },
    /// The range that begins at that argument word is gone.
    DestroysRange(u8),
    /// The host memory that begins at that argument word is no longer known to the driver.
    ReleasesHost(u8),
    /// The primary context of the device in that argument word is retained. The last effect.
    RetainsPrimaryContext(u8),
}

/// Where a number of bytes stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RangeBytes {
    /// In an argument word.
    Word(u8),
    /// The product of an argument word and what stands behind a parameter after the call.
    PitchTimes {
        /// The parameter with the pitch.
        pitch: u8,
        /// The word with the rows.
        rows: u8,
    },
    /// Behind a parameter after the call.
    Behind(u8),
    /// As much as the host range that another argument word is the start of.
    HostRange(u8),
    /// Nobody says.
    Unknown,
}
