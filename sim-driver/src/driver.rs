//! The simulated machine: one for the process, made when the first call arrives, usable once `cuInit` has succeeded.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::abi::CUcontext;
use crate::array::{Array, Mipmap, Surface, Texture};
use crate::context::{Context, ResourceDescriptor};
use crate::device::Device;
use crate::event::Event;
use crate::graph::{Condition, Exec, Graph, NodePlace, UserObject};
use crate::memory::{Memory, Physical, Pool};
use crate::module::{Function, Kernel, Library, Link, Module};
use crate::profile::{self, Pattern, Profile};
use crate::registry::{Kind, Registry};
use crate::stack_room;
use crate::status::{Answer, CuError};
use crate::stream::Stream;
use crate::visible_devices;

/// Names the profile: a shipped one, or a path.
const PROFILE_VARIABLE: &str = "CUTAPE_SIM_PROFILE";
const DEFAULT_PROFILE: &str = "h100";

/// Everything that the simulated driver knows.
pub struct Driver {
    pub profile: Profile,
    /// All GPUs of the machine: what NVML sees.
    pub gpus: Vec<Device>,
    /// Places in `gpus` of those that CUDA_VISIBLE_DEVICES left visible, in its order; read by `cuInit`, as the real driver does.
    visible: OnceLock<Vec<usize>>,
    pub memory: Memory,
    pub contexts: Registry<Context>,
    pub streams: Registry<Stream>,
    pub events: Registry<Event>,
    pub modules: Registry<Module>,
    pub functions: Registry<Function>,
    pub libraries: Registry<Library>,
    pub kernels: Registry<Kernel>,
    pub physical: Registry<Physical>,
    pub pools: Registry<Pool>,
    pub graphs: Registry<Graph>,
    pub graph_nodes: Registry<NodePlace>,
    pub graph_execs: Registry<Exec>,
    pub user_objects: Registry<UserObject>,
    pub arrays: Registry<Array>,
    pub mipmaps: Registry<Mipmap>,
    pub textures: Registry<Texture>,
    pub surfaces: Registry<Surface>,
    pub links: Registry<Link>,
    /// The context that each green one is.
    pub green_contexts: Registry<CUcontext>,
    pub resource_descriptors: Registry<ResourceDescriptor>,
    pub conditions: Registry<Condition>,
}

/// Behind a reference, because it is large: the caller's stack may be small.
static DRIVER: OnceLock<Option<&'static Driver>> = OnceLock::new();

/// A page that the kernel wipes in a forked child. It holds [`STARTED`] once `cuInit` has succeeded; so a child, however it was
/// forked, finds 0 there, and answers as the real driver does in a child of an initialised process.
static START_PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());
const STARTED: u32 = 1;
static STARTING: Mutex<()> = Mutex::new(());
static START_WAS_TRIED: AtomicBool = AtomicBool::new(false);

/// The machine, or nothing if its profile cannot be used (which was then said on stderr).
#[inline]
pub fn machine() -> Option<&'static Driver> {
    *DRIVER.get_or_init(|| stack_room::with_room(load))
}

/// The machine, if `cuInit` has succeeded in this process.
#[inline]
pub fn started() -> Result<&'static Driver, CuError> {
    let page = START_PAGE.load(Ordering::Acquire);
    if page.is_null() {
        return Err(CuError::NOT_INITIALIZED);
    }
    // SAFETY: the page was mapped by `start_page` and is never unmapped; in a forked child it is there too, full of zeros.
    let state = unsafe { &*page }.load(Ordering::Acquire);
    if state == STARTED {
        machine().ok_or(CuError::NOT_INITIALIZED)
    } else {
        Err(CuError::NOT_INITIALIZED)
    }
}

/// Whether `cuInit` was called at all. After a `cuInit` that failed, the real driver looks at some arguments before it says
/// "not initialized" (measured on 535 without a GPU).
pub fn start_was_tried() -> Answer {
    if START_WAS_TRIED.load(Ordering::Acquire) {
        Ok(())
    } else {
        Err(CuError::NOT_INITIALIZED)
    }
}

