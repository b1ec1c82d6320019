//! `cuLibrary*` and `cuKernel*`.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError};

use super::calls::{image_at, image_in};
use super::{Image, Kernel, Library, function_calls};
use crate::abi::{CUdevice, CUdeviceptr, CUfunction, CUkernel, CUlibrary, CUmodule};
use crate::boundary::{Out, Text};
use crate::context::current;
use crate::device::Device;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};

/// How many option arrays there are, and whether each is there.
struct Options {
    count: u32,
    are_absent: bool,
}

fn check_options(options: [Options; 2]) -> Answer {
    let wrong = options
        .iter()
        .any(|options| options.count > 0 && options.are_absent);
    if wrong {
        Err(CuError::INVALID_VALUE)
    } else {
        Ok(())
    }
}

/// A library belongs to no context: its code is chosen for the current context's device, or the first one.
fn device_for_library(driver: &Driver) -> Result<&Device, CuError> {
    current()
        .map(|context| context.device)
        .or_else(|_| driver.device(0))
}

fn add(library: Out<CUlibrary>, image: Arc<Image>) -> Answer {
    let make = |handle| Library {
        handle: CUlibrary(handle),
        image,
        kernels: Mutex::default(),
        modules: Mutex::default(),
    };
    library.set(
        driver::started()?
            .libraries
            .insert(make)
            .ok_or(CuError::OUT_OF_MEMORY)?
            .handle,
    );
    Ok(())
}

fn find(driver: &Driver, handle: CUlibrary) -> Result<Arc<Library>, CuError> {
    driver
        .libraries
        .get(handle.0)
        .ok_or(CuError::INVALID_HANDLE)
}

