//! Which calls a rule is for: `3`, `3+`, `3+2`, `2..5`, `every 4`, `after 2s`, and lists of these.

use cutape_trace_format::injection_plan::Calls;

use super::RuleError;
use super::piece::Piece;
use crate::filter::literal::{Amount, Dimension, Number};

/// The longest time that a rule may name: a day.
const LONGEST_NS: i128 = 86_400_000_000_000;

/// What can stand in a list.
const EXPECTED: &str = "`3` (the third call), `3+` (from it on), `3+2` (and each second after it), `2..5`, `every 4`, `after 2s` or `always`";

/// One item of the list; `None` for a text that is none.
pub(super) fn calls(text: &str) -> Option<Calls> {
    let text = text.trim();
    if text == "always" {
        return Some(numbers(1, u64::MAX, 1));
    }
    if let Some(delay) = text.strip_prefix("after ") {
        return time_ns(delay).map(Calls::After);
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

/// A list of them.
///
/// # Errors
/// What was expected.
pub(super) fn list(value: &Piece<'_>) -> Result<Vec<Calls>, RuleError> {
    let item = |piece: &Piece<'_>| calls(piece.text()).ok_or_else(|| piece.error(EXPECTED));
    value.split(&[',', ':']).iter().map(item).collect()
}

/// A time with its unit, in nanoseconds; `None` for what is none, or more than a day.
pub(super) fn time_ns(text: &str) -> Option<u64> {
    let text: String = text.split_whitespace().collect();
    let number = Number::read(&text)?;
    match number.amount {
        Amount::Whole(ns) if number.dimension == Dimension::Time => {
            (0..=LONGEST_NS).contains(&ns).then_some(ns as u64)
        }
        _ => None,
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
        let chosen = list(&Piece::whole(text)).expect(text);
        let elapsed = |call: u64| move || (call - 1) * 1_000_000_000;
        (1..=9)
            .filter(|&call| {
                chosen
                    .iter()
                    .any(|calls| calls.include(call, elapsed(call)))
            })
            .collect()
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
    fn anything_else_is_refused_with_what_was_expected() {
        for wrong in [
            "",
            "0",
            "3-",
            "every",
            "every 0",
            "5..2",
            "x",
            "1,,2",
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
            assert!(list(&Piece::whole(wrong)).is_err(), "{wrong}");
        }
        let error = list(&Piece::whole("1,soon")).unwrap_err();
        assert!(error.message().contains("every 4"), "{error}");
    }
}
