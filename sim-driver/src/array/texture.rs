//! Texture and surface objects: how a kernel would read memory or an array. They are checked, kept and told.

use std::sync::Arc;

use super::format::element_bytes;
use super::{find, mipmap};
use crate::abi::{
    CUDA_RESOURCE_DESC_v1, CUDA_RESOURCE_VIEW_DESC_v1, CUDA_TEXTURE_DESC_v1, CUarray,
    CUmipmappedArray, CUsurfObject, CUtexObject,
};
use crate::boundary::{In, Out};
use crate::context::current;
use crate::device::Device;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};

/// `CUresourcetype`.
mod resource {
    pub const ARRAY: u32 = 0;
    pub const MIPMAPPED_ARRAY: u32 = 1;
    pub const LINEAR: u32 = 2;
    pub const PITCH_2D: u32 = 3;
}

/// Attributes of a device: what addresses and pitches of textures are multiples of.
const TEXTURE_ALIGNMENT: i32 = 14;
const TEXTURE_PITCH_ALIGNMENT: i32 = 51;
/// The last values of `CUaddress_mode` and `CUfilter_mode`.
const LAST_ADDRESS_MODE: u32 = 3;
const LAST_FILTER_MODE: u32 = 1;

/// A texture object.
pub struct Texture {
    pub handle: CUtexObject,
    pub context_id: u64,
    of: CUDA_RESOURCE_DESC_v1,
    how: CUDA_TEXTURE_DESC_v1,
    view: Option<CUDA_RESOURCE_VIEW_DESC_v1>,
}

/// A surface object.
pub struct Surface {
    pub handle: CUsurfObject,
    pub context_id: u64,
    of: CUDA_RESOURCE_DESC_v1,
}

