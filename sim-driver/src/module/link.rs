//! `cuLink*`: code put together from several images. Nothing is compiled, so the result holds the inputs as they came: a cubin with one section
//! of them, which [`read`] and so `cuModuleLoadData` understand.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use super::calls::target;
use cutape_module_image::elf::Bytes;
use cutape_module_image::{Image, ImageError, Target};

use super::image;
use super::linked_file;
use crate::abi::CUlinkState;
use crate::boundary::{Out, Text};
use crate::context::current;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};

/// The last kind of input, `CU_JIT_INPUT_NVVM`, and what of them an image can be.
const LAST_INPUT_TYPE: u32 = 5;
const INPUT_NVVM: u32 = 5;
/// Options of `CUjit_option` that the driver fills: text, and how much of it there is.
const LOG_BUFFERS: [u32; 2] = [3, 5];
const LOG_SIZES: [u32; 2] = [4, 6];
/// More options than this are no list but a slip.
const MOST_OPTIONS: u32 = 64;

/// Code that is being linked.
pub struct Link {
    pub handle: CUlinkState,
    target: Target,
    state: Mutex<State>,
    /// Where the program wants messages: none come, and it is told so.
    log: Vec<(u32, u64)>,
}

#[derive(Default)]
struct State {
    inputs: Vec<Vec<u8>>,
    /// Names that are taken: each kernel may come from one input only.
    kernels: Vec<String>,
    output: Option<Box<[u8]>>,
}

/// What an image holds that was made here; `None` for any other.
pub fn read(file: &[u8], target: Target) -> Option<Result<Image, ImageError>> {
    let inputs = linked_file::inputs(&Bytes(file))?;
    let mut whole = Image::default();
    for input in inputs {
        match cutape_module_image::read(input, target) {
            Ok(part) => {
                whole.kernels.extend(part.kernels);
                whole.globals.extend(part.globals);
            }
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(whole))
}

impl Link {
    fn add(&self, kind: u32, bytes: Vec<u8>) -> Answer {
        if kind > LAST_INPUT_TYPE {
            return Err(CuError::INVALID_VALUE);
        }
        if kind == INPUT_NVVM {
            return Err(CuError::NOT_SUPPORTED);
        }
        let added = image::read(&bytes, self.target)?;
        let mut state = self.state();
        if state.output.is_some() {
            return Err(CuError::INVALID_VALUE);
        }
        for kernel in added.kernels {
            if state.kernels.contains(&kernel.name) {
                return Err(CuError::INVALID_IMAGE);
            }
            state.kernels.push(kernel.name);
        }
        // What was linked before is taken apart again, so that such files never lie in one another.
        match linked_file::inputs(&Bytes(&bytes)) {
            Some(parts) => state.inputs.extend(parts.into_iter().map(<[u8]>::to_vec)),
            None => state.inputs.push(bytes),
        }
        Ok(())
    }

    /// Says that there are no messages.
    fn write_log(&self) {
        for &(option, place) in &self.log {
            if LOG_SIZES.contains(&option) {
                Out::<u64>::at(place as usize as *mut c_void).set(0);
            } else {
                Out::<u8>::at(place as usize as *mut c_void).set(0);
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(driver: &Driver, handle: CUlinkState) -> Result<Arc<Link>, CuError> {
    driver.links.get(handle.0).ok_or(CuError::INVALID_HANDLE)
}

/// The places that are to be filled: a size lies in the list of values itself, a buffer where its value points.
fn log_of(count: u32, options: Out<u32>, values: Out<*mut c_void>) -> Vec<(u32, u64)> {
    let options = options.all(count as usize).into_iter().zip(0u64..);
    let values = (values.address(), values.all(count as usize));
    let place = |(option, number): (u32, u64)| {
        let value = values
            .1
            .get(number as usize)
            .map_or(0, |value| *value as u64);
        if LOG_SIZES.contains(&option) {
            Some((option, values.0 + 8 * number))
        } else {
            (LOG_BUFFERS.contains(&option) && value != 0).then_some((option, value))
        }
    };
    options.filter_map(place).collect()
}

fn check_options(count: u32, options: Out<u32>, values: Out<*mut c_void>) -> Answer {
    let is_wrong = count > MOST_OPTIONS || count > 0 && (options.is_null() || values.is_null());
    if is_wrong {
        Err(CuError::INVALID_VALUE)
    } else {
        Ok(())
    }
}

pub fn cuLinkCreate_v2(
    numOptions: u32,
    options: Out<u32>,
    optionValues: Out<*mut c_void>,
    stateOut: Out<CUlinkState>,
) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = stateOut.required()?;
    check_options(numOptions, options, optionValues)?;
    let make = |handle| Link {
        handle: CUlinkState(handle),
        target: target(driver, context.device),
        state: Mutex::default(),
        log: log_of(numOptions, options, optionValues),
    };
    let made = driver.links.insert(make).ok_or(CuError::OUT_OF_MEMORY)?;
    place.set(made.handle);
    Ok(())
}

/// Measured on 535: what is NULL, the state first, is told before "not initialized".
fn check_state(
    state: CUlinkState,
    has_arguments: bool,
) -> Result<(&'static Driver, Arc<Link>), CuError> {
    if state.is_null() {
        return Err(CuError::INVALID_HANDLE);
    }
    if !has_arguments {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    Ok((driver, find(driver, state)?))
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuLinkAddData_v2(
    state: CUlinkState,
    r#type: u32,
    data: *mut c_void,
    size: usize,
    _name: Text,
    numOptions: u32,
    options: Out<u32>,
    optionValues: Out<*mut c_void>,
) -> Answer {
    let (_, link) = check_state(state, !data.is_null() && size > 0)?;
    check_options(numOptions, options, optionValues)?;
    link.add(r#type, Out::<u8>::at(data).all(size))
}

pub fn cuLinkAddFile_v2(
    state: CUlinkState,
    r#type: u32,
    path: Text,
    numOptions: u32,
    options: Out<u32>,
    optionValues: Out<*mut c_void>,
) -> Answer {
    let path = path.get();
    let (_, link) = check_state(state, path.is_some())?;
    check_options(numOptions, options, optionValues)?;
    let bytes = std::fs::read(path.unwrap_or_default()).map_err(|_| CuError::FILE_NOT_FOUND)?;
    link.add(r#type, bytes)
}

pub fn cuLinkComplete(
    state: CUlinkState,
    cubinOut: Out<*mut c_void>,
    sizeOut: Out<usize>,
) -> Answer {
    let (_, link) = check_state(state, !cubinOut.is_null())?;
    let place = cubinOut;
    let mut state = link.state();
    if state.inputs.is_empty() {
        return Err(CuError::INVALID_VALUE);
    }
    let file = linked_file::of_inputs(&state.inputs, link.target.capability);
    // It belongs to the state, and lives as long.
    let output = state.output.insert(file.into_boxed_slice());
    place.set(output.as_mut_ptr().cast());
    sizeOut.set(output.len());
    link.write_log();
    Ok(())
}

pub fn cuLinkDestroy(state: CUlinkState) -> Answer {
    let (driver, link) = check_state(state, true)?;
    driver.links.remove(link.handle.0);
    Ok(())
}
