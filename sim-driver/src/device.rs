//! A simulated GPU, and the calls that ask about it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::abi::{CUdevice, CUdevprop, CUuuid};
use crate::attribute::number;
use crate::boundary::{Out, Text};
use crate::context::primary::Primary;
use crate::driver;
use crate::profile::{Gpu, PciAddress};
use crate::status::{Answer, CuError};

/// One GPU of the machine.
pub struct Device {
    /// Its place among all GPUs of the machine.
    pub index: usize,
    pub gpu: Gpu,
    pub uuid: [u8; 16],
    pub pci: PciAddress,
    pub primary: Primary,
    /// Bytes that this process has allocated on it.
    used_bytes: AtomicU64,
    /// The pool that `cuMemAllocAsync` takes from.
    pub default_pool: OnceLock<u64>,
    /// The pool that `cuDeviceSetMemPool` chose; 0 for the default one.
    pub chosen_pool: AtomicU64,
}

impl Device {
    /// The GPU of that place: all are of one model, and differ in UUID and bus.
    pub fn new(gpu: &Gpu, index: usize) -> Self {
        let mut uuid = gpu.uuid;
        uuid[15] = uuid[15].wrapping_add(index as u8);
        let pci = PciAddress {
            bus: gpu.pci.bus + index as u32,
            ..gpu.pci
        };
        let mut gpu = gpu.clone();
        let places = [
            (number::PCI_DOMAIN_ID, pci.domain),
            (number::PCI_BUS_ID, pci.bus),
            (number::PCI_DEVICE_ID, pci.device),
        ];
        for (attribute, value) in places {
            if let Some(place) = gpu.attributes.get_mut(attribute as usize) {
                *place = value as i32;
            }
        }
        Self {
            index,
            gpu,
            uuid,
            pci,
            primary: Primary::default(),
            used_bytes: AtomicU64::new(0),
            default_pool: OnceLock::new(),
            chosen_pool: AtomicU64::new(0),
        }
    }

    /// Takes memory, if that much is free.
    pub fn take(&self, bytes: u64) -> Answer {
        let enough = |used: u64| {
            used.checked_add(bytes)
                .filter(|&used| used <= self.gpu.free_bytes)
        };
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough)
            .map_or(Err(CuError::OUT_OF_MEMORY), |_| Ok(()))
    }

    /// Gives memory back.
    pub fn give_back(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes that are free now.
    pub fn free_bytes(&self) -> u64 {
        self.gpu.free_bytes - self.used_bytes.load(Ordering::Relaxed)
    }

    /// An attribute that is known to exist.
    pub fn attribute(&self, number: i32) -> i32 {
        self.gpu.attribute(number).unwrap_or(0)
    }

    /// Whether an address alone tells what memory it is of.
    pub fn has_unified_addressing(&self) -> bool {
        const UNIFIED_ADDRESSING: i32 = 41;
        self.attribute(UNIFIED_ADDRESSING) != 0
    }

    /// The attribute as a count.
    pub fn limit(&self, number: i32) -> u64 {
        self.attribute(number).max(0) as u64
    }
}

pub fn cuDeviceGet(device: Out<CUdevice>, ordinal: i32) -> Answer {
    let driver = driver::started()?;
    let device = device.required()?;
    driver.device(ordinal)?;
    device.set(ordinal);
    Ok(())
}

pub fn cuDeviceGetCount(count: Out<i32>) -> Answer {
    let driver = driver::started()?;
    count.required()?.set(driver.devices().len() as i32);
    Ok(())
}

pub fn cuDeviceGetName(name: Out<u8>, len: i32, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let name = name.required()?;
    let capacity = usize::try_from(len)
        .ok()
        .filter(|&len| len > 0)
        .ok_or(CuError::INVALID_VALUE)?;
    name.set_text(&driver.device(dev)?.gpu.name, capacity);
    Ok(())
}

pub fn cuDeviceGetUuid(uuid: Out<CUuuid>, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let uuid = uuid.required()?;
    uuid.set(CUuuid {
        bytes: driver.device(dev)?.uuid,
    });
    Ok(())
}

pub fn cuDeviceGetUuid_v2(uuid: Out<CUuuid>, dev: CUdevice) -> Answer {
    cuDeviceGetUuid(uuid, dev)
}

pub fn cuDeviceTotalMem_v2(bytes: Out<usize>, dev: CUdevice) -> Answer {
    bytes.set(0);
    let driver = driver::started()?;
    bytes
        .required()?
        .set(driver.device(dev)?.gpu.total_bytes as usize);
    Ok(())
}

pub fn cuDeviceTotalMem(bytes: Out<u32>, dev: CUdevice) -> Answer {
    bytes.set(0);
    let driver = driver::started()?;
    let total = driver.device(dev)?.gpu.total_bytes;
    bytes
        .required()?
        .set(u32::try_from(total).unwrap_or(u32::MAX));
    Ok(())
}

pub fn cuDeviceGetAttribute(pi: Out<i32>, attrib: u32, dev: CUdevice) -> Answer {
    let pi = pi.required()?;
    let driver = driver::started()?;
    let device = driver.device(dev)?;
    let value = i32::try_from(attrib)
        .ok()
        .and_then(|attrib| device.gpu.attribute(attrib));
    pi.set(value.ok_or(CuError::INVALID_VALUE)?);
    Ok(())
}

