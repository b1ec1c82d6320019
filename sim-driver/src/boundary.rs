//! Pointers as they come from the caller. An implementation takes `Out<T>`, `In<T>` and `Text` where the C prototype has a pointer,
//! and stays free of `unsafe`: only the exported entry points, which build from C arguments, make these values, and the C contract
//! of each function (a non-NULL pointer points to what the header says) is what makes following them sound.

use std::ffi::{CStr, c_char};

use crate::status::CuError;

/// Where the caller wants one value, or a run of values, written.
#[repr(transparent)]
pub struct Out<T>(*mut T);

impl<T> Clone for Out<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Out<T> {}

impl<T: Copy> Out<T> {
    /// Whether the caller gave NULL.
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Itself, or `CUDA_ERROR_INVALID_VALUE` if the caller gave NULL.
    pub fn required(self) -> Result<Self, CuError> {
        if self.is_null() {
            Err(CuError::INVALID_VALUE)
        } else {
            Ok(self)
        }
    }

    /// Writes the value; an optional parameter that was left NULL is passed over.
    pub fn set(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: the caller of the C function passed it as a place for one T, as the header says.
            unsafe { self.0.write_unaligned(value) }
        }
    }

    /// Writes a run of values.
    pub fn set_all(self, values: &[T]) {
        if !self.0.is_null() {
            // SAFETY: the caller of the C function passed room for as many values as the call was told to write.
            unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.0, values.len()) }
        }
    }

    /// What lies there now: for parameters that go both ways.
    pub fn get(self) -> Option<T> {
        // SAFETY: not NULL, and the header says that the caller has filled it before the call.
        (!self.0.is_null()).then(|| unsafe { self.0.read_unaligned() })
    }

    /// A run of values that lies there.
    pub fn all(self, count: usize) -> Vec<T> {
        In(self.0.cast_const()).all(count)
    }

    /// The address, as a fault writes to it.
    pub fn address(self) -> u64 {
        self.0 as u64
    }

    /// A place given as an address, in functions where a parameter's type depends on another one.
    pub fn at(address: *mut std::ffi::c_void) -> Self {
        Self(address.cast())
    }
}

impl Out<u8> {
    /// Writes text with its closing NUL into room for `capacity` bytes, cut short where it does not fit.
    pub fn set_text(self, text: &str, capacity: usize) {
        if capacity == 0 {
            return;
        }
        let kept = text.len().min(capacity - 1);
        let mut bytes = text.as_bytes()[..kept].to_vec();
        bytes.push(0);
        self.set_all(&bytes);
    }
}

/// What the caller wants read: one value, or a run of values.
#[repr(transparent)]
pub struct In<T>(*const T);

impl<T> Clone for In<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<T> {}

impl<T: Copy> In<T> {
    /// The value, or `CUDA_ERROR_INVALID_VALUE` if the caller gave NULL.
    pub fn required(self) -> Result<T, CuError> {
        self.get().ok_or(CuError::INVALID_VALUE)
    }

    /// The value, or nothing if the caller gave NULL.
    pub fn get(self) -> Option<T> {
        // SAFETY: not NULL, and the header says that the caller points to one T.
        (!self.0.is_null()).then(|| unsafe { self.0.read_unaligned() })
    }

    /// A run of `count` values; empty for NULL.
    pub fn all(self, count: usize) -> Vec<T> {
        if self.0.is_null() {
            return Vec::new();
        }
        // SAFETY: the caller says that `count` values lie there.
        (0..count)
            .map(|index| unsafe { self.0.add(index).read_unaligned() })
            .collect()
    }

    /// Values given as an address inside a structure.
    pub fn at(address: *const std::ffi::c_void) -> Self {
        Self(address.cast())
    }
}

/// A NUL-terminated string that the caller passes.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text(*const c_char);

impl Text {
    /// The string, or nothing if the caller gave NULL. Bytes that are not UTF-8 are replaced.
    pub fn get(self) -> Option<String> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not NULL, and the header says that a NUL-terminated string lies there.
        let text = unsafe { CStr::from_ptr(self.0) };
        Some(text.to_string_lossy().into_owned())
    }

    /// The string, or `CUDA_ERROR_INVALID_VALUE` if the caller gave NULL.
    pub fn required(self) -> Result<String, CuError> {
        self.get().ok_or(CuError::INVALID_VALUE)
    }
}
