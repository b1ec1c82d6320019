//! Tensor maps: how a kernel on compute capability 9 and later would fetch boxes of a tensor. The rules of cuda.h are checked; what is written is
//! opaque, as the real one is, and nothing reads it, because no kernel runs.

use std::ffi::c_void;

use crate::abi::CUtensorMap;
use crate::boundary::{In, Out};
use crate::driver;
use crate::status::{Answer, CuError};

/// Attribute of a device: whether kernels can use such maps.
const TENSOR_MAP_ACCESS_SUPPORTED: i32 = 127;

/// Bytes of an element by `CUtensorMapDataType`, and whether it is a floating point number; the types of 4 and 6 bits are packed by 16.
const TYPES: [(u64, bool); 13] = [
    (1, false),
    (2, false),
    (4, false),
    (4, false),
    (8, false),
    (8, false),
    (2, true),
    (4, true),
    (8, true),
    (2, true),
    (4, true),
    (4, true),
    (4, true),
];
/// `CUtensorMapInterleave`.
const INTERLEAVE_NONE: u32 = 0;
const INTERLEAVE_32B: u32 = 2;
/// `CUtensorMapSwizzle`: bytes that each pattern spans.
const SWIZZLES: [u64; 7] = [u64::MAX, 32, 64, 128, 128, 128, 128];
const SWIZZLE_NONE: u32 = 0;
const SWIZZLE_32B: u32 = 1;
/// The last values of `CUtensorMapL2promotion` and `CUtensorMapFloatOOBfill`.
const LAST_PROMOTION: u32 = 3;
const FILL_NAN: u32 = 1;

const MAP_ALIGNMENT: u64 = 64;
const MOST_DIMENSIONS: u32 = 5;
/// Interleaved layouts have a slice of channels beside two dimensions at least.
const LEAST_INTERLEAVED: u32 = 3;
const LARGEST_DIMENSION: u64 = 1 << 32;
const STRIDE_LIMIT: u64 = 1 << 40;
const LARGEST_BOX: u32 = 256;
const LARGEST_ELEMENT_STRIDE: u32 = 8;
const ALIGNMENT: u64 = 16;
const ALIGNMENT_32B: u64 = 32;

/// Places in the opaque words; the rest hold sizes, strides, box and modes.
const ADDRESS: usize = 0;

/// A tensor map that is asked for.
struct Wanted {
    data_type: u32,
    address: u64,
    dimensions: Vec<u64>,
    /// Bytes from one element of a dimension to the next, from the second dimension on.
    strides: Vec<u64>,
    box_dimensions: Vec<u32>,
    element_strides: Vec<u32>,
    /// Interleave, swizzle, promotion, fill.
    modes: [u32; 4],
}

impl Wanted {
    fn is_good(&self) -> bool {
        let [interleave, swizzle, promotion, fill] = self.modes;
        let Some(&(bytes, is_float)) = TYPES.get(self.data_type as usize) else {
            return false;
        };
        let Some(&span) = SWIZZLES.get(swizzle as usize) else {
            return false;
        };
        let alignment = if interleave == INTERLEAVE_32B {
            ALIGNMENT_32B
        } else {
            ALIGNMENT
        };
        let inner = u64::from(self.box_dimensions[0]) * bytes;
        let is_laid_out = match interleave {
            INTERLEAVE_NONE => inner.is_multiple_of(ALIGNMENT) && inner <= span,
            INTERLEAVE_32B => swizzle == SWIZZLE_32B,
            _ => interleave < INTERLEAVE_32B && swizzle == SWIZZLE_NONE,
        };
        let has_dimensions =
            interleave == INTERLEAVE_NONE || self.dimensions.len() >= LEAST_INTERLEAVED as usize;
        let all =
            |values: &[u32], largest: u32| values.iter().all(|value| (1..=largest).contains(value));
        is_laid_out
            && has_dimensions
            && self.address != 0
            && self.address.is_multiple_of(alignment)
            && self
                .dimensions
                .iter()
                .all(|size| (1..=LARGEST_DIMENSION).contains(size))
            && self
                .strides
                .iter()
                .all(|stride| stride.is_multiple_of(alignment) && *stride < STRIDE_LIMIT)
            && all(&self.box_dimensions, LARGEST_BOX)
            && all(&self.element_strides, LARGEST_ELEMENT_STRIDE)
            && promotion <= LAST_PROMOTION
            && (fill == 0 || fill == FILL_NAN && is_float)
    }

