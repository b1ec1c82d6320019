//! Images as the simulated driver takes them: those that it linked itself, too.

use cutape_module_image::{Image, ImageError, Target};

use super::link;
use crate::status::CuError;

impl From<ImageError> for CuError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Unrecognized => Self::INVALID_IMAGE,
            ImageError::WrongArchitecture => Self::NO_BINARY_FOR_GPU,
            ImageError::InvalidPtx => Self::INVALID_PTX,
            ImageError::PtxTooNew => Self::UNSUPPORTED_PTX_VERSION,
        }
    }
}

/// Reads an image that is given as bytes.
pub fn read(bytes: &[u8], target: Target) -> Result<Image, ImageError> {
    link::read(bytes, target).unwrap_or_else(|| cutape_module_image::read(bytes, target))
}
