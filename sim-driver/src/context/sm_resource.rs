//! `cuDevResource*`: multiprocessors of a device as something that can be split and given to green contexts.
//!
//! Only multiprocessors are simulated, not work queues. A resource remembers which device it is of, and whether it came out of a split, in the
//! part of the structure that is the driver's own.

use super::{Context, named_or_current};
use crate::abi::CUstream;
use crate::abi::{
    CUcontext, CUdevResource_v1, CUdevResourceDesc, CUdevSmResource, CUdevice, CUgreenCtx,
};
use crate::attribute::{COMPUTE_CAPABILITY_MAJOR, number};
use crate::boundary::{In, Out};
use crate::device::Device;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};
use crate::stream::resolve;
use crate::surface::DefaultStream;

/// `CU_DEV_RESOURCE_TYPE_INVALID` and `CU_DEV_RESOURCE_TYPE_SM`.
const NONE: u32 = 0;
const SM: u32 = 1;
/// `CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING`, and with it all flags of a split.
const IGNORE_COSCHEDULING: u32 = 1;
const ALL_SPLIT_FLAGS: u32 = 3;
/// Says in the driver's part of the structure that this driver has filled it.
const MARK: [u8; 4] = *b"SMs:";
/// Descriptors and green contexts take so many resources at most; more are no list but a slip.
const MOST_RESOURCES: u32 = 1024;

/// Some multiprocessors of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmPart {
    /// The device's place among the GPUs of the machine.
    pub device: usize,
    /// How many.
    pub count: u32,
    /// It came out of a split, and can't be split before a green context has it.
    is_split: bool,
}

/// How many multiprocessors a part has at least, and of which number it has a multiple: as the documentation of
/// `cuDevSmResourceSplitByCount` gives them by compute capability.
fn granularity(device: &Device, ignores_coscheduling: bool) -> (u32, u32) {
    match device.attribute(COMPUTE_CAPABILITY_MAJOR as i32) {
        ..=6 => (1, 1),
        7 => (2, 2),
        8 => (4, 2),
        _ if ignores_coscheduling => (2, 2),
        _ => (8, 8),
    }
}

impl SmPart {
    /// All of a device.
    pub fn whole(device: &Device) -> Self {
        Self {
            device: device.index,
            count: device.attribute(number::MULTIPROCESSOR_COUNT) as u32,
            is_split: false,
        }
    }

    /// The same once a green context has it.
    pub fn given(self) -> Self {
        Self {
            is_split: false,
            ..self
        }
    }

    fn with(self, count: u32) -> Self {
        Self {
            count,
            is_split: true,
            ..self
        }
    }

    /// As the program sees it.
    fn resource(self, driver: &Driver) -> CUdevResource_v1 {
        let mut resource = CUdevResource_v1::of_type(if self.count == 0 { NONE } else { SM });
        if self.count == 0 {
            return resource;
        }
        let (least, step) = granularity(&driver.gpus[self.device], false);
        resource.sm = CUdevSmResource {
            smCount: self.count,
            minSmPartitionSize: least,
            smCoscheduledAlignment: step,
            flags: 0,
            localityDomainId: 0,
        };
        resource._internal_padding[..4].copy_from_slice(&MARK);
        resource._internal_padding[4] = self.device as u8;
        resource._internal_padding[5] = u8::from(self.is_split);
        resource
    }

    /// What a resource of the program's stands for.
    ///
    /// # Errors
    /// It is of another type, or this driver did not make it.
    fn of(driver: &Driver, resource: &CUdevResource_v1) -> Result<Self, CuError> {
        if resource.r#type != SM {
            return Err(CuError::INVALID_RESOURCE_TYPE);
        }
        let [a, b, c, d, device, is_split, ..] = resource._internal_padding;
        let device = usize::from(device);
        let gpu = driver.gpus.get(device).filter(|_| [a, b, c, d] == MARK);
        let gpu = gpu.ok_or(CuError::INVALID_RESOURCE_CONFIGURATION)?;
        let count = resource.sm.smCount;
        if count == 0 || count > Self::whole(gpu).count {
            return Err(CuError::INVALID_RESOURCE_CONFIGURATION);
        }
        Ok(Self {
            device,
            count,
            is_split: is_split != 0,
        })
    }
}

/// What a green context is to be given.
pub struct ResourceDescriptor {
    pub handle: CUdevResourceDesc,
    pub part: SmPart,
}

