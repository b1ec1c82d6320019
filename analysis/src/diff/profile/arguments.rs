//! Arguments that differ in kind: flags, choices, classes of sizes.

use std::collections::{BTreeMap, BTreeSet};

use cutape_cuda_api::{Direction, Effect, Unit};
use cutape_trace_format::value::Value;

use super::program::Program;
use crate::diff::argument_texts::{ArgumentText, argument_texts};
use crate::objects::CallNames;
use crate::quantity::push_bytes;
use crate::text::Detail;

/// Values that are told of one parameter.
const MOST_VALUES: usize = 8;

/// A parameter for which the two programs use other values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentDifference {
    /// The function, by its base name.
    pub function: String,
    /// The parameter.
    pub param: String,
    /// Values, or classes of sizes, that A alone uses.
    pub only_a: Vec<String>,
    /// Those that B alone uses.
    pub only_b: Vec<String>,
}

/// Values by function and parameter. They sort by number.
type Values = BTreeMap<(String, String), BTreeSet<(u64, String)>>;

/// Parameters of functions that both call, for which one uses values that the other doesn't.
pub(super) fn different_arguments(a: &Program<'_>, b: &Program<'_>) -> Vec<ArgumentDifference> {
    let (of_a, of_b) = (values(a), values(b));
    let difference = |(key, mine): (&(String, String), &BTreeSet<(u64, String)>)| {
        let other = of_b.get(key)?;
        let only =
            |these: &BTreeSet<(u64, String)>, those: &BTreeSet<(u64, String)>| -> Vec<String> {
                let only = these.difference(those).take(MOST_VALUES);
                only.map(|(_, text)| text.clone()).collect()
            };
        let (only_a, only_b) = (only(mine, other), only(other, mine));
        (!only_a.is_empty() || !only_b.is_empty()).then(|| ArgumentDifference {
            function: key.0.clone(),
            param: key.1.clone(),
            only_a,
            only_b,
        })
    };
    of_a.iter().filter_map(difference).collect()
}

fn values(program: &Program<'_>) -> Values {
    let schema = program.trace.schema();
    let mut values = Values::new();
    for call in &program.examples {
        let Some(function) = schema.function(call.function) else {
            continue;
        };
        // What is asked about is told under questions.
        if function.effects.contains(&Effect::Queries) {
            continue;
        }
        let texts = argument_texts(schema, (call, CallNames::NONE), &Detail::LINE);
        for ArgumentText {
            argument,
            name,
            value: text,
        } in texts
        {
            if argument.direction != Direction::Value {
                continue;
            }
            let value = match argument.value {
                Value::Flags { value, .. } => (value, text),
                Value::Enum { value, .. } => (value as u64, text),
                Value::Uint(bytes) if argument.unit == Some(Unit::Bytes) => size_class(bytes),
                _ => continue,
            };
            let key = (function.base.clone(), name);
            values.entry(key).or_default().insert(value);
        }
    }
    values
}

/// Sizes from one power of 16 to the next are of one class.
fn size_class(bytes: u64) -> (u64, String) {
    if bytes == 0 {
        return (0, "0 bytes".to_owned());
    }
    let class = bytes.ilog2() / 4;
    let mut text = String::new();
    push_bytes(&mut text, 1 << (class * 4));
    text.push_str(" to ");
    match 1u64.checked_shl((class + 1) * 4) {
        Some(end) => push_bytes(&mut text, end),
        None => text.push_str("the largest"),
    }
    (u64::from(class) + 1, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_classed_by_powers_of_sixteen() {
        assert_eq!(size_class(12_288).1, "4 KiB to 64 KiB");
        assert_eq!(size_class(2 << 20).1, "1 MiB to 16 MiB");
        assert_eq!(size_class(1).1, "1 bytes to 16 bytes");
        assert_eq!(size_class(u64::MAX).1, "1 EiB to the largest");
        assert_eq!(size_class(0).1, "0 bytes");
    }
}
