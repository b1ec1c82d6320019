//! From the text of a profile, and of those it extends, to a [`Profile`].

use std::path::Path;

use super::document::{Item, Keys, Source};
use super::error::{nearest, suggestion};
use super::{
    Gpu, LookUps, NvmlView, PciAddress, Profile, ProfileError, Sensors, read_fault, shipped,
};
use crate::attribute;
use crate::visible_devices::Reading;

/// How many profiles may extend one another.
const MAX_DEPTH: usize = 8;

const KEYS: &[&str] = &[
    "extends",
    "name",
    "count",
    "compute_capability",
    "total_memory",
    "free_memory",
    "cuda_version",
    "driver_version",
    "uuid",
    "pci",
    "starts_without_gpu",
    "visible_devices",
    "attributes",
    "nvml",
    "fault",
];

const NVML_KEYS: &[&str] = &[
    "name",
    "total_memory",
    "free_memory",
    "temperature_c",
    "power_mw",
    "power_limit_mw",
    "gpu_utilization_percent",
    "memory_utilization_percent",
    "sm_clock_mhz",
    "memory_clock_mhz",
];

/// The profile of that name (a shipped one, or a file).
///
/// # Errors
/// [`ProfileError`] says which file and line, what was expected and what was found.
pub fn load(name: &str) -> Result<Profile, ProfileError> {
    let mut texts = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next {
        if texts.len() == MAX_DEPTH {
            let path = texts.swap_remove(0);
            let (path, _): (String, String) = path;
            return Err(ProfileError::TooDeep {
                path,
                limit: MAX_DEPTH,
            });
        }
        let (path, text) = find(&name)?;
        next = extends(&Source {
            path: &path,
            text: &text,
        })?;
        texts.push((path, text));
    }
    let mut profile = blank();
    let mut overrides = Vec::new();
    for (path, text) in texts.iter().rev() {
        apply(&mut profile, &mut overrides, &Source { path, text })?;
    }
    attribute::fill_in(&mut profile.gpu, &overrides);
    if profile.gpu.free_bytes > profile.gpu.total_bytes {
        let (path, text) = &texts[0];
        let what = format!(
            "free_memory ({} bytes) is more than total_memory ({} bytes)",
            profile.gpu.free_bytes, profile.gpu.total_bytes
        );
        return Err(Source { path, text }.complain(0..0, what));
    }
    Ok(profile)
}

/// Path and text of a profile. A name with a slash or a `.toml` ending is a file, anything else a shipped name first.
fn find(name: &str) -> Result<(String, String), ProfileError> {
    if let Some(text) = shipped::text(name) {
        return Ok((name.to_owned(), text.to_owned()));
    }
    if !name.contains('/') && !name.ends_with(".toml") && !Path::new(name).is_file() {
        let known = shipped::names().collect::<Vec<_>>().join(", ");
        let suggestion = match nearest(name, shipped::names()) {
            Some(name) => format!(" (did you mean \"{name}\"?)"),
            None => String::new(),
        };
        return Err(ProfileError::Unknown {
            name: name.to_owned(),
            known,
            suggestion,
        });
    }
    match std::fs::read_to_string(name) {
        Ok(text) => Ok((name.to_owned(), text)),
        Err(error) => Err(ProfileError::Unreadable {
            path: name.to_owned(),
            cause: error.to_string(),
        }),
    }
}

