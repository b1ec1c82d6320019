//! `cuModule*`.

use std::ffi::c_void;
use std::sync::Arc;

use super::{Image, Module, image, image_memory};
use crate::abi::{CUdeviceptr, CUfunction, CUmodule};
use crate::boundary::{Out, Text};
use crate::context::current;
use crate::device::Device;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};
use cutape_module_image::Target;

/// What a device of this driver can run.
pub fn target(driver: &Driver, device: &Device) -> Target {
    // From CUDA 9 on, the PTX version is four majors behind the CUDA version.
    let version = driver.profile.cuda_version.max(0) as u32;
    Target {
        capability: 10 * device.limit(75) as u32 + device.limit(76) as u32,
        newest_ptx: (10 * (version / 1000)).saturating_sub(40) + version % 1000 / 10,
    }
}

/// The image at an address, for a device.
pub fn image_at(
    driver: &Driver,
    device: &Device,
    address: *const c_void,
) -> Result<Arc<Image>, CuError> {
    let bytes = image_memory::copy(address).ok_or(CuError::INVALID_VALUE)?;
    Ok(Arc::new(image::read(&bytes, target(driver, device))?))
}

/// The image in a file.
pub fn image_in(driver: &Driver, device: &Device, path: &str) -> Result<Arc<Image>, CuError> {
    let bytes = std::fs::read(path).map_err(|_| CuError::FILE_NOT_FOUND)?;
    Ok(Arc::new(image::read(&bytes, target(driver, device))?))
}

fn find(driver: &Driver, handle: CUmodule) -> Result<Arc<Module>, CuError> {
    driver.modules.get(handle.0).ok_or(CuError::INVALID_HANDLE)
}

fn load_data(module: Out<CUmodule>, image: *const c_void) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = module.required()?;
    let image = image_at(driver, context.device, image)?;
    place.set(Module::load(driver, &context, image)?.handle);
    Ok(())
}

pub fn cuModuleLoad(module: Out<CUmodule>, fname: Text) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = module.required()?;
    let image = image_in(driver, context.device, &fname.required()?)?;
    place.set(Module::load(driver, &context, image)?.handle);
    Ok(())
}

pub fn cuModuleLoadData(module: Out<CUmodule>, image: *const c_void) -> Answer {
    load_data(module, image)
}

pub fn cuModuleLoadDataEx(
    module: Out<CUmodule>,
    image: *const c_void,
    numOptions: u32,
    options: Out<u32>,
    optionValues: Out<*mut c_void>,
) -> Answer {
    driver::started()?;
    if numOptions > 0 && (options.is_null() || optionValues.is_null()) {
        return Err(CuError::INVALID_VALUE);
    }
    load_data(module, image)
}

pub fn cuModuleLoadFatBinary(module: Out<CUmodule>, fatCubin: *const c_void) -> Answer {
    load_data(module, fatCubin)
}

pub fn cuModuleUnload(hmod: CUmodule) -> Answer {
    let driver = driver::started()?;
    current()?.group.wait();
    let module = driver
        .modules
        .remove(hmod.0)
        .ok_or(CuError::INVALID_HANDLE)?;
    module.drop_functions(driver);
    Ok(())
}

pub fn cuModuleGetFunction(hfunc: Out<CUfunction>, hmod: CUmodule, name: Text) -> Answer {
    let driver = driver::started()?;
    let place = hfunc.required()?;
    let name = name.required()?;
    place.set(find(driver, hmod)?.function(driver, &name)?);
    Ok(())
}

pub fn cuModuleGetFunctionCount(count: Out<u32>, r#mod: CUmodule) -> Answer {
    let driver = driver::started()?;
    let place = count.required()?;
    place.set(find(driver, r#mod)?.image.kernels.len() as u32);
    Ok(())
}

/// All functions of a module, in the order of its image.
pub fn functions_of(driver: &Driver, module: CUmodule) -> Result<Vec<CUfunction>, CuError> {
    let module = find(driver, module)?;
    let kernels = module.image.kernels.iter();
    kernels
        .map(|kernel| module.function(driver, &kernel.name))
        .collect()
}

pub fn cuModuleEnumerateFunctions(
    functions: Out<CUfunction>,
    numFunctions: u32,
    r#mod: CUmodule,
) -> Answer {
    let driver = driver::started()?;
    let place = functions.required()?;
    let mut handles = functions_of(driver, r#mod)?;
    handles.truncate(numFunctions as usize);
    place.set_all(&handles);
    Ok(())
}

pub fn cuModuleGetGlobal_v2(
    dptr: Out<CUdeviceptr>,
    bytes: Out<usize>,
    hmod: CUmodule,
    name: Text,
) -> Answer {
    dptr.set(CUdeviceptr(0));
    bytes.set(0);
    let driver = driver::started()?;
    let name = name.required()?;
    let (address, size) = find(driver, hmod)?.global(&name)?;
    dptr.set(address);
    bytes.set(size);
    Ok(())
}
