//! Code: modules, libraries, their functions and kernels, and the calls about them.

mod calls;
mod function_calls;
mod image;
mod image_memory;
mod library_calls;
mod link;
mod linked_file;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use calls::*;
pub use cutape_module_image::{Image, KernelImage};
pub use function_calls::*;
pub use library_calls::*;
pub use link::{
    Link, cuLinkAddData_v2, cuLinkAddFile_v2, cuLinkComplete, cuLinkCreate_v2, cuLinkDestroy,
};

use crate::abi::{CUdeviceptr, CUfunction, CUkernel, CUlibrary, CUmodule};
use crate::context::Context;
use crate::device::Device;
use crate::driver::Driver;
use crate::memory::{Origin, Request};
use crate::registry::Registry;
use crate::status::CuError;

/// Code that is loaded into a context.
pub struct Module {
    pub handle: CUmodule,
    pub context_id: u64,
    pub image: Arc<Image>,
    /// Functions that were asked for, by name: asking again gives the same handle.
    functions: Mutex<BTreeMap<String, u64>>,
    globals: BTreeMap<String, (CUdeviceptr, usize)>,
}

/// A function of a module.
pub struct Function {
    pub module: CUmodule,
    pub context_id: u64,
    pub settings: Settings,
}

/// Code that is not tied to a context: it becomes a module in each context that uses it.
pub struct Library {
    pub handle: CUlibrary,
    pub image: Arc<Image>,
    kernels: Mutex<BTreeMap<String, u64>>,
    modules: Mutex<BTreeMap<u64, CUmodule>>,
}

/// A kernel of a library.
pub struct Kernel {
    pub library: CUlibrary,
    pub name: String,
    pub settings: Settings,
}

/// A kernel as it was compiled, and what the program may change about it.
pub struct Settings {
    image: Arc<Image>,
    place: usize,
    /// Dynamic shared memory that launches may ask for; -1 until it is set.
    max_dynamic_shared_bytes: AtomicI32,
    carveout_percent: AtomicI32,
    required_cluster: [AtomicI32; 3],
    non_portable_cluster: AtomicI32,
    cluster_policy: AtomicI32,
}

impl Settings {
    fn new(image: &Arc<Image>, place: usize) -> Self {
        Self {
            image: Arc::clone(image),
            place,
            max_dynamic_shared_bytes: AtomicI32::new(-1),
            carveout_percent: AtomicI32::new(-1),
            required_cluster: [const { AtomicI32::new(0) }; 3],
            non_portable_cluster: AtomicI32::new(0),
            cluster_policy: AtomicI32::new(0),
        }
    }

    /// What the image says of the kernel.
    pub fn kernel(&self) -> &KernelImage {
        &self.image.kernels[self.place]
    }

    /// How much dynamic shared memory a launch may ask for.
    pub fn max_dynamic_shared_bytes(&self, device: &Device) -> i32 {
        match self.max_dynamic_shared_bytes.load(Ordering::Relaxed) {
            -1 => {
                device.attribute(crate::attribute::number::MAX_SHARED_MEMORY_PER_BLOCK)
                    - self.kernel().shared_bytes as i32
            }
            bytes => bytes,
        }
    }
}

impl Module {
    /// Loads an image into a context: its globals get memory and their first values.
    pub fn load(
        driver: &Driver,
        context: &Context,
        image: Arc<Image>,
    ) -> Result<Arc<Self>, CuError> {
        let mut globals = BTreeMap::new();
        for global in &image.globals {
            let request = Request {
                bytes: global.bytes.max(1),
                origin: Origin::Device,
                pool: 0,
            };
            let address = driver.memory.allocate(context, request)?;
            driver
                .memory
                .fill_in(address, global.bytes, &global.initial);
            globals.insert(
                global.name.clone(),
                (CUdeviceptr(address), global.bytes as usize),
            );
        }
        let make = |handle| Self {
            handle: CUmodule(handle),
            context_id: context.id,
            image,
            functions: Mutex::default(),
            globals,
        };
        driver.modules.insert(make).ok_or(CuError::OUT_OF_MEMORY)
    }

