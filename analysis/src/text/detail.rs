//! How much of long values is shown.

/// Where long values are cut. What is cut is marked by `...` and the number there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Bytes of a string.
    pub text_bytes: usize,
    /// Bytes of data without structure.
    pub data_bytes: usize,
    /// Bytes of a kernel's name.
    pub name_bytes: usize,
    /// Elements of an array.
    pub items: usize,
    /// Leave out fields named `reserved...` that hold nothing but zeros.
    pub hide_reserved: bool,
}

impl Detail {
    /// What fits on a line.
    pub const LINE: Self = Self {
        text_bytes: 200,
        data_bytes: 32,
        name_bytes: 48,
        items: 8,
        hide_reserved: true,
    };
    /// All that was captured.
    pub const FULL: Self = Self {
        text_bytes: usize::MAX,
        data_bytes: usize::MAX,
        name_bytes: usize::MAX,
        items: usize::MAX,
        hide_reserved: false,
    };
}

impl Default for Detail {
    fn default() -> Self {
        Self::LINE
    }
}
