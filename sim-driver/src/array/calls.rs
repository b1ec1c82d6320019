//! `cuArray*`.

use super::{Array, Shape, find, not_null};
use crate::abi::{
    CUDA_ARRAY_DESCRIPTOR_v2, CUDA_ARRAY_MEMORY_REQUIREMENTS_v1, CUDA_ARRAY_SPARSE_PROPERTIES_v1,
    CUDA_ARRAY3D_DESCRIPTOR_v2, CUarray, CUdevice,
};
use crate::boundary::{In, Out};
use crate::context::current;
use crate::driver;
use crate::status::{Answer, CuError};
use crate::stream::unsafe_call;

fn create(place: Out<CUarray>, wanted: CUDA_ARRAY3D_DESCRIPTOR_v2) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    unsafe_call()?;
    place.set(Array::create(driver, &context, wanted, false)?.handle);
    Ok(())
}

pub fn cuArrayCreate_v2(
    pHandle: Out<CUarray>,
    pAllocateArray: In<CUDA_ARRAY_DESCRIPTOR_v2>,
) -> Answer {
    driver::started()?;
    let place = pHandle.required()?;
    let wanted = pAllocateArray.required()?;
    let wanted = CUDA_ARRAY3D_DESCRIPTOR_v2 {
        Width: wanted.Width,
        Height: wanted.Height,
        Depth: 0,
        Format: wanted.Format,
        NumChannels: wanted.NumChannels,
        Flags: 0,
    };
    create(place, wanted)
}

pub fn cuArray3DCreate_v2(
    pHandle: Out<CUarray>,
    pAllocateArray: In<CUDA_ARRAY3D_DESCRIPTOR_v2>,
) -> Answer {
    driver::started()?;
    let place = pHandle.required()?;
    create(place, pAllocateArray.required()?)
}

pub fn cuArrayDestroy(hArray: CUarray) -> Answer {
    driver::start_was_tried()?;
    not_null(hArray.0, CuError::INVALID_HANDLE)?;
    let driver = driver::started()?;
    let context = current()?;
    // A level of a mipmapped array ends with it.
    if find(driver, hArray)?.is_level {
        return Err(CuError::INVALID_HANDLE);
    }
    unsafe_call()?;
    // Like memory, it is not taken from work that may still use it.
    context.group.wait();
    driver.arrays.remove(hArray.0);
    Ok(())
}

pub fn cuArrayGetDescriptor_v2(
    pArrayDescriptor: Out<CUDA_ARRAY_DESCRIPTOR_v2>,
    hArray: CUarray,
) -> Answer {
    not_null(hArray.0, CuError::INVALID_HANDLE)?;
    let driver = driver::started()?;
    let place = pArrayDescriptor.required()?;
    let found = find(driver, hArray)?.descriptor;
    place.set(CUDA_ARRAY_DESCRIPTOR_v2 {
        Width: found.Width,
        Height: found.Height,
        Format: found.Format,
        NumChannels: found.NumChannels,
    });
    Ok(())
}

pub fn cuArray3DGetDescriptor_v2(
    pArrayDescriptor: Out<CUDA_ARRAY3D_DESCRIPTOR_v2>,
    hArray: CUarray,
) -> Answer {
    not_null(hArray.0, CuError::INVALID_HANDLE)?;
    let driver = driver::started()?;
    let place = pArrayDescriptor.required()?;
    place.set(find(driver, hArray)?.descriptor);
    Ok(())
}

/// Arrays of several planes are not simulated, so no array has a plane of its own.
pub fn cuArrayGetPlane(pPlaneArray: Out<CUarray>, hArray: CUarray, _planeIdx: u32) -> Answer {
    not_null(hArray.0, CuError::INVALID_HANDLE)?;
    let driver = driver::started()?;
    pPlaneArray.required()?;
    find(driver, hArray)?;
    Err(CuError::INVALID_VALUE)
}

/// Only arrays whose memory is mapped later have requirements, and those are not simulated.
pub fn cuArrayGetMemoryRequirements(
    memoryRequirements: Out<CUDA_ARRAY_MEMORY_REQUIREMENTS_v1>,
    array: CUarray,
    device: CUdevice,
) -> Answer {
    not_null(array.0, CuError::INVALID_VALUE)?;
    let driver = driver::started()?;
    memoryRequirements.required()?;
    driver.device(device)?;
    find(driver, array)?;
    Err(CuError::INVALID_VALUE)
}

/// As for memory requirements: no array is sparse.
pub fn cuArrayGetSparseProperties(
    sparseProperties: Out<CUDA_ARRAY_SPARSE_PROPERTIES_v1>,
    array: CUarray,
) -> Answer {
    not_null(array.0, CuError::INVALID_VALUE)?;
    let driver = driver::started()?;
    sparseProperties.required()?;
    find(driver, array)?;
    Err(CuError::INVALID_VALUE)
}

impl Shape {
    /// Whether a box lies inside: from an offset (bytes of a row, rows, slices) on, so much of each.
    pub fn holds(self, offset: [usize; 3], extent: [usize; 3]) -> bool {
        let all = [self.row_bytes, self.rows, self.slices];
        offset
            .iter()
            .zip(extent)
            .zip(all)
            .all(|((offset, extent), all)| offset.checked_add(extent).is_some_and(|end| end <= all))
    }
}