fn tell(resource: Out<CUdevResource_v1>, r#type: u32, part: SmPart) -> Answer {
    let place = resource.required()?;
    if r#type != SM {
        return Err(CuError::INVALID_RESOURCE_TYPE);
    }
    place.set(part.resource(driver::started()?));
    Ok(())
}

fn part_of(context: &Context) -> SmPart {
    let whole = SmPart::whole(context.device);
    context.green().map_or(whole, |green| green.part)
}

pub fn cuDeviceGetDevResource(
    device: CUdevice,
    resource: Out<CUdevResource_v1>,
    r#type: u32,
) -> Answer {
    let part = SmPart::whole(driver::started()?.device(device)?);
    tell(resource, r#type, part)
}

pub fn cuCtxGetDevResource(
    hCtx: CUcontext,
    resource: Out<CUdevResource_v1>,
    r#type: u32,
) -> Answer {
    driver::started()?;
    tell(resource, r#type, part_of(&*named_or_current(hCtx)?))
}

pub fn cuGreenCtxGetDevResource(
    hCtx: CUgreenCtx,
    resource: Out<CUdevResource_v1>,
    r#type: u32,
) -> Answer {
    let green = super::find_green(driver::started()?, hCtx)?;
    tell(resource, r#type, part_of(&green))
}

pub fn cuStreamGetDevResource(
    default_stream: DefaultStream,
    hStream: CUstream,
    resource: Out<CUdevResource_v1>,
    r#type: u32,
) -> Answer {
    let (_, stream) = resolve(default_stream, hStream)?;
    let context = super::find(driver::started()?, stream.context)?;
    tell(resource, r#type, part_of(&context))
}

pub fn cuDevSmResourceSplitByCount(
    result: Out<CUdevResource_v1>,
    nbGroups: Out<u32>,
    input: In<CUdevResource_v1>,
    remainder: Out<CUdevResource_v1>,
    flags: u32,
    minCount: u32,
) -> Answer {
    let driver = driver::started()?;
    let wanted = nbGroups.get().ok_or(CuError::INVALID_VALUE)?;
    let part = SmPart::of(driver, &input.required()?)?;
    if flags & !ALL_SPLIT_FLAGS != 0 || minCount > part.count {
        return Err(CuError::INVALID_VALUE);
    }
    if part.is_split {
        return Err(CuError::INVALID_RESOURCE_CONFIGURATION);
    }
    let ignores_coscheduling = flags & IGNORE_COSCHEDULING != 0;
    let (least, step) = granularity(&driver.gpus[part.device], ignores_coscheduling);
    let size = minCount.max(least).next_multiple_of(step);
    let most = part.count / size;
    if most == 0 {
        return Err(CuError::INVALID_RESOURCE_CONFIGURATION);
    }
    if result.is_null() {
        nbGroups.set(most);
        return Ok(());
    }
    if wanted == 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let groups = wanted.min(most);
    result.set_all(&vec![part.with(size).resource(driver); groups as usize]);
    nbGroups.set(groups);
    remainder.set(part.with(part.count - groups * size).resource(driver));
    Ok(())
}

pub fn cuDevResourceGenerateDesc(
    phDesc: Out<CUdevResourceDesc>,
    resources: Out<CUdevResource_v1>,
    nbResources: u32,
) -> Answer {
    let driver = driver::started()?;
    let place = phDesc.required()?;
    resources.required()?;
    if nbResources == 0 || nbResources > MOST_RESOURCES {
        return Err(CuError::INVALID_VALUE);
    }
    let parts = resources.all(nbResources as usize);
    let parts: Vec<SmPart> = parts
        .iter()
        .map(|resource| SmPart::of(driver, resource))
        .collect::<Result<_, _>>()?;
    let part = SmPart {
        count: parts.iter().map(|part| part.count).sum(),
        ..parts[0]
    };
    let is_of_one = parts.iter().all(|other| other.device == part.device);
    if !is_of_one || part.count > SmPart::whole(&driver.gpus[part.device]).count {
        return Err(CuError::INVALID_RESOURCE_CONFIGURATION);
    }
    let make = |handle| ResourceDescriptor {
        handle: CUdevResourceDesc(handle),
        part,
    };
    let made = driver.resource_descriptors.insert(make);
    place.set(made.ok_or(CuError::OUT_OF_MEMORY)?.handle);
    Ok(())
}
