//! What belongs to a call's record besides what its pointers lead to directly: memory behind pointers in structures, arguments of
//! kernels, module images, copied data. The build script finds it in the API table; [`crate::belongings`] looks for it at a call.

use crate::hook::Count;

/// All that belongs to the calls of one function.
pub struct More {
    /// Looked for before the call.
    pub before: &'static [Belonging],
    /// Looked for after it.
    pub after: &'static [Belonging],
}

/// Nothing does.
pub const NOTHING_MORE: More = More {
    before: &[],
    after: &[],
};

/// One thing that belongs to a call.
pub enum Belonging {
    /// Memory behind counted pointers in structures.
    Regions(Regions),
    /// Arguments of the kernel that the call launches.
    Kernel(Kernel),
    /// Arguments of kernels that structures name.
    Kernels(Kernels),
    /// A module image or copied data.
    Payload(Payload),
    /// A kernel that is named by handle.
    Function(UsedFunction),
    /// What the call says of the order of asynchronous copies.
    Order(OrderOf),
}

/// What a call says of the order of asynchronous copies.
#[derive(Clone, Copy)]
pub struct OrderOf {
    /// What it does.
    pub kind: OrderKind,
    /// The stream.
    pub stream: Option<StreamWord>,
    /// Word with the event, or the context.
    pub object: Option<u8>,
}

/// What a call does to the order of asynchronous copies.
#[derive(Clone, Copy)]
pub enum OrderKind {
    /// Returns when the stream's work is over.
    StreamDone,
    /// Returns when the context's work is over.
    ContextDone,
    /// Returns when the event is over.
    EventDone,
    /// Puts the event behind the stream's work.
    EventRecorded,
    /// Has the stream wait for the event.
    StreamWaits,
    /// Starts something that may write to any host memory.
    MayWrite,
    /// Destroys the stream.
    StreamGone,
    /// Destroys the event.
    EventGone,
    /// Destroys streams and events.
    AllGone,
}

/// A stream among a call's arguments.
#[derive(Clone, Copy)]
pub struct StreamWord {
    /// The word with the handle.
    pub word: u8,
    /// The null handle means the thread's own stream.
    pub per_thread: bool,
}

/// A kernel that is named by handle. Where no function that is on record has given the handle out, the record says what it stands for.
pub struct UsedFunction {
    /// Number of the capture.
    pub number: u8,
    /// Word with the handle.
    pub word: u8,
}

/// Structures with counted pointers.
pub struct Regions {
    /// Number of the captures.
    pub number: u8,
    /// Word with the pointer to the structures.
    pub word: u8,
    /// Bytes of a structure.
    pub size: u32,
    /// How many there are.
    pub count: Count,
    /// The pointers in each.
    pub places: &'static [RegionPlace],
}

/// A counted pointer in a structure.
pub struct RegionPlace {
    /// Offset of the pointer.
    pub pointer: u32,
    /// Bytes of a value that it leads to.
    pub size: u32,
    /// How many values.
    pub count: Number,
    /// Only then.
    pub when: Option<When>,
}

/// An unsigned number in a structure.
#[derive(Clone, Copy)]
pub struct Number {
    /// Its offset.
    pub offset: u32,
    /// Its size.
    pub bytes: u32,
}

/// A member of a union counts when another field has a value.
pub struct When {
    /// The field.
    pub selector: Number,
    /// The value.
    pub value: u64,
}

/// A launch whose arguments are all words.
pub struct Kernel {
    /// Number of the captures of arguments passed by pointers.
    pub number: u8,
    /// Number of the captures of arguments in a buffer.
    pub extra_number: u8,
    /// Word with the kernel.
    pub function: u8,
    /// Word with the pointer to pointers to arguments.
    pub params: u8,
    /// Word with the pointer to a buffer of arguments.
    pub extra: Option<u8>,
}

/// Structures that name kernels with their arguments.
pub struct Kernels {
    /// Number of the captures.
    pub number: u8,
    /// Word with the pointer to the structures.
    pub word: u8,
    /// Bytes of a structure.
    pub size: u32,
    /// How many there are.
    pub count: Count,
    /// Where each has what.
    pub place: KernelPlace,
}

/// A kernel with its arguments in a structure: offsets.
pub struct KernelPlace {
    /// Handle of the function.
    pub function: u32,
    /// Handle of the kernel, where the function is NULL.
    pub kernel: Option<u32>,
    /// Pointer to pointers to arguments.
    pub params: u32,
    /// Pointer to a buffer of arguments.
    pub extra: Option<u32>,
    /// Only then.
    pub when: Option<When>,
}

/// A module image or copied data.
pub struct Payload {
    /// Number of the capture.
    pub number: u8,
    /// Word with the address, or the name of the file.
    pub word: u8,
    /// What there is.
    pub content: Content,
}

/// What an address leads to.
#[derive(Clone, Copy)]
pub enum Content {
    /// A module image that says itself how long it is.
    Image,
    /// A module image of so many bytes.
    ImageOf(Count),
    /// The name of a file with a module image.
    File,
    /// An address where the driver has put the address of an image, and at another its length.
    Output {
        /// Word with the address of the length.
        size: u8,
    },
    /// So many bytes of copied data.
    Data {
        /// How many.
        count: Count,
        /// The address may as well be one of device memory.
        ask_whether_host: bool,
        /// The stream, where the data comes some time after the call's return.
        later: Option<StreamWord>,
    },
    /// A descriptor of a copy.
    Box {
        /// Where it has what.
        shape: &'static CopyBox,
        /// The stream, where the data comes some time after the call's return.
        later: Option<StreamWord>,
    },
}

/// One side of a copy descriptor.
pub struct CopyBox {
    /// What kind of memory it is; 1 is host memory, 4 memory of unified addresses.
    pub memory_type: Option<Number>,
    /// Address in host memory.
    pub host: Option<Number>,
    /// Address in device memory, or a unified one.
    pub device: Option<Number>,
    /// Bytes left of the box.
    pub x: Option<Number>,
    /// Rows above it.
    pub y: Option<Number>,
    /// Planes before it.
    pub z: Option<Number>,
    /// Bytes from row to row.
    pub pitch: Option<Number>,
    /// Rows from plane to plane.
    pub plane: Option<Number>,
    /// Bytes of a row.
    pub width: Option<Number>,
    /// Rows.
    pub height: Option<Number>,
    /// Planes.
    pub depth: Option<Number>,
}

impl Number {
    /// The number's value in a structure.
    pub fn of(self, structure: &[u8]) -> Option<u64> {
        let bytes = structure.get(self.offset as usize..)?;
        let bytes = bytes.get(..(self.bytes as usize).min(8))?;
        let value = bytes.iter().rev();
        Some(value.fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }
}

/// Whether what depends on a condition counts in a structure.
pub fn holds(when: Option<&When>, structure: &[u8]) -> bool {
    when.is_none_or(|when| when.selector.of(structure) == Some(when.value))
}
