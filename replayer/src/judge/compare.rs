//! Compares values, each by its class.

use cutape_analysis::text::{Detail, push_measured};
use cutape_cuda_api::Unit;
use cutape_trace_format::call::Call;
use cutape_trace_format::decode::decode;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::value::Value;

use crate::answer::{AnswerClass, Difference, Part};
use crate::plan::{Plan, Role, UNWRITTEN, class_of};

/// Differences of one call that are listed.
const MAX_DIFFERENCES: usize = 8;
/// Letters of a value on one line.
const BRIEF_LETTERS: usize = 40;
/// Free memory differs from run to run; by more than this factor it is another answer.
const FREE_MEMORY_FACTOR: u64 = 2;

/// A recorded call, and the same with what it answers now.
pub struct Comparison<'a> {
    /// What values mean.
    pub schema: &'a TraceSchema,
    /// How the call was played.
    pub plan: &'a Plan,
    /// As recorded.
    pub recorded: &'a Call,
    /// As played.
    pub replayed: &'a Call,
}

/// One value among others.
struct Place<'a> {
    path: String,
    unit: Option<Unit>,
    /// Other members of a union overlap it.
    is_ambiguous: bool,
    differences: &'a mut Vec<Difference>,
}

impl Comparison<'_> {
    /// Adds what differs behind the call's pointers.
    pub fn differences(&self, differences: &mut Vec<Difference>) {
        let recorded = decode(self.schema, self.recorded);
        let replayed = decode(self.schema, self.replayed);
        let arguments = recorded.arguments.iter().zip(&replayed.arguments);
        for (number, (was, is)) in arguments.enumerate() {
            let param = self
                .plan
                .params
                .iter()
                .find(|param| usize::from(param.number) == number);
            let Some(Role::Out(memory) | Role::InOut(memory)) = param.map(|param| &param.role)
            else {
                continue;
            };
            let place = Place {
                path: was.name.to_string(),
                unit: was.unit,
                is_ambiguous: false,
                differences: &mut *differences,
            };
            if matches!(answer(&is.value), Value::NotCaptured(_)) {
                // After this answer nobody reads there.
                continue;
            }
            if self.is_unwritten(number as u8) {
                if !memory.may_stay_unwritten && !self.is_blank(number as u8) {
                    self.unwritten(place, answer(&was.value));
                }
                continue;
            }
            self.value(place, answer(&was.value), answer(&is.value));
        }
    }

    /// Whether the driver left the memory as it was.
    fn is_unwritten(&self, number: u8) -> bool {
        let output = self.replayed.capture(number, true);
        output.is_some_and(|output| {
            !output.bytes.is_empty() && output.bytes.iter().all(|&byte| byte == UNWRITTEN)
        })
    }

    /// Whether the recorded memory holds nothing but zeros: perhaps nobody had written there either.
    fn is_blank(&self, number: u8) -> bool {
        let capture = self.recorded.capture(number, true);
        capture.is_none_or(|capture| capture.bytes.iter().all(|&byte| byte == 0))
    }

    fn unwritten(&self, place: Place<'_>, was: &Value<'_>) {
        if matches!(was, Value::NotCaptured(_)) {
            return;
        }
        let recorded = shown(was, place.unit);
        place.differences.push(Difference {
            brief: format!("{} -> not written", brief(&recorded)),
            part: Part::Argument(place.path),
            class: AnswerClass::Exact,
            recorded,
            replayed: "not written".to_owned(),
        });
    }

    fn value(&self, mut place: Place<'_>, was: &Value<'_>, is: &Value<'_>) {
        if was == is || place.differences.len() >= MAX_DIFFERENCES {
            return;
        }
        match (was, is) {
            (Value::NotCaptured(_) | Value::NotRecorded, _)
            | (_, Value::NotCaptured(_) | Value::NotRecorded) => {}
            (Value::Struct(was), Value::Struct(is)) => self.fields(&mut place, was, is),
            (Value::Union(was), Value::Union(is)) => {
                place.is_ambiguous = true;
                self.fields(&mut place, was, is);
            }
            (Value::Array { items: was, .. }, Value::Array { items: is, .. })
                if was.len() == is.len() =>
            {
                for (number, (was, is)) in was.iter().zip(is).enumerate() {
                    let path = format!("{}[{number}]", place.path);
                    self.value(place.inner(path), was, is);
                }
            }
            _ => self.leaf(place, was, is),
        }
    }

    fn fields(&self, place: &mut Place<'_>, was: &[(&str, Value<'_>)], is: &[(&str, Value<'_>)]) {
        for ((name, was), (_, is)) in was.iter().zip(is) {
            let path = if name.is_empty() {
                place.path.clone()
            } else {
                format!("{}.{name}", place.path)
            };
            self.value(place.inner(path), was, is);
        }
    }

    fn leaf(&self, place: Place<'_>, was: &Value<'_>, is: &Value<'_>) {
        let class = class_of(&self.plan.function, &place.path, &self.recorded.args)
            .unwrap_or_else(|| self.class_by_type(was));
        if is_alike(class, was, is, place.is_ambiguous) || looks_unwritten(is) {
            return;
        }
        let recorded = shown(was, place.unit);
        let replayed = shown(is, place.unit);
        place.differences.push(Difference {
            brief: format!("{} -> {}", brief(&recorded), brief(&replayed)),
            part: Part::Argument(place.path),
            class,
            recorded,
            replayed,
        });
    }

    fn class_by_type(&self, value: &Value<'_>) -> AnswerClass {
        match value {
            Value::Handle(_) => AnswerClass::Handle,
            Value::DevicePointer(_) => AnswerClass::Pointer,
            Value::Address(_) | Value::Null
                if self.plan.function.starts_with("cuGetProcAddress") =>
            {
                AnswerClass::Function
            }
            Value::Address(_) | Value::Null => AnswerClass::Pointer,
            _ => AnswerClass::Exact,
        }
    }
}

