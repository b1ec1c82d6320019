//! The fields of a call that a filter can ask for.

use super::syntax::Op;

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// Name of the function.
    Api,
    /// Part of the API that the function belongs to.
    Family,
    /// Process id.
    Pid,
    /// Kernel thread id.
    Tid,
    /// Name of the thread.
    Comm,
    /// Context among the arguments.
    Ctx,
    /// Stream among the arguments.
    Stream,
    /// What the call returned.
    Ret,
    /// Whether it returned and did not fail.
    Ok,
    /// Number of the call.
    Seq,
    /// Time from the start of the recording to its begin.
    T,
    /// Time from begin to return.
    Dur,
    /// Time that the thread spent outside of the driver before it.
    Gap,
    /// Any object among the arguments.
    Obj,
    /// Name of the kernel.
    Kernel,
    /// A number of bytes that it was given.
    Bytes,
    /// Who called.
    Caller,
    /// Whether the answer was made up by the recorder.
    Injected,
}

/// What a field's values are, which says how they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Words: names.
    Text,
    /// A whole number.
    Number,
    /// A time; written with a unit.
    Time,
    /// A number of bytes; written with or without a unit.
    Bytes,
    /// True or false.
    Truth,
    /// A return code: a number with a name.
    Code,
    /// An object: a number, or the name that cutape gives it.
    Object,
    /// An argument: whatever it is.
    Any,
}

/// A field, its name and what it is.
pub(crate) struct FieldInfo {
    pub field: Field,
    pub name: &'static str,
    pub sort: Sort,
    /// For people.
    pub what: &'static str,
}

const fn info(field: Field, name: &'static str, sort: Sort, what: &'static str) -> FieldInfo {
    FieldInfo {
        field,
        name,
        sort,
        what,
    }
}

/// All fields but arguments.
pub(crate) const FIELDS: [FieldInfo; 18] = [
    info(
        Field::Api,
        "api",
        Sort::Text,
        "name of the function, with or without its version suffix",
    ),
    info(
        Field::Family,
        "family",
        Sort::Text,
        "part of the API: Mem, Stream, Module, nvmlDevice",
    ),
    info(Field::Pid, "pid", Sort::Number, "process id"),
    info(Field::Tid, "tid", Sort::Number, "kernel thread id"),
    info(Field::Comm, "comm", Sort::Text, "name of the thread"),
    info(
        Field::Ctx,
        "ctx",
        Sort::Object,
        "context among the arguments, or else the current one",
    ),
    info(
        Field::Stream,
        "stream",
        Sort::Object,
        "stream among the arguments",
    ),
    info(Field::Ret, "ret", Sort::Code, "what the call returned"),
    info(
        Field::Ok,
        "ok",
        Sort::Truth,
        "the call returned and did not fail",
    ),
    info(
        Field::Seq,
        "seq",
        Sort::Number,
        "number of the call, from 1",
    ),
    info(
        Field::T,
        "t",
        Sort::Time,
        "time from the start of the recording to the call's begin",
    ),
    info(
        Field::Dur,
        "dur",
        Sort::Time,
        "time from the call's begin to its return",
    ),
    info(
        Field::Gap,
        "gap",
        Sort::Time,
        "time since the thread's call before it",
    ),
    info(
        Field::Obj,
        "obj",
        Sort::Object,
        "any handle or device pointer among the arguments",
    ),
    info(Field::Kernel, "kernel", Sort::Text, "name of the kernel"),
    info(
        Field::Bytes,
        "bytes",
        Sort::Bytes,
        "a number of bytes that the call was given",
    ),
    info(
        Field::Caller,
        "caller",
        Sort::Text,
        "file that called: libcudart.so.12, with or without +0xOFFSET",
    ),
    info(
        Field::Injected,
        "injected",
        Sort::Truth,
        "the answer was made up by the recorder",
    ),
];

/// How the name of an argument begins.
pub(crate) const ARGUMENT_PREFIX: &str = "arg.";

impl Field {
    /// Its line of the table.
    pub(crate) fn info(self) -> &'static FieldInfo {
        // The table has the fields in the order of the enumeration; a test holds it to that.
        &FIELDS[self as usize]
    }

    /// The field of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        FIELDS
            .iter()
            .find(|info| info.name == name)
            .map(|info| info.field)
    }
}

impl Sort {
    /// Operators that make sense with it.
    pub(crate) fn operators(self) -> &'static [Op] {
        use Op::{AtLeast, AtMost, Contains, Differs, Equal, Glob, Greater, In, Less, Regex};
        match self {
            Self::Text => &[Equal, Differs, Glob, Regex, Contains, In],
            Self::Number | Self::Time | Self::Bytes => {
                &[Equal, Differs, Less, AtMost, Greater, AtLeast, In]
            }
            Self::Truth => &[Equal, Differs],
            Self::Code | Self::Any => &[
                Equal, Differs, Less, AtMost, Greater, AtLeast, Glob, Regex, Contains, In,
            ],
            Self::Object => &[Equal, Differs, Glob, Regex, In],
        }
    }

    /// What a value of it is called in a message.
    pub(crate) fn value_text(self) -> &'static str {
        match self {
            Self::Text => "a name",
            Self::Number => "a whole number",
            Self::Time => "a time with its unit, such as 12us or 1.5ms",
            Self::Bytes => "a number of bytes, such as 4096 or 256KiB",
            Self::Truth => "true or false",
            Self::Code => "a return code, such as 3 or CUDA_ERROR_NOT_INITIALIZED",
            Self::Object => "a handle, such as 0x504000000000, or a name, such as stream#2",
            Self::Any => "a number, a name or a text",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_fields() {
        for (place, info) in FIELDS.iter().enumerate() {
            assert_eq!(info.field as usize, place, "{}", info.name);
            assert_eq!(Field::named(info.name), Some(info.field));
        }
    }
}
