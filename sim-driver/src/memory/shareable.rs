//! `cuMem*ShareableHandle`: physical memory of one process in another, by a file descriptor that the program passes on. The file holds the memory,
//! and behind it a page that says what memory it is.

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use super::pages::{self, PAGE_BYTES};
use super::virtual_memory::{FILE_DESCRIPTOR, Physical};
use crate::abi::{
    CUmemAllocationFlags, CUmemAllocationProp, CUmemGenericAllocationHandle, CUmemLocation,
};
use crate::boundary::Out;
use crate::driver;
use crate::shared_file;
use crate::status::{Answer, CuError};

/// The page behind the memory begins so.
const MARK: u64 = u64::from_le_bytes(*b"cutapePM");
/// What that page says: the mark, bytes of the memory, type of place and which one, type of memory.
const WORDS: usize = 5;

/// The file of physical memory.
pub struct SharedMemory {
    file: File,
    bytes: u64,
}

impl SharedMemory {
    /// New memory, full of zeros.
    pub fn make(bytes: u64, prop: &CUmemAllocationProp) -> Option<Self> {
        let file = shared_file::make(bytes.checked_add(PAGE_BYTES)?)?;
        let place = prop.location;
        let words: [u64; WORDS] = [
            MARK,
            bytes,
            u64::from(place.r#type),
            u64::from(place.id as u32),
            u64::from(prop.r#type),
        ];
        file.write_all_at(&words.map(u64::to_ne_bytes).concat(), bytes)
            .ok()?;
        Some(Self { file, bytes })
    }

    /// Shows it to this process, at a place of the kernel's choice.
    pub fn map(&self) -> Option<u64> {
        pages::map_file(&self.file, self.bytes)
    }

    /// A descriptor for the program, which closes it.
    fn export(&self) -> Option<libc::c_int> {
        duplicate(self.file.as_raw_fd())
    }

    /// The memory behind a descriptor, and what was asked for when it was made.
    fn import(descriptor: libc::c_int) -> Option<(Self, CUmemAllocationProp)> {
        // SAFETY: the duplicate is new and nobody else's.
        let file = File::from(unsafe { OwnedFd::from_raw_fd(duplicate(descriptor)?) });
        let bytes = file.metadata().ok()?.len().checked_sub(PAGE_BYTES)?;
        let mut page = [0; 8 * WORDS];
        file.read_exact_at(&mut page, bytes).ok()?;
        let word = |place: usize| {
            page[8 * place..8 * place + 8]
                .try_into()
                .map_or(0, u64::from_ne_bytes)
        };
        let location = CUmemLocation {
            r#type: word(2) as u32,
            id: word(3) as u32 as i32,
        };
        let prop = CUmemAllocationProp {
            r#type: word(4) as u32,
            requestedHandleTypes: FILE_DESCRIPTOR,
            location,
            win32HandleMetaData: std::ptr::null_mut(),
            allocFlags: CUmemAllocationFlags {
                compressionType: 0,
                gpuDirectRDMACapable: 0,
                usage: 0,
                reserved: [0; 4],
            },
        };
        let is_ours = word(0) == MARK && word(1) == bytes;
        is_ours.then_some((Self { file, bytes }, prop))
    }
}

fn duplicate(descriptor: libc::c_int) -> Option<libc::c_int> {
    // SAFETY: takes numbers; a descriptor that is none is refused.
    let duplicate = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 0) };
    (duplicate >= 0).then_some(duplicate)
}

pub fn cuMemExportToShareableHandle(
    shareableHandle: *mut c_void,
    handle: CUmemGenericAllocationHandle,
    handleType: u32,
    flags: u64,
) -> Answer {
    let driver = driver::started()?;
    if shareableHandle.is_null() || flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    if handleType != FILE_DESCRIPTOR {
        return Err(CuError::NOT_SUPPORTED);
    }
    let physical = driver.physical.get(handle.0);
    let physical = physical.ok_or(CuError::INVALID_VALUE)?;
    // Memory goes to others only if that was asked for when it was made.
    let shared = physical.shared.as_ref().ok_or(CuError::INVALID_VALUE)?;
    let descriptor = shared.export().ok_or(CuError::OPERATING_SYSTEM)?;
    Out::at(shareableHandle).set(descriptor);
    Ok(())
}

pub fn cuMemImportFromShareableHandle(
    handle: Out<CUmemGenericAllocationHandle>,
    osHandle: *mut c_void,
    shHandleType: u32,
) -> Answer {
    let driver = driver::started()?;
    let place = handle.required()?;
    if shHandleType != FILE_DESCRIPTOR {
        return Err(CuError::NOT_SUPPORTED);
    }
    // The number itself is passed in the pointer's place.
    let descriptor = libc::c_int::try_from(osHandle as u64).map_err(|_| CuError::INVALID_VALUE)?;
    let (shared, prop) = SharedMemory::import(descriptor).ok_or(CuError::INVALID_VALUE)?;
    place.set(Physical::imported(shared, prop)?.register(driver)?);
    Ok(())
}

impl Physical {
    /// Memory that another process, or this one, has made: it is that one's share of the GPU.
    fn imported(shared: SharedMemory, prop: CUmemAllocationProp) -> Result<Self, CuError> {
        let base = shared.map().ok_or(CuError::OUT_OF_MEMORY)?;
        let bytes = shared.bytes;
        Ok(Self::new(prop, (base, bytes), Some(shared)))
    }
}
