//! A probed GPU as the text of a profile; docs/profiles.md describes it.

use std::fmt::Write;

use super::gpu::ProbedGpu;

/// Attributes that a profile says in other keys: PCI bus, device and domain, compute capability.
const SAID_ELSEWHERE: [i64; 5] = [33, 34, 50, 75, 76];

/// The text of the profile.
pub fn write(gpu: &ProbedGpu) -> String {
    let mut text = String::new();
    lines(&mut text, gpu).expect("a string takes everything");
    text
}

fn lines(text: &mut String, gpu: &ProbedGpu) -> std::fmt::Result {
    let (major, minor) = (gpu.cuda_version / 1000, gpu.cuda_version % 1000 / 10);
    let capability = [75, 76].map(|number| gpu.attribute(number).unwrap_or(0));
    writeln!(
        text,
        "# {}, as a driver of CUDA {major}.{minor} answered",
        gpu.name
    )?;
    if gpu.others > 0 {
        writeln!(
            text,
            "# {} other GPUs of the machine are of other models, and are not in this profile.",
            gpu.others
        )?;
    }
    writeln!(text, "name = {}", quoted(&gpu.name))?;
    writeln!(text, "count = {}", gpu.count.min(16))?;
    writeln!(
        text,
        "compute_capability = \"{}.{}\"",
        capability[0], capability[1]
    )?;
    writeln!(text, "total_memory = {}", size(gpu.total_bytes))?;
    writeln!(text, "free_memory = {}", size(gpu.free_bytes))?;
    writeln!(text, "cuda_version = \"{major}.{minor}\"")?;
    if let Some(nvml) = &gpu.nvml {
        writeln!(text, "driver_version = {}", quoted(&nvml.driver_version))?;
    }
    writeln!(text, "uuid = \"GPU-{}\"", uuid(&gpu.uuid))?;
    writeln!(text, "pci = {}", quoted(&gpu.pci))?;
    writeln!(text, "\n[attributes]")?;
    if !gpu.unknown_attributes.is_empty() {
        let names = gpu.unknown_attributes.join(", ");
        writeln!(text, "# This driver does not know: {names}")?;
    }
    for (number, name, value) in &gpu.attributes {
        if !SAID_ELSEWHERE.contains(number) {
            writeln!(text, "{name} = {value}")?;
        }
    }
    if let Some(nvml) = gpu.nvml.as_ref().filter(|nvml| !nvml.values.is_empty()) {
        writeln!(text, "\n[nvml]")?;
        for (key, value) in &nvml.values {
            writeln!(text, "{key} = {value}")?;
        }
    }
    Ok(())
}

/// A TOML string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted += &format!("\\u{:04X}", u32::from(letter)),
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

/// Bytes, as a size where it is a round one.
fn size(bytes: u64) -> String {
    let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let round = units
        .iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    match round {
        Some((unit, name)) => format!("\"{} {name}\"", bytes / unit),
        None => bytes.to_string(),
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn uuid(bytes: &[u8; 16]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|range| &digits[range])
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_round_where_they_can_be_and_exact_always() {
        assert_eq!(size(80 << 30), "\"80 GiB\"");
        assert_eq!(size(81_559 << 20), "\"81559 MiB\"");
        assert_eq!(size(85_899_345_921), "85899345921");
        assert_eq!(size(0), "0");
    }

    #[test]
    fn names_with_quotes_stay_one_string() {
        assert_eq!(quoted("NVIDIA \"X\"\\\n"), r#""NVIDIA \"X\"\\\u000A""#);
    }

    #[test]
    fn a_uuid_has_its_groups() {
        let bytes = std::array::from_fn(|place| place as u8);
        assert_eq!(uuid(&bytes), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
