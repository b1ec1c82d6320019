//! What GPU is simulated, and how it is broken. docs/profiles.md describes the files.

mod document;
mod error;
mod fault;
mod harm;
mod latency;
mod look_up;
mod pattern;
mod pci;
mod read;
mod read_fault;
pub mod shipped;
mod when;

pub use error::ProfileError;
pub use fault::{Effect, End, Fault};
pub use latency::Latency;
pub use look_up::LookUps;
pub use pattern::Pattern;
pub use pci::PciAddress;
pub use read::load;
pub use when::When;

use crate::visible_devices::Reading;

/// A whole profile: every key of the file, with `extends` already followed.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What every GPU of the machine is.
    pub gpu: Gpu,
    /// How many of them there are.
    pub count: u32,
    /// What `cuDriverGetVersion` answers: 13050 is 13.5.
    pub cuda_version: i32,
    /// What NVML calls the driver's version: `595.99`.
    pub driver_version: String,
    /// Whether `cuInit` succeeds where no GPU is visible, as no real driver's does.
    pub starts_without_gpu: bool,
    /// How the driver reads CUDA_VISIBLE_DEVICES.
    pub visible_devices: Reading,
    /// What goes wrong in calls.
    pub faults: Vec<Fault>,
    /// What goes wrong when a program looks for functions.
    pub look_ups: LookUps,
}

/// One model of GPU.
#[derive(Clone, Debug)]
pub struct Gpu {
    /// What `cuDeviceGetName` answers.
    pub name: String,
    /// Bytes that `cuDeviceTotalMem` and `cuMemGetInfo` give as the whole.
    pub total_bytes: u64,
    /// Bytes that are free before the program allocates anything.
    pub free_bytes: u64,
    /// The first GPU's UUID; the others' differ in the last byte.
    pub uuid: [u8; 16],
    /// The first GPU's place on the bus; the others follow on the next buses.
    pub pci: PciAddress,
    /// Answers of `cuDeviceGetAttribute`, by attribute number.
    pub attributes: Vec<i32>,
    /// What NVML tells beyond what the driver tells.
    pub sensors: Sensors,
    /// What NVML tells otherwise than the driver.
    pub nvml: NvmlView,
}

/// Where NVML tells something else than the driver, as when the driver is that of a GPU far away and NVML that of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NvmlView {
    /// The GPU's name.
    pub name: Option<String>,
    /// All memory, bytes.
    pub total_bytes: Option<u64>,
    /// Free memory, bytes.
    pub free_bytes: Option<u64>,
}

/// What NVML reads from sensors: constant, because nothing is computed.
#[derive(Clone, Copy, Debug)]
pub struct Sensors {
    /// Degrees Celsius.
    pub temperature_c: u32,
    /// Milliwatts drawn.
    pub power_mw: u32,
    /// Milliwatts allowed.
    pub power_limit_mw: u32,
    /// Percent of time in which a kernel ran.
    pub gpu_utilization_percent: u32,
    /// Percent of time in which memory was read or written.
    pub memory_utilization_percent: u32,
    /// Present clock of the multiprocessors, MHz.
    pub sm_clock_mhz: u32,
    /// Present clock of the memory, MHz.
    pub memory_clock_mhz: u32,
}

impl Gpu {
    /// The value of an attribute; `None` for a number that the API does not know.
    pub fn attribute(&self, number: i32) -> Option<i32> {
        usize::try_from(number)
            .ok()
            .filter(|&number| number > 0)
            .and_then(|number| self.attributes.get(number).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_can_be_used() {
        for shipped in shipped::SHIPPED {
            let profile = load(shipped.name);
            assert!(profile.is_ok(), "{}: {:?}", shipped.name, profile.err());
            assert!(!shipped.summary.is_empty(), "{}", shipped.name);
        }
    }

    #[test]
    fn every_example_of_the_documentation_can_be_used() {
        let text = include_str!("../../../docs/profiles.md");
        let examples = text
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split_once("```"));
        let mut count = 0;
        for (example, _) in examples {
            let folder = std::env::temp_dir();
            let path = folder.join(format!(
                "cutape-example-{}-{count}.toml",
                std::process::id()
            ));
            std::fs::write(&path, example).expect("a temporary file");
            let loaded = load(path.to_str().expect("a path in UTF-8"));
            std::fs::remove_file(&path).expect("the temporary file");
            let profile = loaded.unwrap_or_else(|error| panic!("{error}:\n{example}"));
            let has_fault = !profile.faults.is_empty() || profile.look_ups != LookUps::default();
            assert!(has_fault, "{example}");
            count += 1;
        }
        assert!(count >= 8, "only {count} examples");
    }
}
