//! Which calls of a function: `3`, `3+`, `3+2`, `2..5`, `every 4`, `after 2 s`, `always`.

use serde::{Deserialize, Serialize};

use crate::time;

/// What can stand in a list of these, for messages.
pub const EXPECTED: &str = "`3` (the third call), `3+` (from it on), `3+2` (and each second after it), `2..5`, `every 4`, `after 2s` or `always`";

/// Which calls, counted from 1 in each process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Calls {
    /// `first`, and each `step` calls after it up to `last`.
    Numbers {
        /// From 1.
        first: u64,
        /// Included.
        last: u64,
        /// At least 1.
        step: u64,
    },
    /// Those made at least so many nanoseconds after the process's first call.
    After(u64),
}

impl Calls {
    /// All of them.
    pub const ALL: Self = Self::Numbers {
        first: 1,
        last: u64::MAX,
        step: 1,
    };

    /// One item of a list; `None` for a text that is none.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "always" {
            return Some(Self::ALL);
        }
        if let Some(delay) = text.strip_prefix("after ") {
            return time::nanoseconds(delay).map(Self::After);
        }
        if let Some(step) = text.strip_prefix("every ") {
            let step = number(step)?;
            return Some(numbers(step, u64::MAX, step));
        }
        let (range, step) = match text.split_once('+') {
            Some((range, "")) => (range, Some(1)),
            Some((range, step)) => (range, Some(number(step)?)),
            None => (text, None),
        };
        match (range.split_once(".."), step) {
            (Some((first, last)), step) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then(|| numbers(first, last, step.unwrap_or(1)))
            }
            (None, Some(step)) => Some(numbers(number(range)?, u64::MAX, step)),
            (None, None) => number(range).map(|only| numbers(only, only, 1)),
        }
    }

    /// Whether the call of that number, from 1, is one of them. `elapsed_ns` tells how long ago the process's first call was.
    pub fn include(self, number: u64, elapsed_ns: impl Fn() -> u64) -> bool {
        match self {
            Self::Numbers { first, last, step } => {
                (first..=last).contains(&number) && (number - first).is_multiple_of(step.max(1))
            }
            Self::After(ns) => elapsed_ns() >= ns,
        }
    }
}

fn numbers(first: u64, last: u64, step: u64) -> Calls {
    Calls::Numbers { first, last, step }
}

fn number(digits: &str) -> Option<u64> {
    let digits = digits.trim();
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|&number| number > 0 && plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(text: &str) -> Vec<u64> {
        let chosen: Vec<Calls> = text
            .split(',')
            .map(|item| Calls::read(item).expect(text))
            .collect();
        let elapsed = |call: u64| move || (call - 1) * 1_000_000_000;
        let is_hit = |&call: &u64| {
            chosen
                .iter()
                .any(|calls| calls.include(call, elapsed(call)))
        };
        (1..=9).filter(is_hit).collect()
    }

    #[test]
    fn each_form_means_the_calls_that_it_names() {
        assert_eq!(hit("3"), [3]);
        assert_eq!(hit("7+"), [7, 8, 9]);
        assert_eq!(hit("3+2"), [3, 5, 7, 9]);
        assert_eq!(hit("2..4"), [2, 3, 4]);
        assert_eq!(hit("2..6+2"), [2, 4, 6]);
        assert_eq!(hit("every 4"), [4, 8]);
        assert_eq!(hit("1, 3,8+"), [1, 3, 8, 9]);
        assert_eq!(hit("after 5500 ms"), [7, 8, 9]);
        assert_eq!(hit("1, after 7s"), [1, 8, 9]);
        assert_eq!(hit("always"), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn anything_else_is_none() {
        for wrong in [
            "",
            "0",
            "3-",
            "every",
            "every 0",
            "5..2",
            "x",
            "-1",
            "after",
            "after 3",
            "after soon",
            "3+0",
            "+",
            "1..",
            "after 25h",
            "after -1s",
        ] {
            assert_eq!(Calls::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_step_of_none_is_one_of_one() {
        assert!(numbers(2, 3, 0).include(3, || 0));
    }
}