/// What the profile extends. A relative path is relative to the file that names it.
fn extends(source: &Source) -> Result<Option<String>, ProfileError> {
    let document = source.parse()?;
    for item in Keys::new(source, document.get_ref()).all() {
        if item.key() == "extends" {
            let name = item.text("the name of a shipped profile, or a path")?;
            if shipped::text(name).is_some() || Path::new(name).is_absolute() {
                return Ok(Some(name.to_owned()));
            }
            if !name.contains('/') && !name.ends_with(".toml") {
                let known = shipped::names().collect::<Vec<_>>().join(", ");
                let hint = suggestion(name, shipped::names());
                return Err(item.expected(&format!("a path, or one of {known}{hint}")));
            }
            let folder = Path::new(source.path).parent().unwrap_or(Path::new("."));
            return Ok(Some(folder.join(name).to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

/// What a profile that says nothing would be.
fn blank() -> Profile {
    Profile {
        gpu: Gpu {
            name: "Simulated GPU".to_owned(),
            total_bytes: 8 << 30,
            free_bytes: 8 << 30,
            uuid: *b"cutape-simulated",
            pci: PciAddress {
                domain: 0,
                bus: 1,
                device: 0,
            },
            attributes: attribute::plain(),
            sensors: Sensors {
                temperature_c: 30,
                power_mw: 50_000,
                power_limit_mw: 300_000,
                gpu_utilization_percent: 0,
                memory_utilization_percent: 0,
                sm_clock_mhz: 1000,
                memory_clock_mhz: 1000,
            },
            nvml: NvmlView::default(),
        },
        count: 1,
        cuda_version: 13_050,
        driver_version: "595.99".to_owned(),
        starts_without_gpu: false,
        visible_devices: Reading::AsDocumented,
        faults: Vec::new(),
        look_ups: LookUps::default(),
    }
}

fn apply(
    profile: &mut Profile,
    overrides: &mut Vec<(i32, i32)>,
    source: &Source,
) -> Result<(), ProfileError> {
    let document = source.parse()?;
    let mut free_is_given = false;
    for item in Keys::new(source, document.get_ref()).checked(KEYS)? {
        match item.key() {
            "name" => profile.gpu.name = item.text("the GPU's name")?.to_owned(),
            "count" => profile.count = number_between(&item, 0, 16, "how many GPUs, 0 to 16")?,
            "compute_capability" => {
                let (major, minor) = version(&item, "a compute capability such as \"9.0\"")?;
                profile.gpu.attributes[attribute::COMPUTE_CAPABILITY_MAJOR] = major;
                profile.gpu.attributes[attribute::COMPUTE_CAPABILITY_MINOR] = minor;
            }
            "total_memory" => profile.gpu.total_bytes = item.bytes()?,
            "free_memory" => {
                free_is_given = true;
                profile.gpu.free_bytes = item.bytes()?;
            }
            "cuda_version" => {
                let (major, minor) = version(&item, "a CUDA version such as \"13.5\"")?;
                profile.cuda_version = major * 1000 + minor * 10;
            }
            "driver_version" => {
                profile.driver_version = item.text("a version such as \"595.99\"")?.to_owned()
            }
            "uuid" => profile.gpu.uuid = uuid(&item)?,
            "pci" => profile.gpu.pci = pci(&item)?,
            "attributes" => attributes(overrides, &item)?,
            "starts_without_gpu" => profile.starts_without_gpu = item.flag()?,
            "visible_devices" => profile.visible_devices = reading(&item)?,
            "nvml" => nvml(&mut profile.gpu, &item)?,
            "fault" => {
                for table in item.tables()? {
                    read_fault::read(&table, profile)?;
                }
            }
            _ => {}
        }
    }
    if !free_is_given {
        profile.gpu.free_bytes = profile.gpu.free_bytes.min(profile.gpu.total_bytes);
    }
    Ok(())
}

fn number_between(item: &Item, least: i128, most: i128, what: &str) -> Result<u32, ProfileError> {
    let number = item.integer(what)?;
    if (least..=most).contains(&number) {
        Ok(number as u32)
    } else {
        Err(item.expected(what))
    }
}

/// `"9.0"` as two numbers.
fn version(item: &Item, what: &str) -> Result<(i32, i32), ProfileError> {
    let part = |digits: &str| {
        digits
            .parse::<i32>()
            .ok()
            .filter(|number| (0..1000).contains(number))
    };
    let parts = item
        .text(what)?
        .split_once('.')
        .and_then(|(major, minor)| Some((part(major)?, part(minor)?)));
    parts.ok_or_else(|| item.expected(what))
}

/// `GPU-` and 32 hexadecimal digits in groups of 8-4-4-4-12.
fn uuid(item: &Item) -> Result<[u8; 16], ProfileError> {
    const WHAT: &str = "a UUID such as \"GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a69\"";
    let text = item.text(WHAT)?;
    let digits = text
        .strip_prefix("GPU-")
        .ok_or_else(|| item.expected(WHAT))?;
    let groups: Vec<&str> = digits.split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return Err(item.expected(WHAT));
    }
    let number = u128::from_str_radix(&groups.concat(), 16).map_err(|_| item.expected(WHAT))?;
    Ok(number.to_be_bytes())
}

/// `domain:bus:device.function`, hexadecimal, as `lspci -D` writes it.
fn pci(item: &Item) -> Result<PciAddress, ProfileError> {
    PciAddress::parse(item.text("a PCI address")?)
        .ok_or_else(|| item.expected("a PCI address such as \"0000:19:00.0\" (hexadecimal)"))
}

fn attributes(overrides: &mut Vec<(i32, i32)>, item: &Item) -> Result<(), ProfileError> {
    for entry in item.table()?.all() {
        let number = attribute::number_of(entry.key()).ok_or_else(|| {
            let hint = suggestion(entry.key(), attribute::names());
            let what = "the name of CU_DEVICE_ATTRIBUTE_... in lower case without its prefix, or a number from 1 on";
            entry.complain(format!("unknown device attribute `{}`: expected {what}{hint}", entry.key()))
        })?;
        overrides.push((number, entry.number("a 32-bit number")?));
    }
    Ok(())
}

/// How the driver reads CUDA_VISIBLE_DEVICES.
fn reading(item: &Item) -> Result<Reading, ProfileError> {
    const WHAT: &str = "\"as documented\", \"numbers only\" or \"ignored\"";
    match item.text(WHAT)? {
        "as documented" => Ok(Reading::AsDocumented),
        "numbers only" => Ok(Reading::NumbersOnly),
        "ignored" => Ok(Reading::Ignored),
        _ => Err(item.expected(WHAT)),
    }
}

fn nvml(gpu: &mut Gpu, item: &Item) -> Result<(), ProfileError> {
    let (view, sensors) = (&mut gpu.nvml, &mut gpu.sensors);
    for entry in item.table()?.checked(NVML_KEYS)? {
        let place = match entry.key() {
            "name" => {
                view.name = Some(entry.text("the GPU's name")?.to_owned());
                continue;
            }
            "total_memory" => {
                view.total_bytes = Some(entry.bytes()?);
                continue;
            }
            "free_memory" => {
                view.free_bytes = Some(entry.bytes()?);
                continue;
            }
            "temperature_c" => &mut sensors.temperature_c,
            "power_mw" => &mut sensors.power_mw,
            "power_limit_mw" => &mut sensors.power_limit_mw,
            "gpu_utilization_percent" => &mut sensors.gpu_utilization_percent,
            "memory_utilization_percent" => &mut sensors.memory_utilization_percent,
            "sm_clock_mhz" => &mut sensors.sm_clock_mhz,
            _ => &mut sensors.memory_clock_mhz,
        };
        *place = entry.number("a number from 0 on")?;
    }
    Ok(())
}
