//! `cuInit`, versions.

use crate::boundary::Out;
use crate::driver;
use crate::status::{Answer, CuError};

pub fn cuInit(Flags: u32) -> Answer {
    if Flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    driver::start()
}

pub fn cuDriverGetVersion(driverVersion: Out<i32>) -> Answer {
    let version = driverVersion.required()?;
    let driver = driver::machine().ok_or(CuError::NOT_INITIALIZED)?;
    version.set(driver.profile.cuda_version);
    Ok(())
}

pub fn cuModuleGetLoadingMode(mode: Out<u32>) -> Answer {
    const EAGER: u32 = 1;
    const LAZY: u32 = 2;
    driver::started()?;
    let eager = std::env::var("CUDA_MODULE_LOADING").is_ok_and(|mode| mode == "EAGER");
    mode.required()?.set(if eager { EAGER } else { LAZY });
    Ok(())
}

pub fn cuProfilerStart() -> Answer {
    driver::started().map(|_| ())
}

pub fn cuProfilerStop() -> Answer {
    driver::started().map(|_| ())
}

pub fn cuFlushGPUDirectRDMAWrites(_target: u32, _scope: u32) -> Answer {
    crate::context::current().map(|_| ())
}