/// `cuInit`.
pub fn start() -> Answer {
    let driver = machine().ok_or(CuError::NOT_INITIALIZED)?;
    START_WAS_TRIED.store(true, Ordering::Release);
    if started().is_ok() {
        return Ok(());
    }
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if !START_PAGE.load(Ordering::Acquire).is_null() {
        return started().map(|_| ());
    }
    let visible = driver.visible.get_or_init(|| {
        let uuids: Vec<_> = driver.gpus.iter().map(|gpu| gpu.uuid).collect();
        visible_devices::visible(
            std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref(),
            &uuids,
            driver.profile.visible_devices,
        )
    });
    if visible.is_empty() && !driver.profile.starts_without_gpu {
        return Err(CuError::NO_DEVICE);
    }
    let page = start_page()?;
    page.store(STARTED, Ordering::Release);
    START_PAGE.store(std::ptr::from_ref(page).cast_mut(), Ordering::Release);
    Ok(())
}

impl Driver {
    /// The devices that the program sees, by ordinal.
    pub fn devices(&self) -> impl ExactSizeIterator<Item = &Device> {
        self.visible
            .get()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|&place| &self.gpus[place])
    }

    /// The device of an ordinal.
    pub fn device(&self, ordinal: i32) -> Result<&Device, CuError> {
        let place = usize::try_from(ordinal).ok();
        place
            .and_then(|place| self.devices().nth(place))
            .ok_or(CuError::INVALID_DEVICE)
    }

    /// The ordinal that the program knows a device by.
    pub fn ordinal(&self, device: &Device) -> i32 {
        self.devices()
            .position(|candidate| candidate.index == device.index)
            .map_or(-1, |place| place as i32)
    }
}

/// The profile that the environment asks for.
pub fn profile_name() -> String {
    std::env::var(PROFILE_VARIABLE)
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| DEFAULT_PROFILE.to_owned())
}

fn load() -> Option<&'static Driver> {
    match profile::load(&profile_name()).map(for_this_process) {
        Ok(profile) => Some(Box::leak(Box::new(Driver {
            gpus: (0..profile.count)
                .map(|index| Device::new(&profile.gpu, index as usize))
                .collect(),
            profile,
            visible: OnceLock::new(),
            memory: Memory::default(),
            contexts: Registry::new(Kind::Context),
            streams: Registry::new(Kind::Stream),
            events: Registry::new(Kind::Event),
            modules: Registry::new(Kind::Module),
            functions: Registry::new(Kind::Function),
            libraries: Registry::new(Kind::Library),
            kernels: Registry::new(Kind::Kernel),
            physical: Registry::new(Kind::Physical),
            pools: Registry::new(Kind::Pool),
            graphs: Registry::new(Kind::Graph),
            graph_nodes: Registry::new(Kind::GraphNode),
            graph_execs: Registry::new(Kind::GraphExec),
            user_objects: Registry::new(Kind::UserObject),
            arrays: Registry::new(Kind::Array),
            mipmaps: Registry::new(Kind::Mipmap),
            textures: Registry::new(Kind::Texture),
            surfaces: Registry::new(Kind::Surface),
            links: Registry::new(Kind::Link),
            green_contexts: Registry::new(Kind::GreenContext),
            resource_descriptors: Registry::new(Kind::ResourceDescriptor),
            conditions: Registry::new(Kind::Condition),
        }))),
        Err(error) => {
            eprintln!(
                "cutape: simulated driver ({PROFILE_VARIABLE}): {error}; every call will answer \"not initialized\""
            );
            None
        }
    }
}

/// The profile without the faults of other programs.
fn for_this_process(mut profile: Profile) -> Profile {
    profile.faults.retain(|fault| {
        fault
            .process
            .as_ref()
            .is_none_or(Pattern::fits_this_process)
    });
    profile
}

/// A fresh page that is wiped in forked children.
fn start_page() -> Result<&'static AtomicU32, CuError> {
    const PAGE_BYTES: usize = 4096;
    // SAFETY: a new anonymous mapping at a place of the kernel's choice touches no memory of anyone else.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGE_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(CuError::OUT_OF_MEMORY);
    }
    // SAFETY: advises about the page just mapped. On a kernel before 4.14 it fails, and a child then answers like its parent.
    unsafe { libc::madvise(page, PAGE_BYTES, libc::MADV_WIPEONFORK) };
    // SAFETY: the page is zeroed, aligned, lives as long as the process, and is only ever used as this atomic.
    Ok(unsafe { &*page.cast::<AtomicU32>() })
}
