//! JSON objects of ours. Integers above 2^53 are strings, because JavaScript and jq read numbers as doubles.

use serde::{Serialize, Serializer};

/// The largest integer that is written as a number.
pub const LARGEST: u64 = 1 << 53;

/// For `#[serde(serialize_with)]`.
pub fn integer<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    if *number > LARGEST {
        serializer.collect_str(number)
    } else {
        serializer.serialize_u64(*number)
    }
}

/// For `#[serde(serialize_with)]` on what may be missing: null.
pub fn optional<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => integer(number, serializer),
        None => serializer.serialize_none(),
    }
}

/// An object, indented, with a line feed at the end.
pub fn pretty(object: &impl Serialize) -> String {
    match serde_json::to_string_pretty(object) {
        Ok(text) => text + "\n",
        // serde_json fails on maps whose keys are no text, and passes on errors of the object; derived objects without maps have neither.
        Err(error) => unreachable!("a derived object without maps is JSON, and now: {error}"),
    }
}