    fn encode(&self) -> CUtensorMap {
        let mut opaque = [0; 16];
        opaque[ADDRESS] = self.address;
        let packed = |values: &[u32]| {
            values
                .iter()
                .fold(0u64, |word, value| word << 12 | u64::from(*value))
        };
        let sizes = self.dimensions.iter().chain(&self.strides).copied();
        let rest = [
            packed(&self.box_dimensions),
            packed(&self.element_strides),
            packed(&self.modes),
            u64::from(self.data_type),
        ];
        for (place, word) in opaque[ADDRESS + 1..].iter_mut().zip(sizes.chain(rest)) {
            *place = word;
        }
        CUtensorMap { opaque }
    }
}

/// Whether a device of the machine can use tensor maps.
fn check_support() -> Answer {
    let driver = driver::started()?;
    let mut devices = driver.devices();
    if devices.any(|device| device.attribute(TENSOR_MAP_ACCESS_SUPPORTED) != 0) {
        Ok(())
    } else {
        Err(CuError::NOT_SUPPORTED)
    }
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuTensorMapEncodeTiled(
    tensorMap: Out<CUtensorMap>,
    tensorDataType: u32,
    tensorRank: u32,
    globalAddress: *mut c_void,
    globalDim: In<u64>,
    globalStrides: In<u64>,
    boxDim: In<u32>,
    elementStrides: In<u32>,
    interleave: u32,
    swizzle: u32,
    l2Promotion: u32,
    oobFill: u32,
) -> Answer {
    check_support()?;
    let place = tensorMap.required()?;
    globalDim.required()?;
    boxDim.required()?;
    elementStrides.required()?;
    if !(1..=MOST_DIMENSIONS).contains(&tensorRank)
        || !place.address().is_multiple_of(MAP_ALIGNMENT)
    {
        return Err(CuError::INVALID_VALUE);
    }
    let rank = tensorRank as usize;
    if rank > 1 {
        globalStrides.required()?;
    }
    let wanted = Wanted {
        data_type: tensorDataType,
        address: globalAddress as u64,
        dimensions: globalDim.all(rank),
        strides: globalStrides.all(rank - 1),
        box_dimensions: boxDim.all(rank),
        element_strides: elementStrides.all(rank),
        modes: [interleave, swizzle, l2Promotion, oobFill],
    };
    if !wanted.is_good() {
        return Err(CuError::INVALID_VALUE);
    }
    place.set(wanted.encode());
    Ok(())
}

pub fn cuTensorMapReplaceAddress(
    tensorMap: Out<CUtensorMap>,
    globalAddress: *mut c_void,
) -> Answer {
    check_support()?;
    let mut map = tensorMap.get().ok_or(CuError::INVALID_VALUE)?;
    let address = globalAddress as u64;
    if address == 0 || !address.is_multiple_of(ALIGNMENT) {
        return Err(CuError::INVALID_VALUE);
    }
    map.opaque[ADDRESS] = address;
    tensorMap.set(map);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Wanted {
        Wanted {
            data_type: 6,
            address: 0x1000,
            dimensions: vec![4096, 128],
            strides: vec![8192],
            box_dimensions: vec![64, 128],
            element_strides: vec![1, 1],
            modes: [INTERLEAVE_NONE, 3, 2, 0],
        }
    }

    #[test]
    fn what_matrix_kernels_ask_for_is_granted() {
        assert!(matrix().is_good());
        assert_ne!(matrix().encode().opaque, [0; 16]);
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let breaks: [fn(&mut Wanted); 9] = [
            |wanted| wanted.address += 8,
            |wanted| wanted.data_type = 99,
            |wanted| wanted.strides[0] += 8,
            |wanted| wanted.dimensions[1] = 0,
            // 256 bytes in a row do not fit a pattern of 128.
            |wanted| wanted.box_dimensions[0] = 128,
            |wanted| wanted.box_dimensions[1] = 257,
            |wanted| wanted.element_strides[0] = 9,
            |wanted| wanted.modes[1] = 7,
            // Interleaved layouts have three dimensions at least.
            |wanted| wanted.modes = [INTERLEAVE_32B, SWIZZLE_32B, 0, 0],
        ];
        for (number, change) in breaks.iter().enumerate() {
            let mut wanted = matrix();
            change(&mut wanted);
            assert!(!wanted.is_good(), "{number}");
        }
    }
}
