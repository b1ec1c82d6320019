//! Integers of our JSON: those above 2^53 are texts.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error};

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl Written {
    fn value<E: Error>(self) -> Result<u64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text
                .parse()
                .map_err(|_| E::custom(format!("expected a number, found {text:?}"))),
        }
    }
}

/// A number.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Written::deserialize(deserializer)?.value()
}

/// A number, or null.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let written = Option::<Written>::deserialize(deserializer)?;
    written.map(Written::value).transpose()
}

/// Numbers by name.
pub fn by_name<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, u64>, D::Error> {
    let written = BTreeMap::<String, Written>::deserialize(deserializer)?;
    let value = |(name, written): (String, Written)| Ok((name, written.value()?));
    written.into_iter().map(value).collect()
}
