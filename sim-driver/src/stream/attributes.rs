//! `cuStream*Attribute*`: what launches on a stream take over from it. Kept and told; nothing else follows, because kernels are not executed.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use super::{Stream, resolve};
use crate::abi::{CUlaunchAttributeValue, CUstream};
use crate::boundary::{In, Out};
use crate::context::GREATEST_PRIORITY;
use crate::driver;
use crate::status::{Answer, CuError};
use crate::surface::DefaultStream;

/// Those of `CUlaunchAttributeID` that a stream has.
mod number {
    pub const ACCESS_POLICY_WINDOW: u32 = 1;
    pub const SYNCHRONIZATION_POLICY: u32 = 3;
    pub const PRIORITY: u32 = 8;
    pub const MEM_SYNC_DOMAIN_MAP: u32 = 9;
    pub const MEM_SYNC_DOMAIN: u32 = 10;
}

/// `CUsynchronizationPolicy`: auto, spin, yield, blocking.
const POLICIES: std::ops::RangeInclusive<u64> = 1..=4;
/// Bits of the first word that a value of four bytes takes.
const LOW: u64 = 0xffff_ffff;

/// Values that were set, by attribute.
pub type Attributes = BTreeMap<u32, CUlaunchAttributeValue>;

impl Stream {
    fn attributes(&self) -> MutexGuard<'_, Attributes> {
        self.attributes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// An attribute's value, set or not.
    fn attribute(&self, attribute: u32) -> Result<CUlaunchAttributeValue, CuError> {
        if let Some(value) = self.attributes().get(&attribute) {
            return Ok(*value);
        }
        let mut value = CUlaunchAttributeValue::default();
        value[0] = match attribute {
            number::ACCESS_POLICY_WINDOW | number::MEM_SYNC_DOMAIN => 0,
            number::SYNCHRONIZATION_POLICY => *POLICIES.start(),
            number::PRIORITY => u64::from(self.priority as u32),
            // Domain 0 for the default one, and 1 for the remote one: a byte each.
            number::MEM_SYNC_DOMAIN_MAP => 1 << 8,
            _ => return Err(CuError::INVALID_VALUE),
        };
        Ok(value)
    }
}

/// Refuses values that the attribute does not have.
fn check(attribute: u32, value: &CUlaunchAttributeValue) -> Answer {
    let low = value[0] & LOW;
    let is_good = match attribute {
        number::ACCESS_POLICY_WINDOW | number::MEM_SYNC_DOMAIN_MAP => true,
        number::SYNCHRONIZATION_POLICY => POLICIES.contains(&low),
        number::PRIORITY => (GREATEST_PRIORITY..=0).contains(&(low as u32 as i32)),
        number::MEM_SYNC_DOMAIN => low <= 1,
        _ => false,
    };
    if is_good {
        Ok(())
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

pub fn cuStreamGetAttribute(
    default_stream: DefaultStream,
    hStream: CUstream,
    attr: u32,
    value: Out<CUlaunchAttributeValue>,
) -> Answer {
    driver::started()?;
    let place = value.required()?;
    place.set(resolve(default_stream, hStream)?.1.attribute(attr)?);
    Ok(())
}

pub fn cuStreamSetAttribute(
    default_stream: DefaultStream,
    hStream: CUstream,
    attr: u32,
    param: In<CUlaunchAttributeValue>,
) -> Answer {
    driver::started()?;
    let value = param.required()?;
    check(attr, &value)?;
    let (_, stream) = resolve(default_stream, hStream)?;
    stream.attributes().insert(attr, value);
    Ok(())
}

pub fn cuStreamCopyAttributes(
    default_stream: DefaultStream,
    dstStream: CUstream,
    srcStream: CUstream,
) -> Answer {
    driver::started()?;
    let (to_context, to) = resolve(default_stream, dstStream)?;
    let (_, from) = resolve(default_stream, srcStream)?;
    // cuda.h: both must be of the same context.
    if from.context_id != to.context_id || to.context_id != to_context.id {
        return Err(CuError::INVALID_VALUE);
    }
    let copied = from.attributes().clone();
    *to.attributes() = copied;
    Ok(())
}
