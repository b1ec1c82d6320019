//! How the parameters of each kernel lie, by the handle that launches it.
//!
//! A launch looks its handle up without a lock. Handles get into the table when the driver gives them out, so that a handle which the
//! program made up is never passed on by us; the driver is asked for the layout at the first launch. Handles are used again after their
//! module was unloaded: then the next one who gets such a handle has it asked about anew.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutape_trace_format::kernel_arguments::{ArgumentForm, KernelLayout, LayoutOrigin};
use cutape_trace_format::ring::{MAX_CAPTURE, capture_word};

use crate::frame::Frame;
use crate::image_layouts::Owner;
use crate::kernel_layout;
use crate::process::Process;

/// Handles that the first table has room for; it is replaced by larger ones.
const FIRST_SLOTS: usize = 1024;
/// No program has more kernels; handles beyond that have no layout.
const MAX_SLOTS: usize = 1 << 22;

/// Parameters of a usual kernel.
const FEW_PARAMS: usize = 64;

/// What kind of handle the driver gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleKind {
    /// `CUfunction`.
    Function,
    /// `CUkernel`.
    Kernel,
}

/// The layout of a kernel's parameters, and what a record says of it.
pub struct KnownLayout {
    /// The layout.
    pub layout: KernelLayout,
    /// Bytes of the buffer that its parameters form.
    pub buffer_bytes: usize,
    /// Words of the buffer.
    pub buffer_words: usize,
    /// The layout as a capture of arguments passed by pointers, header word included, without its number.
    pub capture: Vec<u64>,
    /// Words of a record that layout and buffer take.
    pub record_words: usize,
    /// Each byte of the buffer but the last few belongs to a parameter.
    pub is_dense: bool,
    /// Neither parameters nor bytes are so many that only the general way takes them.
    pub is_usual: bool,
    /// [`KernelTable::unloads`] when the driver was asked.
    unloads: u64,
}

impl KnownLayout {
    fn new(layout: KernelLayout, unloads: u64) -> Self {
        let bytes = layout.to_bytes(ArgumentForm::Pointers);
        let mut capture = vec![capture_word(0, 0, bytes.len() as u32)];
        capture.extend(bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        }));
        let buffer_bytes = layout.buffer_bytes();
        let buffer_words = buffer_bytes.div_ceil(8);
        let (mut end, mut is_dense) = (0, true);
        for place in &layout.params {
            is_dense &= usize::from(place.offset) == end;
            end += usize::from(place.size);
        }
        Self {
            buffer_bytes,
            buffer_words,
            record_words: capture.len() + 1 + buffer_words,
            is_dense,
            is_usual: layout.params.len() <= FEW_PARAMS && buffer_bytes <= MAX_CAPTURE,
            layout,
            capture,
            unloads,
        }
    }
}

struct Slot {
    handle: AtomicU64,
    /// Null: the driver was not asked yet.
    layout: AtomicPtr<KnownLayout>,
    kernel: AtomicU64,
}

/// The table. Its parts are never freed: somebody may be looking at them.
pub struct KernelTable {
    slots: AtomicPtr<Vec<Slot>>,
    /// Times that modules may have gone.
    unloads: AtomicU64,
    /// Handles in the table.
    writer: Mutex<usize>,
}

/// What the table knows of a handle.
pub enum Entry {
    /// The driver didn't give it out.
    Unknown,
    /// Nobody has asked for its layout yet.
    Unasked(HandleKind),
    /// Its layout.
    Known(&'static KnownLayout),
}

impl KernelTable {
    pub fn new() -> Self {
        Self {
            slots: AtomicPtr::new(leak(make_slots(FIRST_SLOTS))),
            unloads: AtomicU64::new(0),
            writer: Mutex::new(0),
        }
    }

    #[inline]
    fn slots(&self) -> &'static [Slot] {
        // SAFETY: tables are leaked and published whole.
        unsafe { &*self.slots.load(Ordering::Acquire) }
    }

    /// What is known of a handle.
    #[inline]
    pub fn find(&self, handle: u64) -> Entry {
        match find_slot(self.slots(), handle) {
            Some(slot) if slot.handle.load(Ordering::Acquire) == handle => {
                // SAFETY: layouts are leaked and published whole.
                match unsafe { slot.layout.load(Ordering::Acquire).as_ref() } {
                    Some(known) => Entry::Known(known),
                    None => Entry::Unasked(kind_of(slot)),
                }
            }
            _ => Entry::Unknown,
        }
    }

