//! What a capture's number says. The numbers of parameters end where those begin that stand for what belongs to a parameter; a
//! reader that doesn't know them never asks for one.

/// No function has this many parameters.
pub const MAX_PARAMS: u8 = 0x40;
/// Not a parameter: what the recording did to the call by its own rules, see [`crate::injected`]. No function has so many parameters.
pub const INJECTION: u8 = 0x3f;
/// Not a parameter: the calling thread's registers and stack when the call had returned, see [`crate::stack_memory`]. Only in folders.
pub const STACK_MEMORY: u8 = 0x3e;
/// Not a parameter: the number of the call's stack in the Code block, 4 bytes, see [`crate::code`]. Only in sealed files.
pub const STACK: u8 = 0x3d;
/// Added to a parameter's number: arguments of kernels, see [`crate::kernel_arguments`].
pub const KERNEL_ARGUMENTS: u8 = 0x40;
/// Added to a parameter's number: memory that pointers inside its structures lead to. The capture is an address and what was there.
pub const REGION: u8 = 0x80;
/// Added to a parameter's number: a module image or copied data, kept once for the whole trace. The capture is a
/// [`crate::payload::PayloadRef`].
pub const PAYLOAD: u8 = 0xc0;
/// Belongs to no parameter: data of an earlier asynchronous copy that is known to have come now that the program has waited for it. A
/// [`crate::payload::PayloadRef`] with the number of the copy; a call may have many. No function has so many parameters.
pub const ARRIVED: u8 = PAYLOAD | 0x3f;

/// Whether a capture is of the call itself, and nothing that a parameter leads to.
pub const fn is_of_call(number: u8) -> bool {
    matches!(number, INJECTION | STACK_MEMORY | STACK)
}

/// What a capture is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureOf {
    /// What the parameter itself points to.
    Parameter(u8),
    /// Arguments of kernels that the parameter leads to.
    KernelArguments(u8),
    /// Memory behind a pointer inside the parameter's structures.
    Region(u8),
    /// A module image or copied data.
    Payload(u8),
}

impl CaptureOf {
    /// Takes a capture's number apart.
    pub const fn number(number: u8) -> Self {
        let param = number & (MAX_PARAMS - 1);
        match number & !(MAX_PARAMS - 1) {
            KERNEL_ARGUMENTS => Self::KernelArguments(param),
            REGION => Self::Region(param),
            PAYLOAD => Self::Payload(param),
            _ => Self::Parameter(param),
        }
    }
}
