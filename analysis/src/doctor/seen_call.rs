//! One call as rules look at it: its function, its answer, what crossed behind its pointers.

use cutape_cuda_api::Function;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

use super::answers::CodeText;

/// A call by itself.
#[derive(Clone, Copy)]
pub struct SeenCall<'a> {
    /// The trace.
    pub trace: &'a Trace,
    /// The call.
    pub call: &'a Call,
    /// Its function.
    pub function: &'a Function,
    /// What it returned, if the function returns codes and the call came back.
    pub code: Option<u32>,
}

impl SeenCall<'_> {
    /// The code, if the call failed.
    pub fn failure(&self) -> Option<u32> {
        self.code.filter(|&code| code != 0)
    }

    /// Whether the call returned success.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// The answer as text: `CUDA_ERROR_UNKNOWN (999)`.
    pub fn answer(&self) -> String {
        let library = self.function.library;
        self.code.map_or_else(
            || "nothing".to_owned(),
            |code| CodeText::of(self.trace.schema(), library, code).to_string(),
        )
    }

    /// The function's exported name.
    pub fn name(&self) -> &str {
        &self.function.name
    }

    /// The place of the parameter of that name.
    pub fn place(&self, name: &str) -> Option<usize> {
        let signature = self.function.signature.as_ref()?;
        signature.params.iter().position(|param| param.name == name)
    }

    /// An argument word by its parameter's name. For functions without structures passed by value, whose words would shift the places.
    pub fn word(&self, name: &str) -> Option<u64> {
        self.call.args.get(self.place(name)?).copied()
    }

    /// A signed 32-bit argument.
    pub fn int(&self, name: &str) -> Option<i32> {
        self.word(name).map(|word| word as u32 as i32)
    }

    /// The bytes behind an out-parameter.
    pub fn out_bytes(&self, name: &str) -> Option<&[u8]> {
        let place = u8::try_from(self.place(name)?).ok()?;
        self.call.capture(place, true).map(|capture| capture.bytes)
    }

    /// The number of up to 8 bytes behind an out-parameter.
    pub fn out(&self, name: &str) -> Option<u64> {
        number(self.out_bytes(name)?)
    }

    /// The text behind an out-parameter.
    pub fn out_text(&self, name: &str) -> Option<String> {
        self.out_bytes(name).map(text)
    }

    /// The text behind an in-parameter.
    pub fn in_text(&self, name: &str) -> Option<String> {
        let place = u8::try_from(self.place(name)?).ok()?;
        self.call
            .capture(place, false)
            .map(|capture| text(capture.bytes))
    }
}

/// A little-endian number of up to 8 bytes.
pub fn number(bytes: &[u8]) -> Option<u64> {
    let mut word = [0; 8];
    word.get_mut(..bytes.len())?.copy_from_slice(bytes);
    (!bytes.is_empty()).then_some(u64::from_le_bytes(word))
}

/// Longest text that is kept of a name; names in the API are at most 256 bytes.
const MAX_TEXT: usize = 256;

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0);
    let bytes = &bytes[..end.unwrap_or(bytes.len()).min(MAX_TEXT)];
    String::from_utf8_lossy(bytes).into_owned()
}
