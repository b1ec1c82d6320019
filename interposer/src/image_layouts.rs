//! How the parameters of kernels lie by the image of their module: for drivers that can't say it themselves, before CUDA 12.4.
//!
//! An image is read once, when its module was loaded, by the thread that loaded it. From then on it is known which kernels it has.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cutape_module_image::{KernelImage, Target};
use cutape_trace_format::kernel_arguments::{KernelLayout, LayoutOrigin, ParamPlace};

use crate::content::{Content, Source};
use crate::frame::Frame;
use crate::image;
use crate::payload_store::MAX_BYTES;
use crate::process::Process;
use crate::real_driver::exported;
use crate::recording;
use crate::thread::ThreadState;

/// Kernels of all images that are kept in mind; no program has as many.
const MAX_KERNELS: usize = 1 << 20;
/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `..._MINOR`.
const CAPABILITY: [i32; 2] = [75, 76];
/// Whatever the version of some PTX: the driver has taken it.
const ANY_PTX: u32 = u32::MAX;

/// What has kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A `CUmodule`.
    Module(u64),
    /// A `CUlibrary`.
    Library(u64),
}

type Layouts = HashMap<Vec<u8>, KernelLayout>;

/// The kernels of modules and libraries.
#[derive(Default)]
pub struct ImageLayouts {
    owners: Mutex<HashMap<Owner, Arc<Layouts>>>,
}

impl ImageLayouts {
    /// How the parameters of a kernel lie, if its image is known and says so.
    pub fn find(&self, owner: Owner, name: &[u8]) -> Option<KernelLayout> {
        self.owners().get(&owner)?.get(name).cloned()
    }

    /// A module or a library is about to go.
    pub fn forget(&self, owner: Owner) {
        self.owners().remove(&owner);
    }

    /// A context may be about to go, with all of its modules.
    pub fn forget_modules(&self) {
        let is_library = |owner: &Owner| matches!(owner, Owner::Library(_));
        self.owners().retain(|owner, _| is_library(owner));
    }

