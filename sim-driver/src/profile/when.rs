//! Which calls of a function a fault hits: `3`, `3+`, `2..5`, `every 4`, `after 2 s`, and lists of these.

use std::str::FromStr;
use std::time::Duration;

use cutape_call_choice::calls::{Calls, EXPECTED};

/// Which calls are hit, counted from 1 in each process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When(Vec<Calls>);

impl When {
    /// Every call.
    pub fn always() -> Self {
        Self(vec![Calls::ALL])
    }

    /// Whether the call of that number is hit. `elapsed` tells how long ago the process's first call was; it is asked only where a
    /// fault depends on it.
    pub fn hits(&self, call: u64, elapsed: impl Fn() -> Duration) -> bool {
        let elapsed_ns = || u64::try_from(elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.iter().any(|calls| calls.include(call, elapsed_ns))
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = |item: &str| {
            let item = item.trim();
            Calls::read(item).ok_or_else(|| format!("expected {EXPECTED}, found \"{item}\""))
        };
        text.split(',')
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_hits_what_any_of_its_items_hits() {
        let when: When = "1, 3+2, after 8 s".parse().unwrap();
        let elapsed = |call: u64| move || Duration::from_secs(call - 1);
        let hit: Vec<u64> = (1..=10)
            .filter(|&call| when.hits(call, elapsed(call)))
            .collect();
        assert_eq!(hit, [1, 3, 5, 7, 9, 10]);
        assert!(When::always().hits(u64::MAX, || Duration::ZERO));
    }

    #[test]
    fn anything_else_is_refused_with_what_was_expected() {
        for wrong in ["", "0", "1,,2", "soon"] {
            let error = wrong.parse::<When>().unwrap_err();
            assert!(error.contains("every 4"), "{error}");
        }
    }
}
