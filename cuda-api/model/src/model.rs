//! The words in which the API is described. The table (`table/*.api`) is read into these types, and a trace carries the part of
//! them that it needs, so that a trace can be read without this crate's table.

use serde::{Deserialize, Serialize};

/// Which library exports a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Library {
    /// `libcuda.so.1`, the CUDA driver API.
    Cuda,
    /// `libnvidia-ml.so.1`, the NVIDIA Management Library.
    Nvml,
}

/// One exported function symbol. `cuMemcpyHtoD`, `cuMemcpyHtoD_v2` and `cuMemcpyHtoD_v2_ptds` are three of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// The exported symbol, `cuMemcpyHtoD_v2_ptds`.
    pub name: String,
    /// The library that exports it.
    pub library: Library,
    /// The name that `cuGetProcAddress` takes, `cuMemcpyHtoD`. For NVML the same as `name`.
    pub base: String,
    /// The part of the API it belongs to: `Mem`, `Ctx`, `Stream`, `Graph`, `nvmlDevice`...
    pub family: String,
    /// CUDA version that introduced this binary interface (`3020` for 3.2), 0 where no header says.
    pub since: u32,
    /// CUDA versions of the headers that declare it (`12090`, `13050`); empty for a symbol known by name only.
    pub headers: Vec<u32>,
    /// Which stream a NULL stream means.
    pub default_stream: DefaultStream,
    /// Its prototype; `None` for a symbol that libraries export and no header declares.
    pub signature: Option<Signature>,
    /// What the call means for objects: what it creates, destroys, makes current.
    pub effects: Vec<Effect>,
}

/// Which stream a NULL stream argument stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultStream {
    /// The legacy stream, shared by the context's threads; also for functions that take no stream.
    Legacy,
    /// The thread's own stream: symbols that end in `_ptsz` or `_ptds`.
    PerThread,
}

/// Return type and parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// `CUresult` or `nvmlReturn_t` for nearly all; some return a string or nothing.
    pub returns: Type,
    /// In the order of the prototype.
    pub params: Vec<Param>,
}

/// One parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name in the header.
    pub name: String,
    /// Its C type, or the enumeration that its bits come from where the header says only `unsigned int`.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Which way data crosses the call behind it.
    pub direction: Direction,
    /// How much data lies behind the pointer; [`Extent::One`] for values.
    pub extent: Extent,
    /// When the data behind an out pointer may be read after the call.
    pub valid: Validity,
    /// What the number counts, for display.
    pub unit: Option<Unit>,
}

/// Which way data crosses the call behind a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Not a pointer to follow: number, enumeration, handle, device pointer, structure passed by value.
    Value,
    /// The driver reads what it points to.
    In,
    /// The driver writes what it points to.
    Out,
    /// The driver reads it, then writes it.
    InOut,
    /// A pointer that is shown as an address and never followed: host side of a copy, user data, callbacks, kernel parameters.
    Opaque,
}

/// How much data lies behind a pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extent {
    /// One value of the pointed-to type.
    One,
    /// Bytes up to and including a NUL; as an out parameter, in a buffer of the given number of bytes.
    Text(Option<Length>),
    /// The out parameter receives a pointer to text that the driver keeps: `cuGetErrorName`. Follow the pointer, then read up to the NUL.
    PointedText,
    /// That many values of the pointed-to type.
    Count(Length),
    /// That many bytes.
    Bytes(Length),
}

/// Where a length is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Length {
    /// A number known beforehand.
    Const(u32),
    /// The value of another (integer) parameter, by its place in the list.
    Param(u16),
    /// The integer that another (pointer) parameter points to: capacity before the call, number written after it.
    Behind(u16),
}

/// When the data behind an out pointer may be read after the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Validity {
    /// Only when the call returned success (0).
    OnSuccess,
    /// Whatever the call returned: `cuMemGetInfo` writes zeros when it fails, and clients read them.
    Always,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Bytes: shown with a binary multiple beside the exact number.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// A CUDA version number: 12090 is 12.9.
    CudaVersion,
    /// Shown in hexadecimal.
    Hex,
}

/// What a call means for the objects of the API. The numbers are places in the parameter list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The handle or device pointer written behind this parameter is new.
    Creates(u16),
    /// The object given as this parameter is gone after success.
    Destroys(u16),
    /// The context behind this parameter becomes current to the calling thread.
    SetsCurrent(u16),
    /// Work is put on the stream given as this parameter.
    Enqueues(u16),
    /// A kernel or graph is launched.
    Launches,
    /// Data is copied or set.
    Copies,
    /// The caller may wait for the device.
    Synchronizes,
    /// Nothing changes; the answer is what matters.
    Queries,
}

/// A C type as it crosses the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Type {
    /// No value; behind a pointer, bytes of no known type.
    Void,
    /// An integer of that many bytes.
    Int {
        /// 1, 2, 4 or 8.
        bytes: u8,
        /// Whether it is signed.
        signed: bool,
    },
    /// A floating-point number of 4 or 8 bytes.
    Float {
        /// 4 or 8.
        bytes: u8,
    },
    /// A `char` that is text, not a number.
    Char,
    /// A pointer.
    Pointer {
        /// What it points to.
        to: Box<Type>,
        /// Whether the pointed-to type is const.
        constant: bool,
    },
    /// A fixed-size array inside a structure.
    Array {
        /// Element type.
        of: Box<Type>,
        /// Number of elements.
        len: u32,
    },
    /// A type of the table, by name.
    Named(String),
}

/// A named type: what a `typedef`, `struct`, `union` or `enum` of the headers defines. Sizes are those of x86-64 Linux.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDef {
    /// Its name, `CUcontext`.
    pub name: String,
    /// Bytes; 0 for a type that is only declared.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// What it is.
    pub kind: TypeKind,
}

/// What a named type is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TypeKind {
    /// Eight bytes that stand for an object of the driver: a pointer to something only it knows (`CUcontext`, `CUstream`), or a
    /// number (`CUtexObject`, `CUmemGenericAllocationHandle`).
    Handle,
    /// An address on the device: `CUdeviceptr`.
    DevicePointer,
    /// Another name for a type: `CUdevice` for int, `cuuint64_t`.
    Alias(Type),
    /// A pointer to a function.
    Callback,
    /// An enumeration; its values are numbers first, and an unknown one is shown as such.
    Enum {
        /// Names with their values, in the header's order. Two names may share a value; the first one is shown.
        values: Vec<(String, i64)>,
        /// Whether values are combined with `|`.
        flags: bool,
    },
    /// A structure.
    Struct(Vec<Field>),
    /// A union: every field at its offset, overlapping.
    Union(Vec<Field>),
    /// Declared and never defined.
    Opaque,
}

/// A field of a structure or union.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name; empty for an anonymous structure or union.
    pub name: String,
    /// Bytes from the start of the enclosing type.
    pub offset: u32,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// For a bit field: first bit (from the least significant bit at `offset`) and number of bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<(u8, u8)>,
    /// For a pointer that is followed: the place of the field that says how many values it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u16>,
    /// For a union: the place of the field that says which member counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<u16>,
    /// For a member of such a union: the value that chooses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_by: Option<i64>,
}

/// A data symbol that a library exports, such as the `cudbg*` variables that debuggers look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The exported symbol.
    pub name: String,
    /// The library that exports it.
    pub library: Library,
    /// Bytes.
    pub size: u32,
}

/// The name of an export table that `cuGetExportTable` hands out, by its GUID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportTable {
    /// The 16 bytes of the `CUuuid` as stored in memory.
    pub guid: [u8; 16],
    /// The name that public sources gave it.
    pub name: String,
}
