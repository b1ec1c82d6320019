//! Mipmapped arrays: an array for each level, each half as large as the one before.

use std::sync::Arc;

use super::{Array, flag, not_null};
use crate::abi::{
    CUDA_ARRAY_MEMORY_REQUIREMENTS_v1, CUDA_ARRAY_SPARSE_PROPERTIES_v1, CUDA_ARRAY3D_DESCRIPTOR_v2,
    CUarray, CUdevice, CUmipmappedArray,
};
use crate::boundary::{In, Out};
use crate::context::current;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};
use crate::stream::unsafe_call;

/// A mipmapped array.
pub struct Mipmap {
    pub handle: CUmipmappedArray,
    pub context_id: u64,
    /// The largest first.
    levels: Vec<CUarray>,
}

/// The levels that a descriptor has room for: until the largest side is one element.
fn most_levels(wanted: &CUDA_ARRAY3D_DESCRIPTOR_v2) -> u32 {
    let is_layered = wanted.Flags & (flag::LAYERED | flag::CUBEMAP) != 0;
    let depth = if is_layered { 0 } else { wanted.Depth };
    let largest = wanted.Width.max(wanted.Height).max(depth);
    largest.checked_ilog2().unwrap_or(0) + 1
}

/// A level's own descriptor: sides are halved, layers stay.
fn level_of(wanted: &CUDA_ARRAY3D_DESCRIPTOR_v2, level: u32) -> CUDA_ARRAY3D_DESCRIPTOR_v2 {
    let halved = |side: usize| if side == 0 { 0 } else { (side >> level).max(1) };
    let is_layered = wanted.Flags & (flag::LAYERED | flag::CUBEMAP) != 0;
    CUDA_ARRAY3D_DESCRIPTOR_v2 {
        Width: halved(wanted.Width),
        Height: halved(wanted.Height),
        Depth: if is_layered {
            wanted.Depth
        } else {
            halved(wanted.Depth)
        },
        ..*wanted
    }
}

pub fn find(driver: &Driver, handle: CUmipmappedArray) -> Result<Arc<Mipmap>, CuError> {
    driver.mipmaps.get(handle.0).ok_or(CuError::INVALID_HANDLE)
}

pub fn cuMipmappedArrayCreate(
    pHandle: Out<CUmipmappedArray>,
    pMipmappedArrayDesc: In<CUDA_ARRAY3D_DESCRIPTOR_v2>,
    numMipmapLevels: u32,
) -> Answer {
    let driver = driver::started()?;
    let place = pHandle.required()?;
    let wanted = pMipmappedArrayDesc.required()?;
    let context = current()?;
    unsafe_call()?;
    let mut levels = Vec::new();
    // cuda.h: the number is cut to what there can be.
    for level in 0..numMipmapLevels.clamp(1, most_levels(&wanted)) {
        match Array::create(driver, &context, level_of(&wanted, level), true) {
            Ok(array) => levels.push(array.handle),
            Err(error) => {
                end_levels(driver, &levels);
                return Err(error);
            }
        }
    }
    let make = |handle| Mipmap {
        handle: CUmipmappedArray(handle),
        context_id: context.id,
        levels,
    };
    let made = driver.mipmaps.insert(make).ok_or(CuError::OUT_OF_MEMORY)?;
    place.set(made.handle);
    Ok(())
}

fn end_levels(driver: &Driver, levels: &[CUarray]) {
    for level in levels {
        driver.arrays.remove(level.0);
    }
}

pub fn cuMipmappedArrayDestroy(hMipmappedArray: CUmipmappedArray) -> Answer {
    driver::start_was_tried()?;
    not_null(hMipmappedArray.0, CuError::INVALID_HANDLE)?;
    let driver = driver::started()?;
    let context = current()?;
    let mipmap = find(driver, hMipmappedArray)?;
    unsafe_call()?;
    context.group.wait();
    driver.mipmaps.remove(mipmap.handle.0);
    end_levels(driver, &mipmap.levels);
    Ok(())
}

pub fn cuMipmappedArrayGetLevel(
    pLevelArray: Out<CUarray>,
    hMipmappedArray: CUmipmappedArray,
    level: u32,
) -> Answer {
    not_null(hMipmappedArray.0, CuError::INVALID_HANDLE)?;
    let driver = driver::started()?;
    let place = pLevelArray.required()?;
    let mipmap = find(driver, hMipmappedArray)?;
    let level = mipmap.levels.get(level as usize);
    place.set(*level.ok_or(CuError::INVALID_VALUE)?);
    Ok(())
}

/// As for plain arrays: memory that is mapped later is not simulated.
pub fn cuMipmappedArrayGetMemoryRequirements(
    memoryRequirements: Out<CUDA_ARRAY_MEMORY_REQUIREMENTS_v1>,
    mipmap: CUmipmappedArray,
    device: CUdevice,
) -> Answer {
    not_null(mipmap.0, CuError::INVALID_VALUE)?;
    let driver = driver::started()?;
    memoryRequirements.required()?;
    driver.device(device)?;
    find(driver, mipmap)?;
    Err(CuError::INVALID_VALUE)
}

/// As for plain arrays: none is sparse.
pub fn cuMipmappedArrayGetSparseProperties(
    sparseProperties: Out<CUDA_ARRAY_SPARSE_PROPERTIES_v1>,
    mipmap: CUmipmappedArray,
) -> Answer {
    not_null(mipmap.0, CuError::INVALID_VALUE)?;
    let driver = driver::started()?;
    sparseProperties.required()?;
    find(driver, mipmap)?;
    Err(CuError::INVALID_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_half_as_large_and_layers_stay() {
        let mut wanted = CUDA_ARRAY3D_DESCRIPTOR_v2 {
            Width: 20,
            Height: 5,
            Depth: 3,
            Format: 0x20,
            NumChannels: 1,
            Flags: 0,
        };
        assert_eq!(most_levels(&wanted), 5);
        let extent = |found: &CUDA_ARRAY3D_DESCRIPTOR_v2| [found.Width, found.Height, found.Depth];
        assert_eq!(extent(&level_of(&wanted, 1)), [10, 2, 1]);
        assert_eq!(extent(&level_of(&wanted, 4)), [1, 1, 1]);
        wanted.Flags = flag::LAYERED;
        assert_eq!(extent(&level_of(&wanted, 2)), [5, 1, 3]);
        wanted.Height = 0;
        assert_eq!(extent(&level_of(&wanted, 2)), [5, 0, 3]);
    }
}
