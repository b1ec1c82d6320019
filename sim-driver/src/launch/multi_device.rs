//! `cuLaunchCooperativeKernelMultiDevice`: one kernel on several devices at once, each launch in a stream of its device.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Params, Shape};
use crate::abi::CUDA_LAUNCH_PARAMS_v1;
use crate::boundary::Out;
use crate::context::{self, Context};
use crate::driver::{self, Driver};
use crate::module::Launchable;
use crate::status::{Answer, CuError};
use crate::stream::{LEGACY, PER_THREAD, Stream};

/// `CUDA_COOPERATIVE_LAUNCH_MULTI_DEVICE_NO_PRE_LAUNCH_SYNC` and `..._NO_POST_LAUNCH_SYNC`.
const ALL_FLAGS: u32 = 3;

/// One of the launches, checked.
struct OnDevice {
    context: Arc<Context>,
    stream: Arc<Stream>,
}

pub fn cuLaunchCooperativeKernelMultiDevice(
    launchParamsList: Out<CUDA_LAUNCH_PARAMS_v1>,
    numDevices: u32,
    flags: u32,
) -> Answer {
    // Measured on 535: where there is no GPU, any number of devices is a wrong one before it is "not initialized".
    driver::start_was_tried()?;
    let driver = driver::machine().ok_or(CuError::NOT_INITIALIZED)?;
    launchParamsList.required()?;
    let has_devices = (1..=driver.devices().len()).contains(&(numDevices as usize));
    if !has_devices || flags & !ALL_FLAGS != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    driver::started()?;
    let all = launchParamsList.all(numDevices as usize);
    let mut launches: Vec<OnDevice> = Vec::new();
    for params in &all {
        let launch = check(driver, params, &all[0])?;
        let device = launch.context.device.index;
        if launches
            .iter()
            .any(|other| other.context.device.index == device)
        {
            return Err(CuError::INVALID_DEVICE);
        }
        launches.push(launch);
    }
    for OnDevice { context, stream } in launches {
        context.launches.fetch_add(1, Ordering::Relaxed);
        stream.submit(&context, || ());
    }
    Ok(())
}

/// One launch, which has to be of the same kernel and shape as the first one.
fn check(
    driver: &'static Driver,
    params: &CUDA_LAUNCH_PARAMS_v1,
    first: &CUDA_LAUNCH_PARAMS_v1,
) -> Result<OnDevice, CuError> {
    let launchable = Launchable::find(driver, params.function)?;
    let is_default = params.hStream.is_null() || [LEGACY, PER_THREAD].contains(&params.hStream);
    let is_same = shape_of(params) == shape_of(first)
        && Launchable::find(driver, first.function)?
            .settings()
            .kernel()
            .name
            == launchable.settings().kernel().name;
    if is_default || !is_same {
        return Err(CuError::INVALID_VALUE);
    }
    let stream = driver.streams.get(params.hStream.0);
    let stream = stream.ok_or(CuError::INVALID_HANDLE)?;
    let context = context::find(driver, stream.context)?;
    if let Launchable::Function(function) = &launchable
        && function.context_id != context.id
    {
        return Err(CuError::INVALID_HANDLE);
    }
    let [grid, block] = shape_of(params).0;
    let shape = Shape {
        is_cooperative: true,
        ..Shape::new(grid, block, params.sharedMemBytes)
    };
    shape.check(launchable.settings(), &context)?;
    let given = Params {
        pointers: Out::at(params.kernelParams.cast::<c_void>()),
        extra: Out::at(std::ptr::null_mut()),
    };
    given.check(launchable.settings())?;
    stream.refuse_capture(&context)?;
    Ok(OnDevice { context, stream })
}

/// Grid and block, and shared memory: what has to be the same on all devices.
fn shape_of(params: &CUDA_LAUNCH_PARAMS_v1) -> ([[u32; 3]; 2], u32) {
    let grid = [params.gridDimX, params.gridDimY, params.gridDimZ];
    let block = [params.blockDimX, params.blockDimY, params.blockDimZ];
    ([grid, block], params.sharedMemBytes)
}
