//! Times as people write them: `250 us`, `1.5ms`, `3 s`.

/// The longest time that anybody may ask for: a day.
const LONGEST_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// Units, and how many nanoseconds they are.
const UNITS: [(&str, u64); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A number with its unit, in nanoseconds; `None` for what is none, is no whole number of them, or is more than a day.
pub fn nanoseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let unit = text[end..].trim();
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = match text[..end].split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (&text[..end], ""),
    };
    let whole_ns = whole.parse::<u64>().ok()?.checked_mul(*unit_ns)?;
    let mut fraction_ns = 0;
    let mut digit_ns = *unit_ns;
    for digit in fraction
        .bytes()
        .map(|byte| u64::from(byte.wrapping_sub(b'0')))
    {
        if digit > 9 || (digit > 0 && !digit_ns.is_multiple_of(10)) {
            return None;
        }
        digit_ns /= 10;
        fraction_ns += digit * digit_ns;
    }
    let ns = whole_ns.checked_add(fraction_ns)?;
    (ns <= LONGEST_NS).then_some(ns)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        assert_eq!(nanoseconds("250 us"), Some(250_000));
        assert_eq!(nanoseconds("10ms"), Some(10_000_000));
        assert_eq!(nanoseconds(" 2 min "), Some(120_000_000_000));
        assert_eq!(nanoseconds("0 s"), Some(0));
        assert_eq!(nanoseconds("1.5ms"), Some(1_500_000));
        assert_eq!(nanoseconds("0.250 us"), Some(250));
        assert_eq!(nanoseconds("24h"), Some(86_400_000_000_000));
        for wrong in [
            "",
            "3",
            "ms",
            "1. s",
            ".5 s",
            "1.2.3 s",
            "-1 s",
            "3 d",
            "25h",
            "0.5 ns",
            "99999999 s",
            "18446744073709551615 s",
        ] {
            assert_eq!(nanoseconds(wrong), None, "{wrong}");
        }
    }
}
