//! What a process was answered when it asked something, once or many times; and codes as text.

use std::fmt;

use cutape_cuda_api::Library;
use cutape_trace_format::schema::TraceSchema;

use crate::outcome::code_name;

/// A question's answers: the first success and the first failure are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<T> {
    /// The first call that succeeded, and what it said.
    pub answered: Option<(u64, T)>,
    /// The first call that failed, and its code.
    pub failed: Option<(u64, u32)>,
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self {
            answered: None,
            failed: None,
        }
    }
}

impl<T> Asked<T> {
    /// Takes in an answer. Success without a value that was captured counts as nothing.
    pub fn take(&mut self, seq: u64, code: u32, value: impl FnOnce() -> Option<T>) {
        if code != 0 {
            self.failed.get_or_insert((seq, code));
        } else if self.answered.is_none() {
            self.answered = value().map(|value| (seq, value));
        }
    }

    /// What the first success said.
    pub fn value(&self) -> Option<&T> {
        self.answered.as_ref().map(|(_, value)| value)
    }

    /// Number of the call that matters: the failed one, if one failed.
    pub fn call(&self) -> Option<u64> {
        let answered = self.answered.as_ref().map(|&(seq, _)| seq);
        self.failed.map(|(seq, _)| seq).or(answered)
    }

    /// Whether it was asked at all.
    pub fn was_asked(&self) -> bool {
        self.answered.is_some() || self.failed.is_some()
    }
}

/// A code with its name where one is known: `CUDA_ERROR_UNKNOWN (999)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeText {
    name: Option<String>,
    code: u32,
}

impl CodeText {
    /// A code of a library. A trace names the codes of functions that it has calls of; the table names the others.
    pub fn of(schema: &TraceSchema, library: Library, code: u32) -> Self {
        let table = || match library {
            Library::Cuda => cutape_cuda_api::Api::get().type_def("CUresult"),
            Library::Nvml => cutape_cuda_api::Api::get().type_def("nvmlReturn_t"),
        };
        let from_table = || match &table()?.kind {
            cutape_cuda_api::TypeKind::Enum { values, .. } => values
                .iter()
                .find(|&&(_, value)| value == i64::from(code))
                .map(|(name, _)| name.as_str()),
            _ => None,
        };
        Self {
            name: code_name(schema, library, code)
                .or_else(from_table)
                .map(str::to_owned),
            code,
        }
    }
}

impl fmt::Display for CodeText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => {
                let mut shown = String::new();
                crate::printable::push_printable(&mut shown, name);
                write!(formatter, "{shown} ({})", self.code)
            }
            None => write!(formatter, "{}", self.code),
        }
    }
}
