//! Integers in JSON: above 2^53 as strings, because JavaScript and jq read numbers as doubles.

use serde::Serializer;

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