pub fn cuDeviceComputeCapability(major: Out<i32>, minor: Out<i32>, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let (major, minor) = (major.required()?, minor.required()?);
    let device = driver.device(dev)?;
    major.set(device.attribute(75));
    minor.set(device.attribute(76));
    Ok(())
}

pub fn cuDeviceGetProperties(prop: Out<CUdevprop>, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let prop = prop.required()?;
    let device = driver.device(dev)?;
    let of = |attribute| device.attribute(attribute);
    prop.set(CUdevprop {
        maxThreadsPerBlock: of(number::MAX_THREADS_PER_BLOCK),
        maxThreadsDim: [
            of(number::MAX_BLOCK_DIM_X),
            of(number::MAX_BLOCK_DIM_Y),
            of(number::MAX_BLOCK_DIM_Z),
        ],
        maxGridSize: [
            of(number::MAX_GRID_DIM_X),
            of(number::MAX_GRID_DIM_Y),
            of(number::MAX_GRID_DIM_Z),
        ],
        sharedMemPerBlock: of(number::MAX_SHARED_MEMORY_PER_BLOCK),
        totalConstantMemory: of(number::TOTAL_CONSTANT_MEMORY),
        SIMDWidth: of(number::WARP_SIZE),
        memPitch: of(number::MAX_PITCH),
        regsPerBlock: of(number::MAX_REGISTERS_PER_BLOCK),
        clockRate: of(number::CLOCK_RATE),
        textureAlign: of(number::TEXTURE_ALIGNMENT),
    });
    Ok(())
}

pub fn cuDeviceGetPCIBusId(pciBusId: Out<u8>, len: i32, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let place = pciBusId.required()?;
    let capacity = usize::try_from(len)
        .ok()
        .filter(|&len| len > 0)
        .ok_or(CuError::INVALID_VALUE)?;
    place.set_text(&driver.device(dev)?.pci.to_string(), capacity);
    Ok(())
}

pub fn cuDeviceGetByPCIBusId(dev: Out<CUdevice>, pciBusId: Text) -> Answer {
    let driver = driver::started()?;
    let dev = dev.required()?;
    let address = PciAddress::parse(&pciBusId.required()?).ok_or(CuError::INVALID_VALUE)?;
    let ordinal = driver
        .devices()
        .position(|device| device.pci == address)
        .ok_or(CuError::INVALID_DEVICE)?;
    dev.set(ordinal as CUdevice);
    Ok(())
}

pub fn cuDeviceGetLuid(_luid: Out<u8>, _deviceNodeMask: Out<u32>, dev: CUdevice) -> Answer {
    // LUIDs exist on Windows only.
    driver::started()?.device(dev)?;
    Err(CuError::NOT_SUPPORTED)
}

pub fn cuDeviceGetTexture1DLinearMaxWidth(
    maxWidthInElements: Out<usize>,
    format: u32,
    numChannels: u32,
    dev: CUdevice,
) -> Answer {
    const BYTES_IN_ALL: usize = 1 << 32;
    let driver = driver::started()?;
    driver.device(dev)?;
    let channel_bytes = match format {
        0x01 | 0x08 => 1,
        0x02 | 0x09 | 0x10 => 2,
        0x03 | 0x0a | 0x20 => 4,
        _ => return Err(CuError::INVALID_VALUE),
    };
    if !matches!(numChannels, 1 | 2 | 4) {
        return Err(CuError::INVALID_VALUE);
    }
    maxWidthInElements
        .required()?
        .set(BYTES_IN_ALL / (channel_bytes * numChannels as usize) / 16);
    Ok(())
}

pub fn cuDeviceGetExecAffinitySupport(pi: Out<i32>, r#type: u32, dev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let pi = pi.required()?;
    driver.device(dev)?;
    // Only the number of multiprocessors (0) exists, and only the MPS server supports it.
    if r#type != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    pi.set(0);
    Ok(())
}

pub fn cuDeviceCanAccessPeer(canAccessPeer: Out<i32>, dev: CUdevice, peerDev: CUdevice) -> Answer {
    let driver = driver::started()?;
    let place = canAccessPeer.required()?;
    let (one, other) = (driver.device(dev)?, driver.device(peerDev)?);
    place.set(i32::from(one.index != other.index));
    Ok(())
}

pub fn cuDeviceGetP2PAttribute(
    value: Out<i32>,
    attrib: u32,
    srcDevice: CUdevice,
    dstDevice: CUdevice,
) -> Answer {
    let driver = driver::started()?;
    let value = value.required()?;
    let (one, other) = (driver.device(srcDevice)?, driver.device(dstDevice)?);
    if one.index == other.index {
        return Err(CuError::INVALID_DEVICE);
    }
    match attrib {
        // Performance rank: 0 is the best. Access, native atomics and array access follow.
        1 => value.set(0),
        2..=4 => value.set(1),
        _ => return Err(CuError::INVALID_VALUE),
    }
    Ok(())
}
