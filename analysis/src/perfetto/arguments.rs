//! Values of a call as debug annotations: what the user interface shows below a slice.

use cutape_trace_format::value::Value;

use super::fields::annotation;
use super::names::{NameKind, Names};
use super::protobuf::{Field, Message};
use crate::objects::CallNames;
use crate::text::{Detail, push_named_value};

/// Writes the values of one parameter.
pub(super) struct Annotator<'a> {
    /// Numbers of the annotations' names.
    pub names: &'a mut Names,
    /// Names of handles and addresses.
    pub objects: &'a CallNames,
    /// Place of the parameter.
    pub param: u8,
}

impl Annotator<'_> {
    /// Adds a value under a name, as that field of the message.
    pub fn push(&mut self, message: &mut Message<'_>, field: Field, name: &str, value: &Value<'_>) {
        let number = self.names.number(NameKind::Annotation, name);
        message.message(field, |entry| {
            entry.uint(annotation::NAME_IID, number);
            self.value(entry, value);
        });
    }

    fn value(&mut self, entry: &mut Message<'_>, value: &Value<'_>) {
        match value {
            Value::Int(number) => entry.int(annotation::INT, *number),
            Value::Uint(number) => entry.uint(annotation::UINT, *number),
            Value::Float(number) => entry.double(annotation::DOUBLE, *number),
            Value::Handle(word) | Value::DevicePointer(word) | Value::Address(word) => {
                self.word(entry, *word);
            }
            Value::Struct(fields) | Value::Union(fields) => {
                for (place, (name, value)) in fields.iter().enumerate() {
                    let by_place = name.is_empty().then(|| format!("_{place}"));
                    let name = by_place.as_deref().unwrap_or(name);
                    self.push(entry, annotation::DICT_ENTRIES, name, value);
                }
            }
            Value::Array { items, .. } => {
                for item in items.iter().take(Detail::LINE.items) {
                    entry.message(annotation::ARRAY_VALUES, |entry| self.value(entry, item));
                }
            }
            Value::InOut { before, after } if before == after => self.value(entry, before),
            Value::InOut { before, after } => {
                self.push(entry, annotation::DICT_ENTRIES, "before", before);
                self.push(entry, annotation::DICT_ENTRIES, "after", after);
            }
            Value::NotCaptured(address) => entry.uint(annotation::POINTER, *address),
            Value::Enum { .. }
            | Value::Flags { .. }
            | Value::Text { .. }
            | Value::Bytes { .. }
            | Value::Null
            | Value::NotRecorded => self.text(entry, value),
        }
    }

    /// A handle or an address, by its name where it has one.
    fn word(&self, entry: &mut Message<'_>, word: u64) {
        if self.objects.find(self.param, word).is_none() && word != 0 {
            return entry.uint(annotation::POINTER, word);
        }
        let mut text = String::new();
        push_named_value(
            &mut text,
            &Value::Handle(word),
            (self.objects, self.param),
            &Detail::LINE,
        );
        entry.bytes(annotation::STRING, text.as_bytes());
    }

    fn text(&self, entry: &mut Message<'_>, value: &Value<'_>) {
        let mut text = String::new();
        match value {
            // The user interface has its own way to show that this is text.
            Value::Text {
                text: content,
                full_bytes: None,
            } => text.push_str(content),
            other => crate::text::push_value(&mut text, other, &Detail::LINE),
        }
        entry.bytes(annotation::STRING, text.as_bytes());
    }
}
