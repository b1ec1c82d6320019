//! What a driver and NVML answer about one GPU.

use cutape_cuda_api::{Api, TypeKind};

use super::driver_library::{DriverLibrary, to};

/// Everything that a profile can say about a GPU.
pub struct ProbedGpu {
    pub name: String,
    /// GPUs of the same name.
    pub count: u32,
    /// GPUs of other names.
    pub others: u32,
    pub total_bytes: u64,
    /// Free with one context alive.
    pub free_bytes: u64,
    /// 13050 is 13.5.
    pub cuda_version: i32,
    pub uuid: [u8; 16],
    pub pci: String,
    /// Number, name without prefix in lower case, value.
    pub attributes: Vec<(i64, String, i32)>,
    /// Attributes that the driver does not know.
    pub unknown_attributes: Vec<String>,
    pub nvml: Option<ProbedSensors>,
}

/// What only NVML tells.
pub struct ProbedSensors {
    pub driver_version: String,
    /// Keys of a profile's `[nvml]` with their values, as far as the GPU has such sensors.
    pub values: Vec<(&'static str, u32)>,
}

impl ProbedGpu {
    /// Asks about the GPU of that number.
    ///
    /// # Errors
    /// Which call did not answer.
    pub fn ask(
        cuda: &DriverLibrary,
        nvml: Option<&DriverLibrary>,
        device: i32,
    ) -> Result<Self, String> {
        let mut cuda_version = 0i32;
        cuda.call("cuInit", [0])?;
        cuda.call("cuDriverGetVersion", [to(&mut cuda_version)])?;
        let word = device as u64;
        let name = cuda.text("cuDeviceGetName", None, Some(word))?;
        let (count, others) = count_devices(cuda, &name)?;
        let (free_bytes, total_bytes) = memory(cuda, word)?;
        let mut uuid = [0u8; 16];
        let words = [to(&mut uuid), word];
        // The second form came with 11.4; on a GPU that is not divided both answer the same.
        cuda.call("cuDeviceGetUuid_v2", words)
            .or_else(|_| cuda.call("cuDeviceGetUuid", words))?;
        let pci = cuda.text("cuDeviceGetPCIBusId", None, Some(word))?;
        let (attributes, unknown_attributes) = attributes(cuda, word);
        let nvml = nvml.and_then(|nvml| ProbedSensors::ask(nvml, &pci).ok());
        Ok(Self {
            name,
            count,
            others,
            total_bytes,
            free_bytes,
            cuda_version,
            uuid,
            pci,
            attributes,
            unknown_attributes,
            nvml,
        })
    }

    /// The value of an attribute by its number.
    pub fn attribute(&self, number: i64) -> Option<i32> {
        let found = self.attributes.iter().find(|(known, ..)| *known == number);
        found.map(|(.., value)| *value)
    }
}

/// How many GPUs have that name, and how many another one.
fn count_devices(cuda: &DriverLibrary, name: &str) -> Result<(u32, u32), String> {
    let mut devices = 0i32;
    cuda.call("cuDeviceGetCount", [to(&mut devices)])?;
    let mut same = 0;
    for device in 0..devices {
        if cuda.text("cuDeviceGetName", None, Some(device as u64))? == name {
            same += 1;
        }
    }
    Ok((same, devices.cast_unsigned() - same))
}

/// Free and total bytes.
fn memory(cuda: &DriverLibrary, device: u64) -> Result<(u64, u64), String> {
    let (mut context, mut free, mut total) = (0u64, 0u64, 0u64);
    cuda.call("cuDevicePrimaryCtxRetain", [to(&mut context), device])?;
    cuda.call("cuCtxSetCurrent", [context])?;
    cuda.call("cuMemGetInfo_v2", [to(&mut free), to(&mut total)])?;
    cuda.call("cuCtxSetCurrent", [0])?;
    cuda.call("cuDevicePrimaryCtxRelease_v2", [device])?;
    Ok((free, total))
}

/// The attributes that the driver knows, and the names of those that it doesn't.
fn attributes(cuda: &DriverLibrary, device: u64) -> (Vec<(i64, String, i32)>, Vec<String>) {
    let (mut known, mut unknown): (Vec<(i64, String, i32)>, Vec<String>) = Default::default();
    for (number, name) in attribute_names() {
        let mut value = 0i32;
        let words = [to(&mut value), number as u64, device];
        match cuda.call("cuDeviceGetAttribute", words) {
            Ok(()) => known.push((number, name, value)),
            Err(_) => unknown.push(name),
        }
    }
    (known, unknown)
}

/// Numbers and names of the header, each number once.
fn attribute_names() -> Vec<(i64, String)> {
    const PREFIX: &str = "CU_DEVICE_ATTRIBUTE_";
    let definition = Api::get()
        .types()
        .iter()
        .find(|definition| match &definition.kind {
            TypeKind::Enum { values, .. } => {
                values.iter().any(|(name, _)| name.starts_with(PREFIX))
            }
            _ => false,
        });
    let Some(TypeKind::Enum { values, .. }) = definition.map(|definition| &definition.kind) else {
        return Vec::new();
    };
    let mut names: Vec<(i64, String)> = values
        .iter()
        .filter(|(name, number)| *number > 0 && !name.ends_with("ATTRIBUTE_MAX"))
        .map(|(name, number)| (*number, name.trim_start_matches(PREFIX).to_lowercase()))
        .collect();
    names.sort_by_key(|(number, _)| *number);
    names.dedup_by_key(|(number, _)| *number);
    names
}

impl ProbedSensors {
    /// Asks NVML about the GPU at that place on the bus.
    fn ask(nvml: &DriverLibrary, pci: &str) -> Result<Self, String> {
        let place = std::ffi::CString::new(pci).map_err(|_| "a NUL in the bus id".to_owned())?;
        let mut gpu = 0u64;
        nvml.call("nvmlInit_v2", [])?;
        let driver_version = nvml.text("nvmlSystemGetDriverVersion", None, None)?;
        nvml.call(
            "nvmlDeviceGetHandleByPciBusId_v2",
            [place.as_ptr() as u64, to(&mut gpu)],
        )?;
        let number = |function: &str, argument: Option<u64>| {
            let mut value = 0u32;
            let asked = match argument {
                Some(argument) => nvml.call(function, [gpu, argument, to(&mut value)]),
                None => nvml.call(function, [gpu, to(&mut value)]),
            };
            asked.ok().map(|()| value)
        };
        let mut load = [0u32; 2];
        let has_load = nvml
            .call("nvmlDeviceGetUtilizationRates", [gpu, to(&mut load)])
            .is_ok();
        // Sensor 0 is the GPU's temperature; clock 1 that of its multiprocessors, 2 that of its memory.
        let asked = [
            ("temperature_c", number("nvmlDeviceGetTemperature", Some(0))),
            ("power_mw", number("nvmlDeviceGetPowerUsage", None)),
            (
                "power_limit_mw",
                number("nvmlDeviceGetPowerManagementLimit", None),
            ),
            ("gpu_utilization_percent", has_load.then_some(load[0])),
            ("memory_utilization_percent", has_load.then_some(load[1])),
            ("sm_clock_mhz", number("nvmlDeviceGetClockInfo", Some(1))),
            (
                "memory_clock_mhz",
                number("nvmlDeviceGetClockInfo", Some(2)),
            ),
        ];
        let values = asked
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        Ok(Self {
            driver_version,
            values,
        })
    }
}