    /// Keeps what was found out about a handle.
    pub fn set(&self, handle: u64, layout: KernelLayout) -> &'static KnownLayout {
        let unloads = self.unloads.load(Ordering::Acquire);
        let known = Box::leak(Box::new(KnownLayout::new(layout, unloads)));
        let _writer = self.writer();
        if let Some(slot) = find_slot(self.slots(), handle)
            && slot.handle.load(Ordering::Relaxed) == handle
        {
            slot.layout.store(known, Ordering::Release);
        }
        known
    }

    /// The driver has given out a handle.
    pub fn given(&self, handle: u64, kind: HandleKind) {
        if handle == 0 {
            return;
        }
        let mut count = self.writer();
        if 2 * *count >= self.slots().len() && self.slots().len() < MAX_SLOTS {
            self.grow();
        }
        let Some(slot) = find_slot(self.slots(), handle) else {
            return;
        };
        if slot.handle.load(Ordering::Relaxed) == handle {
            // SAFETY: as in `find`.
            let known = unsafe { slot.layout.load(Ordering::Relaxed).as_ref() };
            let unloads = self.unloads.load(Ordering::Acquire);
            if kind_of(slot) == kind && known.is_none_or(|known| known.unloads == unloads) {
                return;
            }
            slot.layout.store(ptr::null_mut(), Ordering::Release);
            slot.kernel
                .store(u64::from(kind == HandleKind::Kernel), Ordering::Release);
        } else if *count < MAX_SLOTS / 2 {
            *count += 1;
            slot.kernel
                .store(u64::from(kind == HandleKind::Kernel), Ordering::Relaxed);
            slot.handle.store(handle, Ordering::Release);
        }
    }

    /// A module is about to go, and its handles may mean others from then on.
    pub fn unload(&self) {
        self.unloads.fetch_add(1, Ordering::AcqRel);
    }

    fn grow(&self) {
        let old = self.slots();
        let new = make_slots(2 * old.len());
        for slot in old {
            let handle = slot.handle.load(Ordering::Relaxed);
            if let Some(place) = find_slot(&new, handle).filter(|_| handle != 0) {
                place
                    .layout
                    .store(slot.layout.load(Ordering::Relaxed), Ordering::Relaxed);
                place
                    .kernel
                    .store(slot.kernel.load(Ordering::Relaxed), Ordering::Relaxed);
                place.handle.store(handle, Ordering::Relaxed);
            }
        }
        self.slots.store(leak(new), Ordering::Release);
    }

    fn writer(&self) -> MutexGuard<'_, usize> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_slots(count: usize) -> Vec<Slot> {
    let empty = || Slot {
        handle: AtomicU64::new(0),
        layout: AtomicPtr::new(ptr::null_mut()),
        kernel: AtomicU64::new(0),
    };
    (0..count).map(|_| empty()).collect()
}

fn leak(slots: Vec<Slot>) -> *mut Vec<Slot> {
    Box::leak(Box::new(slots))
}

fn kind_of(slot: &Slot) -> HandleKind {
    if slot.kernel.load(Ordering::Acquire) == 0 {
        HandleKind::Function
    } else {
        HandleKind::Kernel
    }
}

