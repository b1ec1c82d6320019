//! `cuDevicePrimaryCtx*`.

use super::calls::check_flags;
use crate::abi::{CUcontext, CUdevice};
use crate::boundary::Out;
use crate::driver;
use crate::status::Answer;

pub fn cuDevicePrimaryCtxRetain(pctx: Out<CUcontext>, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let pctx = pctx.required()?;
    let device = driver.device(dev)?;
    pctx.set(device.primary.retain(driver, device)?.handle);
    Ok(())
}

pub fn cuDevicePrimaryCtxRelease(dev: CUdevice) -> Answer {
    cuDevicePrimaryCtxRelease_v2(dev)
}

pub fn cuDevicePrimaryCtxRelease_v2(dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    driver.device(dev)?.primary.release(driver)
}

pub fn cuDevicePrimaryCtxReset(dev: CUdevice) -> Answer {
    cuDevicePrimaryCtxReset_v2(dev)
}

pub fn cuDevicePrimaryCtxReset_v2(dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    driver.device(dev)?.primary.reset(driver);
    Ok(())
}

pub fn cuDevicePrimaryCtxSetFlags(dev: CUdevice, flags: u32) -> Answer {
    cuDevicePrimaryCtxSetFlags_v2(dev, flags)
}

pub fn cuDevicePrimaryCtxSetFlags_v2(dev: CUdevice, flags: u32) -> Answer {
    let device = driver::started()?.device(dev)?;
    check_flags(flags)?;
    device.primary.set_flags(flags);
    Ok(())
}

pub fn cuDevicePrimaryCtxGetState(dev: CUdevice, flags: Out<u32>, active: Out<i32>) -> Answer {
    let (flags, active) = (flags.required()?, active.required()?);
    let device = driver::started()?.device(dev)?;
    let (value, is_active) = device.primary.flags_and_activity();
    flags.set(value);
    active.set(i32::from(is_active));
    Ok(())
}