impl Place<'_> {
    fn inner(&mut self, path: String) -> Place<'_> {
        Place {
            path,
            unit: self.unit,
            is_ambiguous: self.is_ambiguous,
            differences: &mut *self.differences,
        }
    }
}

/// What an argument holds after the call.
fn answer<'v, 'a>(value: &'v Value<'a>) -> &'v Value<'a> {
    match value {
        Value::InOut { after, .. } => after,
        other => other,
    }
}

fn is_alike(class: AnswerClass, was: &Value<'_>, is: &Value<'_>, is_ambiguous: bool) -> bool {
    match class {
        AnswerClass::Reading => true,
        AnswerClass::Identity => match (was, is) {
            (Value::Text { text: was, .. }, Value::Text { text: is, .. }) => {
                was.is_empty() == is.is_empty()
            }
            (Value::Bytes { bytes: was, .. }, Value::Bytes { bytes: is, .. }) => {
                is_zero(was) == is_zero(is)
            }
            _ => true,
        },
        AnswerClass::FreeMemory => match (number(was), number(is)) {
            (Some(was), Some(is)) => {
                (was == 0) == (is == 0)
                    && was / FREE_MEMORY_FACTOR <= is
                    && is / FREE_MEMORY_FACTOR <= was
            }
            _ => false,
        },
        // Host addresses of the driver's own: there where they were there.
        AnswerClass::Pointer if matches!(was, Value::Address(_)) => {
            matches!(is, Value::Address(_))
        }
        AnswerClass::Handle | AnswerClass::Pointer if is_ambiguous => {
            number(was).is_some_and(|was| was != 0) && number(is).is_some_and(|is| is != 0)
        }
        _ => false,
    }
}

/// Parts of a structure that the driver left alone, as padding is.
fn looks_unwritten(value: &Value<'_>) -> bool {
    let word = u64::from_le_bytes([UNWRITTEN; 8]);
    match value {
        Value::Uint(number) => [word, word & 0xffff_ffff, word & 0xffff].contains(number),
        Value::Int(number) => {
            let number = number.cast_unsigned();
            [word, word as u32 as i32 as i64 as u64].contains(&number)
        }
        Value::Enum { value, .. } => *value == i64::from(word as u32 as i32),
        Value::Address(number) | Value::DevicePointer(number) | Value::Handle(number) => {
            *number == word
        }
        Value::Bytes { bytes, .. } => bytes.iter().all(|&byte| byte == UNWRITTEN),
        _ => false,
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

fn number(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Uint(number)
        | Value::Handle(number)
        | Value::DevicePointer(number)
        | Value::Address(number) => Some(*number),
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Null => Some(0),
        _ => None,
    }
}

fn shown(value: &Value<'_>, unit: Option<Unit>) -> String {
    let mut text = String::new();
    push_measured(&mut text, value, unit, &Detail::LINE);
    text
}

/// A value in few letters: `78 GiB` of `83751862272 (78 GiB)`, the number of `NAME (12)`.
fn brief(shown: &str) -> String {
    let inner = shown
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once(" ("))
        .map(|(_, inner)| inner);
    let text = inner.unwrap_or(shown);
    if text.chars().count() <= BRIEF_LETTERS {
        return text.to_owned();
    }
    let start: String = text.chars().take(BRIEF_LETTERS - 3).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_get_shorter_on_a_line() {
        assert_eq!(brief("83751862272 (78 GiB)"), "78 GiB");
        assert_eq!(brief("CUDA_ERROR_UNKNOWN (999)"), "999");
        assert_eq!(brief("\"cuInit\""), "\"cuInit\"");
        assert_eq!(brief(&"x".repeat(100)).len(), BRIEF_LETTERS);
    }

    #[test]
    fn free_memory_may_differ_but_not_by_much() {
        let alike = |was, is| {
            is_alike(
                AnswerClass::FreeMemory,
                &Value::Uint(was),
                &Value::Uint(is),
                false,
            )
        };
        assert!(alike(78 << 30, 77 << 30));
        assert!(alike(0, 0));
        assert!(!alike(78 << 30, 0));
        assert!(!alike(0, 78 << 30));
        assert!(!alike(78 << 30, 2 << 30));
    }
}
