//! From the text of a profile, and of those it extends, to a [`Profile`].

use std::path::Path;

use super::document::{Item, Keys, Source};
use super::error::suggestion;
use super::{Fault, FaultAnswer, Gpu, PciAddress, Profile, ProfileError, Sensors, When, shipped};
use crate::attribute;
use crate::surface;

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
    "attributes",
    "nvml",
    "fault",
];

const NVML_KEYS: &[&str] = &[
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
        let suggestion = suggestion(name, shipped::names());
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
        },
        count: 1,
        cuda_version: 13_050,
        driver_version: "595.99".to_owned(),
        faults: Vec::new(),
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
            "nvml" => sensors(&mut profile.gpu.sensors, &item)?,
            "fault" => {
                for table in item.tables()? {
                    profile.faults.extend(faults(&table)?);
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

fn sensors(sensors: &mut Sensors, item: &Item) -> Result<(), ProfileError> {
    for entry in item.table()?.checked(NVML_KEYS)? {
        let place = match entry.key() {
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

/// One `[[fault]]`, for each function that its name or pattern means.
fn faults(table: &Item) -> Result<Vec<Fault>, ProfileError> {
    let entries = table
        .table()?
        .checked(&["function", "error", "set", "when"])?;
    let entry = |key: &str| entries.iter().find(|entry| entry.key() == key);
    let function = entry("function").ok_or_else(|| table.complain("a fault needs `function`"))?;
    let hit = functions(function)?;
    let when = match entry("when") {
        None => When::always(),
        Some(entry) => {
            let text = entry.text_or_number("which calls are hit")?;
            text.parse()
                .map_err(|what| entry.complain(format!("`when`: {what}")))?
        }
    };
    let error = match entry("error") {
        None => None,
        Some(entry) => Some(error_code(entry, hit[0].library)?),
    };
    let set = entry("set");
    if error.is_none() && set.is_none() {
        return Err(table.complain("a fault needs `error`, `set`, or both"));
    }
    hit.into_iter()
        .map(|info| {
            let set = match set {
                None => Vec::new(),
                Some(item) => item
                    .table()?
                    .all()
                    .iter()
                    .map(|value| out_value(value, info))
                    .collect::<Result<_, _>>()?,
            };
            Ok(Fault::new(
                info.name.to_owned(),
                FaultAnswer { error, set },
                when.clone(),
            ))
        })
        .collect()
}

/// The functions of an exact name, or of a name that ends in `*`.
fn functions(item: &Item) -> Result<Vec<&'static surface::FunctionInfo>, ProfileError> {
    let written = item.text("the exported name of a function, or a beginning and `*`")?;
    let hit: Vec<_> = match written.strip_suffix('*') {
        Some(beginning) => surface::FUNCTIONS
            .iter()
            .filter(|info| info.name.starts_with(beginning))
            .collect(),
        None => surface::FUNCTIONS
            .iter()
            .filter(|info| info.name == written)
            .collect(),
    };
    if hit.is_empty() {
        let hint = suggestion(written, surface::FUNCTIONS.iter().map(|info| info.name));
        return Err(item.expected(&format!("the exported name of a function{hint}")));
    }
    Ok(hit)
}

fn error_code(item: &Item, library: surface::Library) -> Result<u32, ProfileError> {
    const WHAT: &str = "the name or number of an error";
    let written = item.text_or_number(WHAT)?;
    if let Ok(code) = written.parse() {
        return Ok(code);
    }
    let errors = surface::errors(library);
    let found = errors.iter().find(|error| error.name == written);
    found.map(|error| error.code).ok_or_else(|| {
        let hint = suggestion(&written, errors.iter().map(|error| error.name));
        item.expected(&format!("{WHAT}{hint}"))
    })
}

/// An entry of `set`: the parameter's place, and the value in as many bytes as the parameter points to.
fn out_value(
    entry: &Item,
    function: &surface::FunctionInfo,
) -> Result<(usize, Vec<u8>), ProfileError> {
    let writable = || {
        function
            .params
            .iter()
            .filter(|param| param.out_bytes > 0)
            .map(|param| param.name)
    };
    let place = function
        .params
        .iter()
        .position(|param| param.name == entry.key() && param.out_bytes > 0);
    let place = place.ok_or_else(|| {
        let names: Vec<_> = writable().collect();
        let expected = if names.is_empty() {
            "none (it writes no numbers)".to_owned()
        } else {
            names.join(", ")
        };
        let hint = suggestion(entry.key(), writable());
        entry.complain(format!(
            "`{}` is not an out parameter of {}: expected {expected}{hint}",
            entry.key(),
            function.name
        ))
    })?;
    let bytes = usize::from(function.params[place].out_bytes);
    let value = match entry.text("") {
        Ok(_) => i128::from(entry.bytes()?),
        Err(_) => entry.integer("a number, or a size such as \"78 GiB\"")?,
    };
    let bits = 8 * bytes as u32;
    if value < -(1i128 << (bits - 1)) || value >= 1i128 << bits {
        return Err(entry.expected(&format!("a number that fits {bytes} bytes")));
    }
    Ok((place, value.to_le_bytes()[..bytes].to_vec()))
}
