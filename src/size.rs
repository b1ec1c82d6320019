//! Sizes as people write them.

/// Reads `512`, `64KiB`, `100M`, `2GiB`: a number of bytes with an optional unit, binary whichever way it is spelled.
///
/// # Errors
/// What was expected, for the command line's message.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => {
            return Err(format!(
                "expected bytes with an optional unit (K, MiB, GB, ...), found {text:?}"
            ));
        }
    };
    let number: u64 = number
        .parse()
        .map_err(|_| format!("expected a whole number of bytes, found {text:?}"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("{text:?} is more bytes than there are"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_binary_however_they_are_spelled() {
        assert_eq!(parse("512"), Ok(512));
        assert_eq!(
            [parse("64KiB"), parse("64k"), parse("64KB")],
            [Ok(65536), Ok(65536), Ok(65536)]
        );
        assert_eq!(parse("2GiB"), Ok(2 << 30));
    }

    #[test]
    fn what_is_no_size_is_refused_with_what_was_expected() {
        assert!(parse("lots").unwrap_err().contains("found \"lots\""));
        assert!(parse("-1").is_err() && parse("").is_err() && parse("1.5G").is_err());
        assert!(parse("99999999999999T").unwrap_err().contains("more bytes"));
    }
}
