//! `cuIpc*MemHandle`: memory of one process in another. What is exported moves into an anonymous file, at the same address; a process that
//! opens the handle maps that file, as long as the exporting process lives.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::heap;
use super::{Allocation, Origin, pages};
use crate::abi::{CUdeviceptr, CUipcMemHandle_v1};
use crate::boundary::Out;
use crate::context::current;
use crate::driver;
use crate::shared_file::{self, Told};
use crate::status::{Answer, CuError};
use crate::stream::unsafe_call;

/// `CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS`, which must be given.
const LAZY_ENABLE_PEER_ACCESS: u32 = 1;
/// Handles of memory begin so.
const MARK: u64 = u64::from_le_bytes(*b"cutapeIM");

/// What a handle says: where the file is, and which part of it is meant.
struct Exported {
    file: Told,
    offset: u64,
    bytes: u64,
    /// Place of the GPU in the machine.
    device: u64,
}

impl Exported {
    fn handle(&self) -> CUipcMemHandle_v1 {
        let [process, descriptor, inode, file_bytes] = self.file.words();
        let part = [self.offset, self.bytes, self.device];
        CUipcMemHandle_v1 {
            reserved: shared_file::handle_of_words([
                MARK, process, descriptor, inode, file_bytes, part[0], part[1], part[2],
            ]),
        }
    }

    fn read(handle: &CUipcMemHandle_v1) -> Option<Self> {
        let [
            mark,
            process,
            descriptor,
            inode,
            file_bytes,
            offset,
            bytes,
            device,
        ] = shared_file::words_of_handle(&handle.reserved);
        let is_inside = bytes > 0 && offset.checked_add(bytes)? <= file_bytes;
        (mark == MARK && is_inside).then_some(Self {
            file: Told::from_words([process, descriptor, inode, file_bytes]),
            offset,
            bytes,
            device,
        })
    }
}

/// Runs of pages that lie in files, by address.
static EXPORTED: Mutex<BTreeMap<u64, File>> = Mutex::new(BTreeMap::new());
/// Where opened memory begins, with the run of pages that was mapped for it.
static OPENED: Mutex<BTreeMap<u64, (u64, u64)>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pages at this address are about to go.
pub fn forget(base: u64) {
    lock(&EXPORTED).remove(&base);
}

/// Unmaps memory that was opened. `false` if none that was begins there.
pub fn close(address: u64) -> bool {
    match lock(&OPENED).remove(&address) {
        Some((base, bytes)) => {
            pages::unmap(base, bytes);
            true
        }
        None => false,
    }
}

/// An anonymous file that holds what lies in a run of pages, and is mapped in their place.
fn move_into_file(base: u64, bytes: u64) -> Option<File> {
    let file = shared_file::make(bytes)?;
    pages::move_into_file(base, bytes, &file).then_some(file)
}

pub fn cuIpcGetMemHandle(pHandle: Out<CUipcMemHandle_v1>, dptr: CUdeviceptr) -> Answer {
    // Measured on 535, here and below: wrong arguments are told before "not initialized".
    let place = pHandle.required()?;
    if dptr.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    let context = current()?;
    let found = driver
        .memory
        .map
        .find(dptr.0)
        .filter(|found| found.origin == Origin::Device)
        .ok_or(CuError::INVALID_VALUE)?;
    unsafe_call()?;
    // Only the driver itself writes device memory here, and only in streams.
    context.group.wait();
    let (base, file_bytes) = heap::block_of(found.base, found.bytes);
    let mut exported = lock(&EXPORTED);
    if let std::collections::btree_map::Entry::Vacant(entry) = exported.entry(base) {
        entry.insert(move_into_file(base, file_bytes).ok_or(CuError::OUT_OF_MEMORY)?);
    }
    let file = exported.get(&base).ok_or(CuError::OUT_OF_MEMORY)?;
    let told = Exported {
        file: Told::about(file).ok_or(CuError::OPERATING_SYSTEM)?,
        offset: found.base - base,
        bytes: found.bytes,
        device: found.device as u64,
    };
    place.set(told.handle());
    Ok(())
}

pub fn cuIpcOpenMemHandle(
    pdptr: Out<CUdeviceptr>,
    handle: CUipcMemHandle_v1,
    Flags: u32,
) -> Answer {
    cuIpcOpenMemHandle_v2(pdptr, handle, Flags)
}

pub fn cuIpcOpenMemHandle_v2(
    pdptr: Out<CUdeviceptr>,
    handle: CUipcMemHandle_v1,
    Flags: u32,
) -> Answer {
    let place = pdptr.required()?;
    if Flags != LAZY_ENABLE_PEER_ACCESS {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    let context = current()?;
    let told = Exported::read(&handle).ok_or(CuError::INVALID_VALUE)?;
    let device = driver
        .gpus
        .get(told.device as usize)
        .ok_or(CuError::INVALID_VALUE)?;
    // A process may not open what it exported itself.
    if told.file.is_of_this_process() {
        return Err(CuError::INVALID_CONTEXT);
    }
    unsafe_call()?;
    // Fails where the process has ended, or has freed the memory.
    let file = told.file.open().ok_or(CuError::INVALID_VALUE)?;
    let file_bytes = told.file.bytes;
    let mapped = pages::map_file(&file, file_bytes).ok_or(CuError::OUT_OF_MEMORY)?;
    let base = mapped + told.offset;
    lock(&OPENED).insert(base, (mapped, file_bytes));
    driver.memory.map.insert(Allocation {
        base,
        bytes: told.bytes,
        taken_bytes: 0,
        origin: Origin::Opened,
        context_id: context.id,
        context: context.handle,
        device: device.index,
        buffer_id: driver.memory.new_buffer_id(),
        flags: 0,
        pool: 0,
    });
    place.set(CUdeviceptr(base));
    Ok(())
}

pub fn cuIpcCloseMemHandle(dptr: CUdeviceptr) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    context.group.wait();
    let is_opened = |found: &Allocation| found.origin == Origin::Opened;
    driver
        .memory
        .map
        .remove_if(dptr.0, is_opened)
        .ok_or(CuError::INVALID_VALUE)?;
    close(dptr.0);
    Ok(())
}
