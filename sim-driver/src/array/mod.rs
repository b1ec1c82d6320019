//! Arrays: memory that only textures, surfaces and copies reach, by element and not by address. Here its elements lie row after row, so copies
//! move real bytes; textures and surfaces are descriptors, because no kernel runs that would read through them.

mod calls;
mod format;
mod mipmap;
mod texture;

use std::sync::Arc;

pub use calls::*;
pub use mipmap::{
    Mipmap, cuMipmappedArrayCreate, cuMipmappedArrayDestroy, cuMipmappedArrayGetLevel,
    cuMipmappedArrayGetMemoryRequirements, cuMipmappedArrayGetSparseProperties,
};
pub use texture::*;

use crate::abi::{CUDA_ARRAY3D_DESCRIPTOR_v2, CUarray};
use crate::context::Context;
use crate::device::Device;
use crate::driver::Driver;
use crate::memory::pages;
use crate::status::{Answer, CuError};
use format::element_bytes;

/// `CUDA_ARRAY3D_*`.
mod flag {
    pub const LAYERED: u32 = 0x01;
    pub const SURFACE_LDST: u32 = 0x02;
    pub const CUBEMAP: u32 = 0x04;
    pub const TEXTURE_GATHER: u32 = 0x08;
    pub const DEPTH_TEXTURE: u32 = 0x10;
    pub const COLOR_ATTACHMENT: u32 = 0x20;
    /// Memory that is mapped later, as a whole or in tiles.
    pub const SPARSE: u32 = 0x40;
    pub const DEFERRED_MAPPING: u32 = 0x80;
}

/// The faces of a cube.
const FACES: usize = 6;

/// Attributes of a device that bound arrays: width, height, depth or layers.
mod bound {
    pub const ONE: [i32; 1] = [21];
    pub const TWO: [i32; 2] = [22, 23];
    pub const THREE: [i32; 3] = [24, 25, 26];
    pub const ONE_LAYERED: [i32; 2] = [42, 43];
    pub const TWO_LAYERED: [i32; 3] = [27, 28, 29];
    pub const CUBE: i32 = 52;
    pub const CUBE_LAYERED: [i32; 2] = [53, 54];
}

/// An array.
pub struct Array {
    pub handle: CUarray,
    pub context_id: u64,
    pub descriptor: CUDA_ARRAY3D_DESCRIPTOR_v2,
    pub shape: Shape,
    /// Whether it is a level of a mipmapped array, which ends it.
    is_level: bool,
    memory: ArrayMemory,
}

/// How the elements lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub row_bytes: usize,
    pub rows: usize,
    /// Slices, layers or faces.
    pub slices: usize,
}

impl Shape {
    /// The shape that a descriptor asks for.
    ///
    /// # Errors
    /// `INVALID_VALUE` for what no array can be, `NOT_SUPPORTED` for what is not simulated.
    pub fn of(wanted: &CUDA_ARRAY3D_DESCRIPTOR_v2, device: &Device) -> Result<Self, CuError> {
        if wanted.Flags & (flag::SPARSE | flag::DEFERRED_MAPPING) != 0 {
            return Err(CuError::NOT_SUPPORTED);
        }
        check_extent(wanted, device)?;
        let element = element_bytes(wanted.Format, wanted.NumChannels)?;
        Ok(Self {
            row_bytes: wanted.Width * element,
            rows: wanted.Height.max(1),
            slices: wanted.Depth.max(1),
        })
    }

    fn bytes(self) -> u64 {
        (self.row_bytes * self.rows * self.slices) as u64
    }
}

