//! Arguments of a kernel launch. Of each kernel there are two captures, one after the other: how its parameters lie, which is the same
//! for all launches of a function and so is kept once a block, and the buffer that they form.
//!
//! The first is one byte for where the layout is from, one byte for how the program passed the arguments, two bytes for the number of
//! parameters, and for each of them two bytes of offset and two of size. The second is the buffer as the kernel sees it; parameters may be
//! followed by gaps. All numbers are little-endian.

use crate::call::Call;
use crate::capture_number::KERNEL_ARGUMENTS;
use crate::record::Captured;

/// Bytes before the parameters of a layout.
pub const LAYOUT_HEADER_BYTES: usize = 4;
/// Bytes of each parameter in a layout.
pub const LAYOUT_PARAM_BYTES: usize = 4;

/// Who says how a kernel's parameters lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayoutOrigin {
    /// Nobody: not even the number of parameters is known.
    Unknown,
    /// The driver, by `cuFuncGetParamInfo` or `cuKernelGetParamInfo`.
    Driver,
    /// The module image that the kernel is from.
    Image,
}

/// How the program passed the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgumentForm {
    /// As `kernelParams`: one pointer for each parameter.
    Pointers,
    /// As `extra`: one buffer.
    Buffer,
}

impl LayoutOrigin {
    /// Its byte in a capture.
    pub const fn code(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Driver => 1,
            Self::Image => 2,
        }
    }

    /// In a word: `unknown`, `driver`, `image`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Driver => "driver",
            Self::Image => "image",
        }
    }

    const fn of_code(code: u8) -> Self {
        match code {
            1 => Self::Driver,
            2 => Self::Image,
            _ => Self::Unknown,
        }
    }
}

impl ArgumentForm {
    /// Its byte in a capture.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pointers => 0,
            Self::Buffer => 1,
        }
    }
}

/// Where one parameter lies in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamPlace {
    /// Bytes from the start of the buffer.
    pub offset: u16,
    /// Bytes.
    pub size: u16,
}

/// How a kernel's parameters lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelLayout {
    /// Who says so.
    pub origin: LayoutOrigin,
    /// In the order of the kernel's declaration.
    pub params: Vec<ParamPlace>,
}

impl KernelLayout {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        origin: LayoutOrigin::Unknown,
        params: Vec::new(),
    };

    /// Bytes of a buffer that holds all parameters.
    pub fn buffer_bytes(&self) -> usize {
        let ends = self
            .params
            .iter()
            .map(|param| usize::from(param.offset) + usize::from(param.size));
        ends.max().unwrap_or(0)
    }

    /// As it stands in a capture. More parameters than 2^16 are none that a kernel has; the rest is left out.
    pub fn to_bytes(&self, form: ArgumentForm) -> Vec<u8> {
        let count = u16::try_from(self.params.len()).unwrap_or(u16::MAX);
        let mut bytes = vec![self.origin.code(), form.code()];
        bytes.extend_from_slice(&count.to_le_bytes());
        for param in &self.params[..count.into()] {
            bytes.extend_from_slice(&param.offset.to_le_bytes());
            bytes.extend_from_slice(&param.size.to_le_bytes());
        }
        bytes
    }
}

/// One argument of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelArgument {
    /// Bytes from the start of the kernel's parameters.
    pub offset: u32,
    /// Bytes of it.
    pub size: u32,
    /// Its value; `None` where the memory could not be read, or was cut.
    pub bytes: Option<Vec<u8>>,
}

/// The arguments of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelArguments {
    /// Who says where they lie; with [`LayoutOrigin::Unknown`] there are no `params`.
    pub origin: LayoutOrigin,
    /// How the program passed them.
    pub form: ArgumentForm,
    /// In the order of the kernel's declaration.
    pub params: Vec<KernelArgument>,
    /// All of them as one buffer, the way the kernel sees it; empty where nothing was read.
    pub buffer: Vec<u8>,
}

impl KernelArguments {
    fn of(layout: &Captured<'_>, buffer: &Captured<'_>) -> Option<Self> {
        let (head, places) = layout.bytes.split_first_chunk::<LAYOUT_HEADER_BYTES>()?;
        let count = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let params = places
            .chunks_exact(LAYOUT_PARAM_BYTES)
            .take(count)
            .map(|place| {
                let offset = u16::from_le_bytes([place[0], place[1]]);
                let size = u16::from_le_bytes([place[2], place[3]]);
                let end = usize::from(offset) + usize::from(size);
                KernelArgument {
                    offset: offset.into(),
                    size: size.into(),
                    bytes: buffer.bytes.get(offset.into()..end).map(<[u8]>::to_vec),
                }
            })
            .collect();
        Some(Self {
            origin: LayoutOrigin::of_code(head[0]),
            form: if head[1] == ArgumentForm::Buffer.code() {
                ArgumentForm::Buffer
            } else {
                ArgumentForm::Pointers
            },
            params,
            buffer: buffer.bytes.to_vec(),
        })
    }
}

/// The arguments of the kernels that parameter `param` of a call leads to: one for a launch, several for a launch on several devices,
/// none where they were not captured.
pub fn kernel_arguments(call: &Call, param: u8) -> Vec<KernelArguments> {
    let captures: Vec<Captured<'_>> = call
        .captures()
        .filter(|capture| capture.param == KERNEL_ARGUMENTS | param)
        .collect();
    captures
        .chunks_exact(2)
        .filter_map(|pair| KernelArguments::of(&pair[0], &pair[1]))
        .collect()
}
