//! The arguments of a call one by one.

use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::value::{Argument, Value};

use crate::objects::CallNames;
use crate::printable::push_printable;
use crate::text::{Detail, push_argument};

/// One argument of a call.
pub(super) struct ArgumentText<'a> {
    /// The argument.
    pub argument: Argument<'a>,
    /// Its name.
    pub name: String,
    /// Its value, as `cutape print` writes it.
    pub value: String,
}

impl ArgumentText<'_> {
    /// The value beside another one: here the address of what was not captured says nothing.
    pub fn shown(&self) -> String {
        match self.argument.value {
            Value::NotCaptured(_) => "(not captured)".to_owned(),
            _ => self.value.clone(),
        }
    }
}

/// The arguments of a call in the order of the prototype.
pub(super) fn argument_texts<'a>(
    schema: &'a TraceSchema,
    (call, names): (&Call, &CallNames),
    detail: &Detail,
) -> Vec<ArgumentText<'a>> {
    let arguments = decode(schema, call).arguments.into_iter().enumerate();
    arguments
        .map(|(number, argument)| {
            let (mut name, mut value) = (String::new(), String::new());
            push_printable(&mut name, &argument.name);
            push_argument(
                &mut value,
                (schema, (call, names), number),
                &argument,
                detail,
            );
            ArgumentText {
                argument,
                name,
                value,
            }
        })
        .collect()
}