/// Checks memory without an array: address, format and channels, then bytes, or width, height and pitch.
fn check_linear(driver: &Driver, device: &Device, of: &CUDA_RESOURCE_DESC_v1) -> Answer {
    let [address, format, first, height, pitch, ..] = of.res;
    // Two numbers of four bytes share the second word.
    let element = element_bytes(format as u32, (format >> 32) as u32)? as u64;
    let bytes = if of.resType == resource::LINEAR {
        first
    } else {
        let row = first.checked_mul(element).ok_or(CuError::INVALID_VALUE)?;
        let is_good = row <= pitch
            && pitch.is_multiple_of(device.limit(TEXTURE_PITCH_ALIGNMENT).max(1))
            && height > 0;
        let rows = is_good.then(|| pitch.checked_mul(height - 1)).flatten();
        rows.and_then(|rows| rows.checked_add(row))
            .ok_or(CuError::INVALID_VALUE)?
    };
    let is_aligned = address.is_multiple_of(device.limit(TEXTURE_ALIGNMENT).max(1));
    if bytes >= element && is_aligned && driver.memory.is_reachable(address, bytes) {
        Ok(())
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

fn check_resource(driver: &Driver, device: &Device, of: &CUDA_RESOURCE_DESC_v1) -> Answer {
    if of.flags != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    match of.resType {
        resource::ARRAY => find(driver, CUarray(of.res[0])).map(|_| ()),
        resource::MIPMAPPED_ARRAY => mipmap::find(driver, CUmipmappedArray(of.res[0])).map(|_| ()),
        resource::LINEAR | resource::PITCH_2D => check_linear(driver, device, of),
        _ => Err(CuError::INVALID_VALUE),
    }
}

fn check_how(how: &CUDA_TEXTURE_DESC_v1) -> Answer {
    let is_good = how
        .addressMode
        .iter()
        .all(|mode| *mode <= LAST_ADDRESS_MODE)
        && how.filterMode <= LAST_FILTER_MODE
        && how.mipmapFilterMode <= LAST_FILTER_MODE;
    if is_good {
        Ok(())
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

pub fn cuTexObjectCreate(
    pTexObject: Out<CUtexObject>,
    pResDesc: In<CUDA_RESOURCE_DESC_v1>,
    pTexDesc: In<CUDA_TEXTURE_DESC_v1>,
    pResViewDesc: In<CUDA_RESOURCE_VIEW_DESC_v1>,
) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = pTexObject.required()?;
    let (of, how) = (pResDesc.required()?, pTexDesc.required()?);
    let view = pResViewDesc.get();
    check_resource(driver, context.device, &of)?;
    check_how(&how)?;
    // cuda.h: only arrays can be looked at in another way.
    if view.is_some() && !matches!(of.resType, resource::ARRAY | resource::MIPMAPPED_ARRAY) {
        return Err(CuError::INVALID_VALUE);
    }
    let make = |handle| Texture {
        handle: CUtexObject(handle),
        context_id: context.id,
        of,
        how,
        view,
    };
    let made = driver.textures.insert(make).ok_or(CuError::OUT_OF_MEMORY)?;
    place.set(made.handle);
    Ok(())
}

fn texture(handle: CUtexObject) -> Result<Arc<Texture>, CuError> {
    let driver = driver::started()?;
    driver.textures.get(handle.0).ok_or(CuError::INVALID_VALUE)
}

pub fn cuTexObjectDestroy(texObject: CUtexObject) -> Answer {
    let driver = driver::started()?;
    let removed = driver.textures.remove(texObject.0);
    removed.map(|_| ()).ok_or(CuError::INVALID_VALUE)
}

pub fn cuTexObjectGetResourceDesc(
    pResDesc: Out<CUDA_RESOURCE_DESC_v1>,
    texObject: CUtexObject,
) -> Answer {
    driver::started()?;
    let place = pResDesc.required()?;
    place.set(texture(texObject)?.of);
    Ok(())
}

pub fn cuTexObjectGetTextureDesc(
    pTexDesc: Out<CUDA_TEXTURE_DESC_v1>,
    texObject: CUtexObject,
) -> Answer {
    driver::started()?;
    let place = pTexDesc.required()?;
    place.set(texture(texObject)?.how);
    Ok(())
}

pub fn cuTexObjectGetResourceViewDesc(
    pResViewDesc: Out<CUDA_RESOURCE_VIEW_DESC_v1>,
    texObject: CUtexObject,
) -> Answer {
    driver::started()?;
    let place = pResViewDesc.required()?;
    // A texture that was made without a view has none to tell.
    place.set(texture(texObject)?.view.ok_or(CuError::INVALID_VALUE)?);
    Ok(())
}

pub fn cuSurfObjectCreate(
    pSurfObject: Out<CUsurfObject>,
    pResDesc: In<CUDA_RESOURCE_DESC_v1>,
) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = pSurfObject.required()?;
    let of = pResDesc.required()?;
    // cuda.h: of arrays only, and of those that were made for it.
    if of.resType != resource::ARRAY || !find(driver, CUarray(of.res[0]))?.is_for_surfaces() {
        return Err(CuError::INVALID_VALUE);
    }
    let make = |handle| Surface {
        handle: CUsurfObject(handle),
        context_id: context.id,
        of,
    };
    let made = driver.surfaces.insert(make).ok_or(CuError::OUT_OF_MEMORY)?;
    place.set(made.handle);
    Ok(())
}

pub fn cuSurfObjectDestroy(surfObject: CUsurfObject) -> Answer {
    let driver = driver::started()?;
    let removed = driver.surfaces.remove(surfObject.0);
    removed.map(|_| ()).ok_or(CuError::INVALID_VALUE)
}

pub fn cuSurfObjectGetResourceDesc(
    pResDesc: Out<CUDA_RESOURCE_DESC_v1>,
    surfObject: CUsurfObject,
) -> Answer {
    let driver = driver::started()?;
    let place = pResDesc.required()?;
    let found = driver.surfaces.get(surfObject.0);
    place.set(found.ok_or(CuError::INVALID_VALUE)?.of);
    Ok(())
}