    /// The function of that name.
    pub fn function(&self, driver: &Driver, name: &str) -> Result<CUfunction, CuError> {
        let place = self
            .image
            .kernels
            .iter()
            .position(|kernel| kernel.name == name)
            .ok_or(CuError::NOT_FOUND)?;
        let make = |_| Function {
            module: self.handle,
            context_id: self.context_id,
            settings: Settings::new(&self.image, place),
        };
        handle_of(&driver.functions, &mut lock(&self.functions), name, make).map(CUfunction)
    }

    /// Ends the handles of its functions and gives its globals' memory back.
    pub fn drop_functions(&self, driver: &Driver) {
        for handle in lock(&self.functions).values() {
            driver.functions.remove(*handle);
        }
        for (address, _) in self.globals.values() {
            // When its context is ending, the memory is gone already.
            let _ = driver.memory.free(driver, address.0, |_| true);
        }
    }

    /// A global variable: address and bytes.
    pub fn global(&self, name: &str) -> Result<(CUdeviceptr, usize), CuError> {
        self.globals.get(name).copied().ok_or(CuError::NOT_FOUND)
    }
}

impl Library {
    /// The kernel of that name.
    pub fn kernel(&self, driver: &Driver, name: &str) -> Result<CUkernel, CuError> {
        let place = self
            .image
            .kernels
            .iter()
            .position(|kernel| kernel.name == name)
            .ok_or(CuError::NOT_FOUND)?;
        let make = |_| Kernel {
            library: self.handle,
            name: name.to_owned(),
            settings: Settings::new(&self.image, place),
        };
        handle_of(&driver.kernels, &mut lock(&self.kernels), name, make).map(CUkernel)
    }

    /// The library as a module of a context, loaded when first asked for.
    pub fn module(&self, driver: &Driver, context: &Context) -> Result<Arc<Module>, CuError> {
        let mut modules = lock(&self.modules);
        if let Some(module) = modules
            .get(&context.id)
            .and_then(|handle| driver.modules.get(handle.0))
        {
            return Ok(module);
        }
        let module = Module::load(driver, context, Arc::clone(&self.image))?;
        modules.insert(context.id, module.handle);
        Ok(module)
    }

    /// Ends its kernels and its modules.
    pub fn drop_kernels(&self, driver: &Driver) {
        for handle in lock(&self.kernels).values() {
            driver.kernels.remove(*handle);
        }
        for handle in lock(&self.modules).values() {
            if let Some(module) = driver.modules.remove(handle.0) {
                module.drop_functions(driver);
            }
        }
    }
}

/// The handle that a name has already, or a new one.
fn handle_of<T>(
    registry: &Registry<T>,
    known: &mut BTreeMap<String, u64>,
    name: &str,
    make: impl FnOnce(u64) -> T,
) -> Result<u64, CuError> {
    if let Some(handle) = known.get(name) {
        return Ok(*handle);
    }
    let mut handle = 0;
    registry
        .insert(|new| {
            handle = new;
            make(new)
        })
        .ok_or(CuError::OUT_OF_MEMORY)?;
    known.insert(name.to_owned(), handle);
    Ok(handle)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a launch or query names: a function, or a kernel in its place.
pub enum Launchable {
    Function(Arc<Function>),
    Kernel(Arc<Kernel>),
}

impl Launchable {
    /// The living function or kernel of a handle.
    pub fn find(driver: &Driver, handle: CUfunction) -> Result<Self, CuError> {
        if let Some(function) = driver.functions.get(handle.0) {
            return Ok(Self::Function(function));
        }
        driver
            .kernels
            .get(handle.0)
            .map(Self::Kernel)
            .ok_or(CuError::INVALID_HANDLE)
    }

    /// The kernel's compiled form and settings.
    pub fn settings(&self) -> &Settings {
        match self {
            Self::Function(function) => &function.settings,
            Self::Kernel(kernel) => &kernel.settings,
        }
    }
}
