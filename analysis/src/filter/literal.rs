//! Numbers as people write them: 42, 0x7f00, 12us, 1.5ms, 256KiB.

use std::cmp::Ordering;

/// What a number with a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dimension {
    /// It has no unit.
    Plain,
    /// Nanoseconds, whatever unit was written.
    Time,
    /// Bytes, whatever unit was written.
    Bytes,
}

/// A number of a filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    pub amount: Amount,
    pub dimension: Dimension,
}

/// How much: whole where it can be, because handles and times need all their digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Amount {
    Whole(i128),
    Fraction(f64),
}

/// Units, and how many nanoseconds or bytes they are.
const UNITS: [(&str, i128, Dimension); 19] = [
    ("ns", 1, Dimension::Time),
    ("us", 1_000, Dimension::Time),
    ("\u{b5}s", 1_000, Dimension::Time),
    ("\u{3bc}s", 1_000, Dimension::Time),
    ("ms", 1_000_000, Dimension::Time),
    ("s", 1_000_000_000, Dimension::Time),
    ("m", 60_000_000_000, Dimension::Time),
    ("min", 60_000_000_000, Dimension::Time),
    ("h", 3_600_000_000_000, Dimension::Time),
    ("B", 1, Dimension::Bytes),
    ("KiB", 1 << 10, Dimension::Bytes),
    ("MiB", 1 << 20, Dimension::Bytes),
    ("GiB", 1 << 30, Dimension::Bytes),
    ("TiB", 1 << 40, Dimension::Bytes),
    ("kB", 1_000, Dimension::Bytes),
    ("KB", 1_000, Dimension::Bytes),
    ("MB", 1_000_000, Dimension::Bytes),
    ("GB", 1_000_000_000, Dimension::Bytes),
    ("TB", 1_000_000_000_000, Dimension::Bytes),
];

/// Digits of a number at most; what has more is not a number that a trace could hold.
const MAX_DIGITS: usize = 24;

impl Number {
    /// Reads a number; `None` if the word is none.
    pub(crate) fn read(word: &str) -> Option<Self> {
        let (negative, digits) = match word.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, word),
        };
        let sign = if negative { -1 } else { 1 };
        if let Some(hex) = digits
            .strip_prefix("0x")
            .or_else(|| digits.strip_prefix("0X"))
        {
            let value = u64::from_str_radix(hex, 16)
                .ok()
                .filter(|_| !hex.starts_with('+'))?;
            return Some(Self::whole(sign * i128::from(value)));
        }
        let end = digits
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(digits.len());
        let (number, unit) = digits.split_at(end);
        let (factor, dimension) = match unit {
            "" => (1, Dimension::Plain),
            _ => UNITS
                .iter()
                .find(|(name, ..)| *name == unit)
                .map(|&(_, factor, dimension)| (factor, dimension))?,
        };
        let amount = match read_decimal(number, factor)? {
            Amount::Whole(value) => Amount::Whole(sign * value),
            Amount::Fraction(value) => Amount::Fraction(sign as f64 * value),
        };
        Some(Self { amount, dimension })
    }

    /// A number without a unit.
    pub(crate) fn whole(value: i128) -> Self {
        Self {
            amount: Amount::Whole(value),
            dimension: Dimension::Plain,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.amount == Amount::Whole(0)
    }
}

impl Amount {
    /// How a number of a trace stands to it.
    pub(crate) fn order_of(self, value: Self) -> Option<Ordering> {
        match (value, self) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            (left, right) => left.as_float().partial_cmp(&right.as_float()),
        }
    }

    pub(crate) fn as_float(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Fraction(value) => value,
        }
    }
}

fn read_decimal(number: &str, factor: i128) -> Option<Amount> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let no_digit = whole.is_empty() || number.ends_with('.') || fraction.contains('.');
    if no_digit || whole.len() + fraction.len() > MAX_DIGITS {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10i128.pow(fraction.len() as u32);
    let scaled = digits.checked_mul(factor)?;
    Some(if scaled % scale == 0 {
        Amount::Whole(scaled / scale)
    } else {
        Amount::Fraction(scaled as f64 / scale as f64)
    })
}

/// The ends of `A..B`.
pub(crate) fn read_range(word: &str) -> Option<(Number, Number)> {
    let (from, to) = word.split_once("..")?;
    Some((Number::read(from)?, Number::read(to)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        let whole = |word: &str| match Number::read(word).map(|number| number.amount) {
            Some(Amount::Whole(value)) => value,
            other => panic!("{word}: {other:?}"),
        };
        let cases = [
            ("0", 0),
            ("-17", -17),
            ("0xffffffffffffffff", 0xffff_ffff_ffff_ffff),
            ("12us", 12_000),
            ("1.5ms", 1_500_000),
            ("0.001us", 1),
            ("256KiB", 262_144),
            ("1.50GiB", 1_610_612_736),
            ("2m", 120_000_000_000),
        ];
        for (word, value) in cases {
            assert_eq!(whole(word), value, "{word}");
        }
        let fraction = Number::read("1.5").map(|number| number.amount);
        assert_eq!(fraction, Some(Amount::Fraction(1.5)));
        for word in [
            "", "-", ".5", "5.", "1.2.3", "12parsec", "0x", "0xgg", "1e5", "0x+1", "cuInit",
        ] {
            assert_eq!(Number::read(word), None, "{word}");
        }
        assert_eq!(Number::read(&"9".repeat(400)), None);
    }

    #[test]
    fn fractions_and_wholes_compare() {
        let half = Amount::Fraction(0.5);
        assert_eq!(half.order_of(Amount::Whole(1)), Some(Ordering::Greater));
        assert_eq!(Amount::Whole(1).order_of(half), Some(Ordering::Less));
        assert_eq!(Amount::Whole(1).order_of(Amount::Fraction(f64::NAN)), None);
    }
}