    fn add(&self, owner: Owner, layouts: Arc<Layouts>) {
        let mut owners = self.owners();
        let kernels: usize = owners.values().map(|layouts| layouts.len()).sum();
        if kernels + layouts.len() <= MAX_KERNELS {
            owners.insert(owner, layouts);
        }
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<Owner, Arc<Layouts>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// After `cuModuleLoadData(module, image, ...)` and its like.
///
/// # Safety
/// Runs after such a call returned, with its frame.
pub unsafe fn module_loaded(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe { loaded(frame, Owner::Module, content_in_memory) }
}

/// After `cuLibraryLoadData(library, code, ...)`.
///
/// # Safety
/// As for [`module_loaded`].
pub unsafe fn library_loaded(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe { loaded(frame, Owner::Library, content_in_memory) }
}

/// After `cuModuleLoad(module, fname)`.
///
/// # Safety
/// As for [`module_loaded`].
pub unsafe fn module_file_loaded(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe { loaded(frame, Owner::Module, content_of_file) }
}

/// After `cuLibraryLoadFromFile(library, fileName, ...)`.
///
/// # Safety
/// As for [`module_loaded`].
pub unsafe fn library_file_loaded(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    unsafe { loaded(frame, Owner::Library, content_of_file) }
}

/// After `cuLibraryGetModule(pMod, library)`: the module has the kernels of the library.
///
/// # Safety
/// As for [`module_loaded`].
pub unsafe fn module_given(frame: &mut Frame) {
    // SAFETY: the caller's promise.
    let Some((process, module)) = (unsafe { answered(frame) }) else {
        return;
    };
    let layouts = process.image_layouts();
    let library = Owner::Library(frame.word(1));
    let known = layouts.owners().get(&library).cloned();
    if let Some(known) = known {
        layouts.add(Owner::Module(module), known);
    }
}

/// The handle that a successful call has answered, in a recording that wants arguments of kernels.
///
/// # Safety
/// As for [`module_loaded`].
unsafe fn answered(frame: &Frame) -> Option<(&'static Process, u64)> {
    let place = frame.word(0) as *const u64;
    let process = Process::get().filter(|process| process.wants_kernel_arguments())?;
    if frame.result[0] as u32 != 0 || place.is_null() {
        return None;
    }
    // SAFETY: after success the driver has written a handle there.
    Some((process, unsafe { place.read_unaligned() }))
}

/// Reads the image of what was loaded.
///
/// # Safety
/// As for [`module_loaded`].
unsafe fn loaded(
    frame: &Frame,
    owner: fn(u64) -> Owner,
    content: unsafe fn(u64) -> Option<Content>,
) {
    // SAFETY: the caller's promise.
    let Some((process, handle)) = (unsafe { answered(frame) }) else {
        return;
    };
    if exported(c"cuFuncGetParamInfo").is_some() {
        return;
    }
    let source = frame.word(1);
    // SAFETY: the state is the calling thread's; the driver has just read the image or the name that the program gave it.
    let layouts = unsafe {
        recording::aside(ThreadState::current(), || {
            content(source).and_then(|content| read(&content))
        })
    };
    process.image_layouts().forget(owner(handle));
    if let Some(layouts) = layouts.flatten() {
        process
            .image_layouts()
            .add(owner(handle), Arc::new(layouts));
    }
}

/// # Safety
/// None: memory that can't be read is no image.
unsafe fn content_in_memory(at: u64) -> Option<Content> {
    let found = image::find(at as usize).ok()?;
    Some(Content {
        source: Source::Memory { at: found.at },
        bytes: found.bytes,
        kind: found.kind,
    })
}

/// # Safety
/// There is a C string at the address.
unsafe fn content_of_file(at: u64) -> Option<Content> {
    let name: *const c_char = std::ptr::with_exposed_provenance(at as usize);
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    Content::of_file(name.to_bytes()).ok()
}

fn read(content: &Content) -> Option<Layouts> {
    if content.bytes > MAX_BYTES {
        return None;
    }
    let mut bytes = vec![0; content.bytes as usize];
    if !content.read(0, &mut bytes) {
        return None;
    }
    let target = Target {
        capability: capability()?,
        newest_ptx: ANY_PTX,
    };
    let image = cutape_module_image::read(&bytes, target).ok()?;
    let kernels = image.kernels.iter().take(MAX_KERNELS);
    Some(kernels.filter_map(named_layout).collect())
}

fn named_layout(kernel: &KernelImage) -> Option<(Vec<u8>, KernelLayout)> {
    let places = kernel.known_params()?.iter().map(|&(offset, size)| {
        Some(ParamPlace {
            offset: u16::try_from(offset).ok()?,
            size: u16::try_from(size).ok()?,
        })
    });
    let layout = KernelLayout {
        origin: LayoutOrigin::Image,
        params: places.collect::<Option<_>>()?,
    };
    Some((kernel.name.as_bytes().to_vec(), layout))
}

/// 10 x major + minor of the current device's compute capability, or of the first device's where no context is current.
fn capability() -> Option<u32> {
    let mut device = 0;
    if let Some(current) = exported(c"cuCtxGetDevice") {
        // SAFETY: CUresult cuCtxGetDevice(CUdevice *device)
        let current: unsafe extern "C" fn(*mut i32) -> u32 =
            unsafe { std::mem::transmute::<*const c_void, _>(current) };
        // SAFETY: the place is ours.
        if unsafe { current(&raw mut device) } != 0 {
            device = 0;
        }
    }
    // SAFETY: CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)
    let ask: unsafe extern "C" fn(*mut i32, i32, i32) -> u32 =
        unsafe { std::mem::transmute::<*const c_void, _>(exported(c"cuDeviceGetAttribute")?) };
    let [major, minor] = CAPABILITY.map(|attribute| {
        let mut value = 0;
        // SAFETY: the place is ours.
        let code = unsafe { ask(&raw mut value, attribute, device) };
        u32::try_from(value).ok().filter(|_| code == 0)
    });
    Some(10 * major? + minor?)
}
