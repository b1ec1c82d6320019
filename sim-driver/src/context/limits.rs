//! `cuCtxSetLimit` and `cuCtxGetLimit`: the numbers of `CUlimit`, what they start at and what they may be.

use crate::attribute::number;
use crate::device::Device;
use crate::status::CuError;

/// Each limit's present value; `None` for those that this device does not have.
pub struct Limits([Option<usize>; COUNT]);

const COUNT: usize = 11;
const STACK_SIZE: usize = 0;
const PRINTF_FIFO_SIZE: usize = 1;
const MALLOC_HEAP_SIZE: usize = 2;
const DEV_RUNTIME_SYNC_DEPTH: usize = 3;
const DEV_RUNTIME_PENDING_LAUNCH_COUNT: usize = 4;
const MAX_L2_FETCH_GRANULARITY: usize = 5;
const PERSISTING_L2_CACHE_SIZE: usize = 6;
const CIG_ENABLED: usize = 8;

/// Stack bytes per thread that no GPU exceeds: 512 KiB of local memory less 1 KiB.
const STACK_MOST: usize = (512 << 10) - 1024;
const L2_FETCH_MOST: usize = 128;

impl Limits {
    /// What a new context on the device starts with.
    pub fn of(device: &Device) -> Self {
        let mut limits = [None; COUNT];
        limits[STACK_SIZE] = Some(1024);
        limits[PRINTF_FIFO_SIZE] = Some(1 << 20);
        limits[MALLOC_HEAP_SIZE] = Some(8 << 20);
        // Synchronising inside kernels is gone from compute capability 9 on.
        limits[DEV_RUNTIME_SYNC_DEPTH] = (device.attribute(75) < 9).then_some(2);
        limits[DEV_RUNTIME_PENDING_LAUNCH_COUNT] = Some(2048);
        limits[MAX_L2_FETCH_GRANULARITY] = Some(64);
        limits[PERSISTING_L2_CACHE_SIZE] =
            (device.limit(number::MAX_PERSISTING_L2_CACHE_SIZE) > 0).then_some(0);
        // "A non-zero value indicates this CUDA context is a CIG-enabled context" (cuda.h): there is none on Linux. cuBLAS asks it.
        limits[CIG_ENABLED] = Some(0);
        Self(limits)
    }

    /// The value of a limit.
    pub fn get(&self, limit: u32) -> Result<usize, CuError> {
        let value = self.0.get(limit as usize).ok_or(CuError::INVALID_VALUE)?;
        value.ok_or(CuError::UNSUPPORTED_LIMIT)
    }

    /// Changes a limit. Values that only hint (L2) are cut to what the device has; a stack beyond the device's is refused.
    pub fn set(&mut self, limit: u32, value: usize, device: &Device) -> Result<(), CuError> {
        self.get(limit)?;
        let value = match limit as usize {
            // "Can only be queried, cannot be set" (cuda.h).
            CIG_ENABLED => return Err(CuError::UNSUPPORTED_LIMIT),
            STACK_SIZE if value > STACK_MOST => return Err(CuError::INVALID_VALUE),
            STACK_SIZE => value.next_multiple_of(16),
            MAX_L2_FETCH_GRANULARITY => value.min(L2_FETCH_MOST),
            PERSISTING_L2_CACHE_SIZE => {
                value.min(device.limit(number::MAX_PERSISTING_L2_CACHE_SIZE) as usize)
            }
            _ => value,
        };
        self.0[limit as usize] = Some(value);
        Ok(())
    }
}
