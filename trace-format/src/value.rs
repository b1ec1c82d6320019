//! Values of arguments as people think of them.

use cutape_cuda_api::{Direction, Unit};

use crate::kernel_arguments::KernelArguments;
use crate::payload::PayloadRef;

/// What an argument, a field or an answer is. Names borrow from the trace's schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A floating-point number.
    Float(f64),
    /// A value of an enumeration; without a name where the schema knows none.
    Enum {
        /// The number.
        value: i64,
        /// Its first name.
        name: Option<&'a str>,
    },
    /// Bits combined with `|`.
    Flags {
        /// All bits.
        value: u64,
        /// Names of those that have one.
        names: Vec<&'a str>,
        /// Bits without a name.
        rest: u64,
    },
    /// A handle that only the driver can read; 0 is the null handle.
    Handle(u64),
    /// An address on the device.
    DevicePointer(u64),
    /// An address in the process that is not followed: callback, user data, host side of a copy.
    Address(u64),
    /// Text up to its NUL.
    Text {
        /// The text; bytes that are not UTF-8 are replaced.
        text: String,
        /// Number of bytes that there were, if the capture was cut.
        full_bytes: Option<u64>,
    },
    /// Bytes of no known structure.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// Number of bytes that there were, if the capture was cut.
        full_bytes: Option<u64>,
    },
    /// A structure: its fields in order.
    Struct(Vec<(&'a str, Value<'a>)>),
    /// A union: its members, all of the same bytes.
    Union(Vec<(&'a str, Value<'a>)>),
    /// Several values of one type.
    Array {
        /// Those that were captured.
        items: Vec<Value<'a>>,
        /// How many there were, if the capture was cut.
        full_items: Option<u64>,
    },
    /// What a pointer led to before the call and after it.
    InOut {
        /// Before.
        before: Box<Value<'a>>,
        /// After.
        after: Box<Value<'a>>,
    },
    /// A null pointer.
    Null,
    /// A pointer whose target was not captured, or is not valid after this answer.
    NotCaptured(u64),
    /// The argument itself is not on record.
    NotRecorded,
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument<'a> {
    /// Its name in the header, `argN` where there is none.
    pub name: std::borrow::Cow<'a, str>,
    /// Which way data crosses behind it.
    pub direction: Direction,
    /// What it counts.
    pub unit: Option<Unit>,
    /// The argument word, 0 where it is not on record: the address, for pointers.
    pub word: u64,
    /// Its value.
    pub value: Value<'a>,
    /// The module image or the copied data that it refers to.
    pub payload: Option<PayloadRef>,
    /// Arguments of the kernels that it leads to.
    pub kernels: Vec<KernelArguments>,
}

/// A call in the words of the schema.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedCall<'a> {
    /// In the order of the prototype.
    pub arguments: Vec<Argument<'a>>,
    /// `None` for a call that never returned.
    pub returned: Option<Value<'a>>,
}