/// Checks flags and extent against each other and against what the device can do.
fn check_extent(wanted: &CUDA_ARRAY3D_DESCRIPTOR_v2, device: &Device) -> Answer {
    const KNOWN: u32 = flag::LAYERED
        | flag::SURFACE_LDST
        | flag::CUBEMAP
        | flag::TEXTURE_GATHER
        | flag::DEPTH_TEXTURE
        | flag::COLOR_ATTACHMENT;
    let &CUDA_ARRAY3D_DESCRIPTOR_v2 {
        Width: width,
        Height: height,
        Depth: depth,
        Flags: flags,
        ..
    } = wanted;
    let fits = |extents: &[usize], bounds: &[i32]| {
        let mut pairs = extents.iter().zip(bounds);
        pairs.all(|(extent, bound)| (1..=device.limit(*bound) as usize).contains(extent))
    };
    let (is_layered, is_cube) = (flags & flag::LAYERED != 0, flags & flag::CUBEMAP != 0);
    let is_good = match (is_cube, is_layered) {
        (true, false) => depth == FACES && width == height && fits(&[width], &[bound::CUBE]),
        (true, true) => {
            depth.is_multiple_of(FACES)
                && width == height
                && fits(&[width, depth], &bound::CUBE_LAYERED)
        }
        (false, true) if height == 0 => fits(&[width, depth], &bound::ONE_LAYERED),
        (false, true) => fits(&[width, height, depth], &bound::TWO_LAYERED),
        (false, false) if depth > 0 => fits(&[width, height, depth], &bound::THREE),
        (false, false) if height > 0 => fits(&[width, height], &bound::TWO),
        (false, false) => fits(&[width], &bound::ONE),
    };
    if is_good && flags & !KNOWN == 0 {
        Ok(())
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

/// The memory behind an array, which counts as the device's as long as it lives.
struct ArrayMemory {
    base: u64,
    bytes: u64,
    device: &'static Device,
}

impl ArrayMemory {
    fn take(device: &'static Device, bytes: u64) -> Result<Self, CuError> {
        let bytes = pages::round_up(bytes);
        device.take(bytes)?;
        let Some(base) = pages::map(bytes, pages::PAGE_BYTES) else {
            device.give_back(bytes);
            return Err(CuError::OUT_OF_MEMORY);
        };
        Ok(Self {
            base,
            bytes,
            device,
        })
    }
}

impl Drop for ArrayMemory {
    fn drop(&mut self) {
        pages::unmap(self.base, self.bytes);
        self.device.give_back(self.bytes);
    }
}

impl Array {
    /// A new array of a context.
    fn create(
        driver: &Driver,
        context: &Context,
        wanted: CUDA_ARRAY3D_DESCRIPTOR_v2,
        is_level: bool,
    ) -> Result<Arc<Self>, CuError> {
        let shape = Shape::of(&wanted, context.device)?;
        let memory = ArrayMemory::take(context.device, shape.bytes())?;
        let make = |handle| Self {
            handle: CUarray(handle),
            context_id: context.id,
            descriptor: wanted,
            shape,
            is_level,
            memory,
        };
        driver.arrays.insert(make).ok_or(CuError::OUT_OF_MEMORY)
    }

    /// Where its first element lies.
    pub fn base(&self) -> u64 {
        self.memory.base
    }

    /// Whether a surface may be made of it.
    fn is_for_surfaces(&self) -> bool {
        self.descriptor.Flags & flag::SURFACE_LDST != 0
    }
}

/// Refuses a handle that is NULL. Measured on 535: where a call tells this at all, it does so before "not initialized".
fn not_null(handle: u64, error: CuError) -> Answer {
    if handle == 0 { Err(error) } else { Ok(()) }
}

/// The living array of a handle.
pub fn find(driver: &Driver, handle: CUarray) -> Result<Arc<Array>, CuError> {
    driver.arrays.get(handle.0).ok_or(CuError::INVALID_HANDLE)
}

/// Ends all arrays, textures and surfaces of a context.
pub fn end_all_of(driver: &Driver, context: &Context) {
    for (handle, _) in of_context(driver.textures.all(), context, |texture| texture.context_id) {
        driver.textures.remove(handle);
    }
    for (handle, _) in of_context(driver.surfaces.all(), context, |surface| surface.context_id) {
        driver.surfaces.remove(handle);
    }
    for (handle, _) in of_context(driver.mipmaps.all(), context, |mipmap| mipmap.context_id) {
        driver.mipmaps.remove(handle);
    }
    for (handle, _) in of_context(driver.arrays.all(), context, |array| array.context_id) {
        driver.arrays.remove(handle);
    }
}

fn of_context<T>(
    all: Vec<(u64, Arc<T>)>,
    context: &Context,
    id: impl Fn(&T) -> u64,
) -> impl Iterator<Item = (u64, Arc<T>)> {
    all.into_iter()
        .filter(move |(_, object)| id(object) == context.id)
}
