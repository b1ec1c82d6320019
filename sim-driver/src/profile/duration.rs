//! Times as profiles spell them: `250 us`, `10 ms`, `3 s`.

use std::time::Duration;

/// The longest time that a profile may name. A call that is to take longer hangs.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A whole number and a unit: `ns`, `us`, `ms`, `s` or `min`.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let unit_ns: u64 = match text[digits..].trim() {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "min" => 60_000_000_000,
        _ => return None,
    };
    let ns = text[..digits].parse::<u64>().ok()?.checked_mul(unit_ns)?;
    Some(Duration::from_nanos(ns)).filter(|duration| *duration <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_whole_number_with_a_unit() {
        assert_eq!(parse("250 us"), Some(Duration::from_micros(250)));
        assert_eq!(parse("10ms"), Some(Duration::from_millis(10)));
        assert_eq!(parse(" 2 min "), Some(Duration::from_secs(120)));
        assert_eq!(parse("0 s"), Some(Duration::ZERO));
        for wrong in [
            "",
            "3",
            "ms",
            "1.5 s",
            "-1 s",
            "3 h",
            "99999999 s",
            "18446744073709551615 s",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