/// The slot that has a handle, or the free one where it would be; `None` if there is neither.
#[inline]
fn find_slot(slots: &[Slot], handle: u64) -> Option<&Slot> {
    let mask = slots.len() - 1;
    let home = (handle.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
    for step in 0..slots.len() {
        let slot = &slots[(home + step) & mask];
        let there = slot.handle.load(Ordering::Acquire);
        if there == handle || there == 0 {
            return Some(slot);
        }
    }
    None
}

/// After `cuModuleGetFunction(hfunc, hmod, name)`.
///
/// # Safety
/// Runs after such a call returned, with its frame.
pub unsafe fn function_given(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe {
        given(frame, HandleKind::Function, 1);
        named(frame, Owner::Module(frame.word(1)));
    }
}

/// After `cuLibraryGetKernel(pKernel, library, name)`.
///
/// # Safety
/// As for [`function_given`].
pub unsafe fn kernel_given(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe {
        given(frame, HandleKind::Kernel, 1);
        named(frame, Owner::Library(frame.word(1)));
    }
}

/// After `cuKernelGetFunction(pFunc, kernel)`.
///
/// # Safety
/// As for [`function_given`].
pub unsafe fn function_of_kernel_given(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe { given(frame, HandleKind::Function, 1) };
    let Some(process) = Process::get() else {
        return;
    };
    // What an image says of the kernel holds of its function, too; a driver that knows is asked about each.
    if let Entry::Known(known) = process.kernels().find(frame.word(1))
        && known.layout.origin == LayoutOrigin::Image
    {
        let layout = known.layout.clone();
        // SAFETY: the caller's promise.
        unsafe { set_given(frame, process, layout) };
    }
}

/// What the image says of the kernel of that name that the driver has just given out, if it was read.
unsafe fn named(frame: &Frame, owner: Owner) {
    let name: *const c_char = ptr::with_exposed_provenance(frame.word(2) as usize);
    let Some(process) = Process::get().filter(|process| process.wants_kernel_arguments()) else {
        return;
    };
    if frame.result[0] as u32 != 0 || name.is_null() {
        return;
    }
    // SAFETY: the driver has found the kernel by this name, so it is one.
    let name = unsafe { CStr::from_ptr(name) };
    if let Some(layout) = process.image_layouts().find(owner, name.to_bytes()) {
        // SAFETY: the caller's promise.
        unsafe { set_given(frame, process, layout) };
    }
}

/// The layout of the kernel whose handle the driver has just written where word 0 points to.
unsafe fn set_given(frame: &Frame, process: &'static Process, layout: KernelLayout) {
    let place = frame.word(0) as *const u64;
    if frame.result[0] as u32 == 0 && !place.is_null() {
        // SAFETY: after success the driver has written it.
        let handle = unsafe { place.read_unaligned() };
        if matches!(process.kernels().find(handle), Entry::Unasked(_)) {
            process.kernels().set(handle, layout);
        }
    }
}

/// After `cuModuleEnumerateFunctions(functions, numFunctions, ...)`.
///
/// # Safety
/// As for [`function_given`].
pub unsafe fn functions_given(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe { given(frame, HandleKind::Function, frame.word(1) as u32) }
}

/// After `cuLibraryEnumerateKernels(kernels, numKernels, ...)`.
///
/// # Safety
/// As for [`function_given`].
pub unsafe fn kernels_given(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe { given(frame, HandleKind::Kernel, frame.word(1) as u32) }
}

/// Takes in the handles that the driver has just written where word 0 points to.
unsafe fn given(frame: &Frame, kind: HandleKind, count: u32) {
    let place = frame.word(0) as *const u64;
    let Some(process) = Process::get().filter(|process| process.wants_kernel_arguments()) else {
        return;
    };
    if frame.result[0] as u32 != 0 || place.is_null() {
        return;
    }
    for index in 0..count as usize {
        // SAFETY: after success the driver has written as many handles; fewer only where the module has fewer functions, and then the
        // program's array is all the same that long.
        let handle = unsafe { place.add(index).read_unaligned() };
        process.kernels().given(handle, kind);
    }
}

/// The layout of a kernel, from the table or from the driver.
pub fn layout_of(process: &'static Process, handle: u64) -> Option<&'static KnownLayout> {
    match process.kernels().find(handle) {
        Entry::Known(known) => Some(known),
        Entry::Unknown => None,
        Entry::Unasked(kind) => {
            let layout = kernel_layout::ask(handle, kind)?;
            Some(process.kernels().set(handle, layout))
        }
    }
}

#[cfg(test)]
mod tests {
    use cutape_trace_format::kernel_arguments::ParamPlace;

    use super::*;

    fn some_layout() -> KernelLayout {
        KernelLayout {
            origin: LayoutOrigin::Driver,
            params: Vec::new(),
        }
    }

    fn place(offset: u16, size: u16) -> ParamPlace {
        ParamPlace { offset, size }
    }

    #[test]
    fn only_a_layout_without_gaps_is_dense() {
        let dense = |params: &[ParamPlace]| {
            let layout = KernelLayout {
                origin: LayoutOrigin::Driver,
                params: params.to_vec(),
            };
            KnownLayout::new(layout, 0).is_dense
        };
        assert!(dense(&[]));
        assert!(dense(&[place(0, 8), place(8, 4)]));
        assert!(!dense(&[place(0, 4), place(8, 8)]));
        assert!(!dense(&[place(4, 4)]));
        assert!(
            !dense(&[place(0, 8), place(4, 4), place(16, 8)]),
            "what overlaps doesn't make up for a gap"
        );
    }

    #[test]
    fn handles_are_found_however_many_there_are() {
        let table = KernelTable::new();
        for handle in 1..=10_000u64 {
            table.given(handle << 8, HandleKind::Function);
        }
        table.set(77 << 8, some_layout());
        assert!(matches!(table.find(77 << 8), Entry::Known(_)));
        assert!(matches!(
            table.find(10_000 << 8),
            Entry::Unasked(HandleKind::Function)
        ));
        assert!(matches!(table.find(5), Entry::Unknown));
    }

    #[test]
    fn a_handle_given_out_again_after_an_unload_is_asked_about_anew() {
        let table = KernelTable::new();
        table.given(5, HandleKind::Kernel);
        table.set(5, some_layout());
        table.given(5, HandleKind::Kernel);
        assert!(matches!(table.find(5), Entry::Known(_)));
        table.unload();
        assert!(matches!(table.find(5), Entry::Known(_)));
        table.given(5, HandleKind::Kernel);
        assert!(matches!(table.find(5), Entry::Unasked(HandleKind::Kernel)));
    }
}
