//! A process as rules look at it when all calls are read.

use cutape_trace_format::trace::ProcessEntry;

use super::answers::CodeText;
use super::client::Client;
use super::facts::ProcessFacts;
use super::facts::devices::Device;
use super::story::Story;
use cutape_cuda_api::Library;

/// One process of a trace that has been read.
pub struct Closing<'a> {
    /// The trace.
    pub story: &'a Story<'a>,
    /// What the process did.
    pub facts: &'a ProcessFacts,
    /// What it is.
    pub client: &'a Client,
    /// What the trace says of it.
    pub entry: Option<&'a ProcessEntry>,
}

impl Closing<'_> {
    /// A code of the CUDA driver as text.
    pub fn code(&self, code: u32) -> CodeText {
        CodeText::of(self.story.trace.schema(), Library::Cuda, code)
    }

    /// The value of a variable that the trace keeps, if it was set.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let environment = &self.entry?.process.environment;
        environment
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Major version of the CUDA runtime in the process: of the library that is mapped, or of the functions that a runtime looked up.
    pub fn runtime_major(&self) -> Option<u32> {
        let maps = self.entry.map_or(&[][..], |entry| &entry.libraries);
        let mapped = maps
            .iter()
            .flat_map(|map| &map.libraries)
            .filter_map(|library| runtime_version(&library.path))
            .max();
        // Only a runtime asks for export tables; other programs look up functions of any version.
        let looked_up = (!self.facts.runtime.tables.is_empty())
            .then_some(self.facts.runtime.newest_look_up / 1000)
            .filter(|&major| major > 0);
        mapped.or(looked_up)
    }

    /// A device's name for people: `device 0 (NVIDIA L4)`.
    pub fn device_name(&self, number: i32, device: &Device) -> String {
        let mut text = format!("device {number}");
        if let Some(name) = device.name.value() {
            text.push_str(" (");
            crate::printable::push_printable(&mut text, name);
            text.push(')');
        }
        text
    }
}

/// 12 for `.../libcudart.so.12.9.79`.
fn runtime_version(path: &str) -> Option<u32> {
    let version = super::client::file_name(path).strip_prefix("libcudart.so.")?;
    version.split('.').next()?.parse().ok()
}
