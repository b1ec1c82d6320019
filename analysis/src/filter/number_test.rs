//! Tests of numbers that every call has: worked out once as ranges, so that a call costs a comparison.

use std::cmp::Ordering;

use super::literal::{Amount, Dimension, Number};
use super::syntax::{Op, Test, Wanted};

/// No number of a trace is beyond this, on either side.
const MOST: i128 = 1 << 66;

/// A test of a number: the ranges in which it holds.
#[derive(Clone, Debug)]
pub(crate) struct NumberTest {
    /// From and to, both included.
    ranges: Vec<(i128, i128)>,
    /// It holds outside of the ranges.
    inverted: bool,
}

impl NumberTest {
    /// A test of a number of nanoseconds if `is_time`, of a plain number otherwise.
    pub(crate) fn of(test: &Test, is_time: bool) -> Self {
        let op = match test.op {
            Op::Differs => Op::Equal,
            op => op,
        };
        let ranges = test.values.iter().filter_map(|wanted| match wanted {
            Wanted::Literal(literal) => {
                let number = literal.number?;
                // A time is no number of anything else.
                let fits = is_time || number.dimension != Dimension::Time;
                fits.then(|| range_of(op, number)).flatten()
            }
            Wanted::Between(from, to) => {
                let (from, to) = (range_of(Op::AtLeast, *from)?, range_of(Op::AtMost, *to)?);
                Some((from.0, to.1))
            }
            Wanted::Pattern(_) => None,
        });
        Self {
            ranges: ranges.collect(),
            inverted: matches!(test.op, Op::Differs | Op::Holds),
        }
    }

    /// Whether it holds for a call that has this number, or none.
    #[inline]
    pub(crate) fn holds(&self, number: Option<i128>) -> bool {
        let Some(number) = number else {
            return false;
        };
        let inside = |&(from, to): &(i128, i128)| from <= number && number <= to;
        self.ranges.iter().any(inside) != self.inverted
    }
}

/// The numbers that stand in that way to one.
fn range_of(op: Op, number: Number) -> Option<(i128, i128)> {
    let order = |value: i128| number.amount.order_of(Amount::Whole(value));
    order(0)?;
    let first_equal = first(|value| order(value) != Some(Ordering::Less));
    let first_above = first(|value| order(value) == Some(Ordering::Greater));
    Some(match op {
        Op::Equal | Op::In => (first_equal, first_above - 1),
        Op::Less => (-MOST, first_equal - 1),
        Op::AtMost => (-MOST, first_above - 1),
        Op::Greater => (first_above, MOST),
        Op::AtLeast => (first_equal, MOST),
        _ => return None,
    })
}

/// The first number for which something holds that holds for all larger ones, too.
fn first(holds: impl Fn(i128) -> bool) -> i128 {
    let (mut low, mut high) = (-MOST, MOST + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::filter::scalar::{Scalar, holds};

    #[test]
    fn ranges_mean_what_the_comparison_means() {
        let filters = [
            "dur > 2us",
            "dur >= 1.5us",
            "dur < 1.0005us",
            "dur <= 0ns",
            "dur == 1500ns",
            "dur != 1.5us",
            "dur in {1us, 3us..4us, 1.0005us}",
            "dur",
            "seq > 3",
            "seq in {1..5, 1500}",
            "seq != 4",
            "t >= -1us",
        ];
        for text in filters {
            let filter = Filter::parse(text).expect(text);
            let test = &filter.parsed.tests[0];
            let is_time = !text.starts_with("seq");
            let ranges = NumberTest::of(test, is_time);
            assert!(!ranges.holds(None), "{text}");
            for number in (-2000..5000).chain([i128::from(u64::MAX), 1 << 64]) {
                let scalar = Scalar {
                    step_ns: is_time.then_some(1.0),
                    ..Scalar::number(number)
                };
                assert_eq!(
                    ranges.holds(Some(number)),
                    holds(test, &[scalar]),
                    "{text} of {number}"
                );
            }
        }
    }
}
