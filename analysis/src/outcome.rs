//! What a call answered, and whether that was a failure.

use cutape_cuda_api::{Library, Type, TypeKind};
use cutape_trace_format::call::{Call, FunctionId};
use cutape_trace_format::schema::TraceSchema;

/// What a call answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It never returned.
    InFlight,
    /// It returns nothing.
    Void,
    /// A `CUresult` or `nvmlReturn_t`; 0 is success.
    Code {
        /// Its name, if the trace has one.
        name: Option<&'a str>,
        /// The number.
        code: u32,
    },
    /// A return value that is no code.
    Other(u64),
    /// A return value of a function whose prototype is not known, so that it may or may not be a code.
    Unknown(u64),
}

impl Outcome<'_> {
    /// Whether the call returned a code other than success. What is not known to be a code is not a failure.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Code { code, .. } if *code != 0)
    }

    /// The code, if there is one.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Code { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// The type of a library's codes.
pub fn code_type(library: Library) -> &'static str {
    match library {
        Library::Cuda => "CUresult",
        Library::Nvml => "nvmlReturn_t",
    }
}

/// What a call answered.
pub fn outcome<'a>(schema: &'a TraceSchema, call: &Call) -> Outcome<'a> {
    outcome_of(schema, call.function, call.returned)
}

/// What a call of a function answered when it returned this word.
pub fn outcome_of(
    schema: &TraceSchema,
    function: FunctionId,
    returned: Option<u64>,
) -> Outcome<'_> {
    let Some(word) = returned else {
        return Outcome::InFlight;
    };
    let function = schema.function(function);
    let Some((function, signature)) =
        function.and_then(|function| Some((function, function.signature.as_ref()?)))
    else {
        return Outcome::Unknown(word);
    };
    match &signature.returns {
        Type::Void => Outcome::Void,
        Type::Named(name) if name == code_type(function.library) => {
            let code = word as u32;
            Outcome::Code {
                name: code_name(schema, function.library, code),
                code,
            }
        }
        _ => Outcome::Other(word),
    }
}

/// The name of a code, as the trace has it.
pub fn code_name(schema: &TraceSchema, library: Library, code: u32) -> Option<&str> {
    let TypeKind::Enum { values, .. } = &schema.type_named(code_type(library))?.kind else {
        return None;
    };
    let value = i64::from(code);
    // Values are in the header's order, which rises: success is the first one.
    values
        .iter()
        .find(|&&(_, known)| known == value)
        .map(|(name, _)| name.as_str())
}
