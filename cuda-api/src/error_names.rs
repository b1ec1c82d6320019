//! Names and texts of error codes.

use crate::api::Api;
use cutape_api_model::Library;

/// One line an error: its name, and the text. The build script checked it against the tables.
const ERROR_TEXTS: &str = include_str!("../table/errors.api");

/// The mark of texts that are ours, not the driver's.
const OWN_WORDS: &str = "~ ";

impl Api {
    /// The name of a return code: `CUDA_ERROR_NOT_INITIALIZED` for 3. `None` for a code younger than the table.
    pub fn error_name(&self, library: Library, code: i32) -> Option<&str> {
        let enumeration = match library {
            Library::Cuda => "CUresult",
            Library::Nvml => "nvmlReturn_t",
        };
        self.enum_name(enumeration, i64::from(code))
    }

    /// What a return code means, as `cuGetErrorString` or `nvmlErrorString` put it: `initialization error` for 3.
    pub fn error_text(&self, library: Library, code: i32) -> Option<&'static str> {
        let name = self.error_name(library, code)?;
        let text = ERROR_TEXTS
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        Some(text.strip_prefix(OWN_WORDS).unwrap_or(text))
    }
}
