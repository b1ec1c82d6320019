//! Green contexts, which own a part of a device. None can be made here; libraries ask whether a stream belongs to one (cuDNN does).

use crate::abi::{CUgreenCtx, CUstream};
use crate::boundary::Out;
use crate::status::Answer;
use crate::stream::resolve;
use crate::surface::DefaultStream;

/// NULL for every stream: none was made from a green context (cuda.h).
pub fn cuStreamGetGreenCtx(hStream: CUstream, phCtx: Out<CUgreenCtx>) -> Answer {
    let place = phCtx.required()?;
    resolve(DefaultStream::Legacy, hStream)?;
    place.set(CUgreenCtx::default());
    Ok(())
}
