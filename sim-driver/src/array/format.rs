//! How many bytes an element of an array takes.

use crate::status::CuError;

/// Most channels of an element.
const CHANNELS: [u32; 3] = [1, 2, 4];

/// Bytes of an element: so many channels of a `CUarray_format`.
///
/// # Errors
/// `INVALID_VALUE` for a format or number of channels that does not exist, `NOT_SUPPORTED` for those whose elements are not simulated
/// (compressed blocks, several planes).
pub fn element_bytes(format: u32, channels: u32) -> Result<usize, CuError> {
    let of_each_channel = match format {
        // Integers of 8, 16 and 32 bits, half, float.
        0x01 | 0x08 => 1,
        0x02 | 0x09 | 0x10 => 2,
        0x03 | 0x0a | 0x20 => 4,
        _ => return of_whole_element(format, channels),
    };
    if CHANNELS.contains(&channels) {
        Ok(of_each_channel * channels as usize)
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

/// Formats that say themselves how many channels there are.
fn of_whole_element(format: u32, channels: u32) -> Result<usize, CuError> {
    /// `CU_AD_FORMAT_UNORM_INT8X1`, and then 8X2, 8X4, 16X1, 16X2, 16X4; the same again for signed ones.
    const FIRST_NORMALISED: u32 = 0xc0;
    const LAST_NORMALISED: u32 = 0xcb;
    /// `CU_AD_FORMAT_UNORM_INT_101010_2`.
    const TEN_BITS: u32 = 0x50;
    /// Compressed blocks, and formats of video.
    const OTHERS: [std::ops::RangeInclusive<u32>; 2] = [0x51..=0x5e, 0x91..=0xb5];
    let (bytes, has) = match format {
        FIRST_NORMALISED..=LAST_NORMALISED => {
            let kind = (format - FIRST_NORMALISED) % 6;
            let has = CHANNELS[kind as usize % 3];
            (has as usize * if kind < 3 { 1 } else { 2 }, has)
        }
        TEN_BITS => (4, 4),
        _ if OTHERS.iter().any(|range| range.contains(&format)) => {
            return Err(CuError::NOT_SUPPORTED);
        }
        _ => return Err(CuError::INVALID_VALUE),
    };
    if channels == has {
        Ok(bytes)
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_as_large_as_their_channels_together() {
        assert_eq!(element_bytes(0x20, 4), Ok(16));
        assert_eq!(element_bytes(0x08, 2), Ok(2));
        // UNORM_INT16X4, SNORM_INT8X1, SNORM_INT16X2.
        assert_eq!(element_bytes(197, 4), Ok(8));
        assert_eq!(element_bytes(198, 1), Ok(1));
        assert_eq!(element_bytes(202, 2), Ok(4));
        for (format, channels) in [(0x20, 3), (0x20, 0), (197, 2), (0, 1), (0x7fff_ffff, 1)] {
            assert_eq!(element_bytes(format, channels), Err(CuError::INVALID_VALUE));
        }
        assert_eq!(element_bytes(0xb0, 3), Err(CuError::NOT_SUPPORTED));
    }
}