fn find_kernel(driver: &Driver, handle: CUkernel) -> Result<Arc<Kernel>, CuError> {
    driver.kernels.get(handle.0).ok_or(CuError::INVALID_HANDLE)
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuLibraryLoadData(
    library: Out<CUlibrary>,
    code: *const c_void,
    jitOptions: Out<u32>,
    _jitOptionsValues: Out<*mut c_void>,
    numJitOptions: u32,
    libraryOptions: Out<u32>,
    _libraryOptionValues: Out<*mut c_void>,
    numLibraryOptions: u32,
) -> Answer {
    let place = library.required()?;
    if code.is_null() {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    check_options([
        Options {
            count: numJitOptions,
            are_absent: jitOptions.is_null(),
        },
        Options {
            count: numLibraryOptions,
            are_absent: libraryOptions.is_null(),
        },
    ])?;
    add(place, image_at(driver, device_for_library(driver)?, code)?)
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuLibraryLoadFromFile(
    library: Out<CUlibrary>,
    fileName: Text,
    jitOptions: Out<u32>,
    _jitOptionsValues: Out<*mut c_void>,
    numJitOptions: u32,
    libraryOptions: Out<u32>,
    _libraryOptionValues: Out<*mut c_void>,
    numLibraryOptions: u32,
) -> Answer {
    let place = library.required()?;
    let path = fileName.required()?;
    let driver = driver::started()?;
    check_options([
        Options {
            count: numJitOptions,
            are_absent: jitOptions.is_null(),
        },
        Options {
            count: numLibraryOptions,
            are_absent: libraryOptions.is_null(),
        },
    ])?;
    add(place, image_in(driver, device_for_library(driver)?, &path)?)
}

pub fn cuLibraryUnload(library: CUlibrary) -> Answer {
    if library.is_null() {
        return Err(CuError::INVALID_HANDLE);
    }
    let driver = driver::started()?;
    let library = driver
        .libraries
        .remove(library.0)
        .ok_or(CuError::INVALID_HANDLE)?;
    library.drop_kernels(driver);
    Ok(())
}

pub fn cuLibraryGetKernel(pKernel: Out<CUkernel>, library: CUlibrary, name: Text) -> Answer {
    let place = pKernel.required()?;
    let name = name.required()?;
    if library.is_null() {
        return Err(CuError::INVALID_HANDLE);
    }
    let driver = driver::started()?;
    place.set(find(driver, library)?.kernel(driver, &name)?);
    Ok(())
}

pub fn cuLibraryGetKernelCount(count: Out<u32>, lib: CUlibrary) -> Answer {
    let driver = driver::started()?;
    let place = count.required()?;
    place.set(find(driver, lib)?.image.kernels.len() as u32);
    Ok(())
}

pub fn cuLibraryEnumerateKernels(
    kernels: Out<CUkernel>,
    numKernels: u32,
    lib: CUlibrary,
) -> Answer {
    let driver = driver::started()?;
    let place = kernels.required()?;
    let library = find(driver, lib)?;
    let wanted = library.image.kernels.iter().take(numKernels as usize);
    let handles = wanted
        .map(|kernel| library.kernel(driver, &kernel.name))
        .collect::<Result<Vec<_>, _>>()?;
    place.set_all(&handles);
    Ok(())
}

pub fn cuLibraryGetModule(pMod: Out<CUmodule>, library: CUlibrary) -> Answer {
    let place = pMod.required()?;
    // Measured on 535, here and below: what is NULL or empty is told before "not initialized".
    if library.is_null() {
        return Err(CuError::INVALID_HANDLE);
    }
    let driver = driver::started()?;
    let context = current()?;
    place.set(find(driver, library)?.module(driver, &context)?.handle);
    Ok(())
}

fn name_of_global(name: Text) -> Result<String, CuError> {
    let name = name.required()?;
    if name.is_empty() {
        return Err(CuError::INVALID_VALUE);
    }
    Ok(name)
}

fn global(dptr: Out<CUdeviceptr>, bytes: Out<usize>, library: CUlibrary, name: Text) -> Answer {
    let name = name_of_global(name)?;
    let driver = driver::started()?;
    let context = current()?;
    let (address, size) = find(driver, library)?
        .module(driver, &context)?
        .global(&name)?;
    dptr.set(address);
    bytes.set(size);
    Ok(())
}

pub fn cuLibraryGetGlobal(
    dptr: Out<CUdeviceptr>,
    bytes: Out<usize>,
    library: CUlibrary,
    name: Text,
) -> Answer {
    global(dptr, bytes, library, name)
}

pub fn cuLibraryGetManaged(
    _dptr: Out<CUdeviceptr>,
    _bytes: Out<usize>,
    library: CUlibrary,
    name: Text,
) -> Answer {
    name_of_global(name)?;
    // Managed variables are told by a section of their own, which is read as plain globals: none is found by this call.
    find(driver::started()?, library)?;
    Err(CuError::NOT_FOUND)
}

pub fn cuKernelGetFunction(pFunc: Out<CUfunction>, kernel: CUkernel) -> Answer {
    let place = pFunc.required()?;
    if kernel.is_null() {
        return Err(CuError::INVALID_HANDLE);
    }
    let driver = driver::started()?;
    let context = current()?;
    let kernel = find_kernel(driver, kernel)?;
    let module = find(driver, kernel.library)?.module(driver, &context)?;
    place.set(module.function(driver, &kernel.name)?);
    Ok(())
}

pub fn cuKernelGetLibrary(pLib: Out<CUlibrary>, kernel: CUkernel) -> Answer {
    let driver = driver::started()?;
    let place = pLib.required()?;
    place.set(find_kernel(driver, kernel)?.library);
    Ok(())
}

pub fn cuKernelGetAttribute(pi: Out<i32>, attrib: u32, kernel: CUkernel, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let place = pi.required()?;
    let kernel = find_kernel(driver, kernel)?;
    place.set(function_calls::attribute(
        &kernel.settings,
        attrib,
        driver.device(dev)?,
    )?);
    Ok(())
}

pub fn cuKernelSetAttribute(attrib: u32, val: i32, kernel: CUkernel, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let kernel = find_kernel(driver, kernel)?;
    function_calls::set_attribute(&kernel.settings, attrib, val, driver.device(dev)?)
}

pub fn cuKernelSetCacheConfig(kernel: CUkernel, config: u32, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    find_kernel(driver, kernel)?;
    driver.device(dev)?;
    if config > 3 {
        Err(CuError::INVALID_VALUE)
    } else {
        Ok(())
    }
}

pub fn cuKernelGetName(name: Out<*const c_char>, hfunc: CUkernel) -> Answer {
    let driver = driver::started()?;
    let place = name.required()?;
    place.set(lasting(&find_kernel(driver, hfunc)?.name));
    Ok(())
}

pub fn cuKernelGetParamInfo(
    kernel: CUkernel,
    paramIndex: usize,
    paramOffset: Out<usize>,
    paramSize: Out<usize>,
) -> Answer {
    let driver = driver::started()?;
    let place = paramOffset.required()?;
    let kernel = find_kernel(driver, kernel)?;
    function_calls::param_info(&kernel.settings, paramIndex, place, paramSize)
}

/// A name that stays where it is for as long as the process lives, each kept once: callers may hold on to it.
pub fn lasting(name: &str) -> *const c_char {
    static NAMES: Mutex<Vec<CString>> = Mutex::new(Vec::new());
    let Ok(name) = CString::new(name) else {
        return c"".as_ptr();
    };
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.iter().find(|known| **known == name) {
        return known.as_ptr();
    }
    let address = name.as_ptr();
    names.push(name);
    address
}

pub fn cuKernelGetParamCount(kernel: CUkernel, paramCount: Out<usize>) -> Answer {
    let kernel = find_kernel(driver::started()?, kernel)?;
    function_calls::param_count(&kernel.settings, paramCount)
}
