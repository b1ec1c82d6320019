//! Numbers as people read them: bytes, times, CUDA versions. Digits are pushed by hand: `write!` costs more than the rest of a line.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Units of bytes, each 1024 of the one before.
const BYTE_UNITS: [&str; 7] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// Adds a number in decimal.
pub fn push_decimal(out: &mut String, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    push_ascii(out, &digits[at..]);
}

/// Adds a signed number in decimal.
pub fn push_signed(out: &mut String, number: i64) {
    if number < 0 {
        out.push('-');
    }
    push_decimal(out, number.unsigned_abs());
}

/// Adds a number as `0x...`.
pub fn push_hex(out: &mut String, number: u64) {
    let mut digits = [0u8; 18];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = DIGITS[(rest & 15) as usize];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.push_str("0x");
    push_ascii(out, &digits[at..]);
}

/// Adds a byte as two hexadecimal digits.
pub fn push_hex_byte(out: &mut String, byte: u8) {
    push_ascii(
        out,
        &[
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ],
    );
}

fn push_ascii(out: &mut String, digits: &[u8]) {
    out.extend(digits.iter().map(|&digit| char::from(digit)));
}

/// Adds a number with leading zeros up to `width` digits.
pub fn push_padded(out: &mut String, number: u64, width: usize) {
    let start = out.len();
    push_decimal(out, number);
    for _ in out.len() - start..width {
        out.insert(start, '0');
    }
}

/// Adds a number of bytes in the largest binary unit that it reaches: `78 GiB` where that is exact, `~79.2 GiB` where it is not.
pub fn push_bytes(out: &mut String, bytes: u64) {
    let power = (u64::BITS - 1).saturating_sub(bytes.leading_zeros()) / 10;
    let shift = power * 10;
    let unit = BYTE_UNITS[power as usize];
    let tenths = ((u128::from(bytes) * 10 + (1u128 << shift >> 1)) >> shift) as u64;
    if bytes & ((1 << shift) - 1) == 0 {
        push_decimal(out, bytes >> shift);
    } else {
        if u128::from(tenths) << shift != u128::from(bytes) * 10 {
            out.push('~');
        }
        push_decimal(out, tenths / 10);
        out.push('.');
        push_decimal(out, tenths % 10);
    }
    out.push(' ');
    out.push_str(unit);
}

/// Adds a time of three to four digits with its unit: `830ns`, `12.3us`, `1.25s`, `12m05s`.
pub fn push_time(out: &mut String, ns: u64) {
    // Each with how many nanoseconds its hundredth is; rounding may lift a time into the next unit.
    const UNITS: [(&str, u64); 3] = [("us", 10), ("ms", 10_000), ("s", 10_000_000)];
    if ns < 1000 {
        push_decimal(out, ns);
        out.push_str("ns");
        return;
    }
    for (unit, hundredth) in UNITS {
        let hundredths = ns / hundredth + u64::from(ns % hundredth >= hundredth / 2);
        let limit = if unit == "s" { 12_000 } else { 100_000 };
        if hundredths >= limit {
            continue;
        }
        let (whole, part) = (hundredths / 100, hundredths % 100);
        push_decimal(out, whole);
        if whole < 10 {
            out.push('.');
            push_padded(out, part, 2);
        } else if whole < 100 {
            out.push('.');
            push_decimal(out, part / 10);
        }
        out.push_str(unit);
        return;
    }
    let seconds = ns / 1_000_000_000;
    push_decimal(out, seconds / 60);
    out.push('m');
    push_padded(out, seconds % 60, 2);
    out.push('s');
}

/// Adds seconds with microseconds: `12.000345`. Rounded down, so that times never run ahead of each other.
pub fn push_seconds(out: &mut String, ns: u64) {
    push_decimal(out, ns / 1_000_000_000);
    out.push('.');
    push_padded(out, ns / 1000 % 1_000_000, 6);
}

/// Adds what a CUDA version number stands for: 12.9 for 12090.
pub fn push_cuda_version(out: &mut String, number: u64) {
    push_decimal(out, number / 1000);
    out.push('.');
    push_decimal(out, number % 1000 / 10);
}

/// What one of the functions above adds, as a string of its own.
pub fn text(push: fn(&mut String, u64), number: u64) -> String {
    let mut out = String::new();
    push(&mut out, number);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_exact_or_marked_as_rounded() {
        let bytes = |number| text(push_bytes, number);
        assert_eq!(bytes(83_751_862_272), "78 GiB");
        assert_eq!(bytes(1 << 20), "1 MiB");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(85_045_141_504), "~79.2 GiB");
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1025)],
            ["0 bytes", "1023 bytes", "~1.0 KiB"]
        );
        assert_eq!(bytes(u64::MAX), "~16.0 EiB");
        assert_eq!(bytes(1 << 63), "8 EiB");
    }

    #[test]
    fn times_keep_three_digits() {
        let time = |ns| text(push_time, ns);
        assert_eq!([time(0), time(999), time(1000)], ["0ns", "999ns", "1.00us"]);
        assert_eq!([time(12_345), time(123_456)], ["12.3us", "123us"]);
        assert_eq!([time(999_999), time(1_250_000)], ["1.00ms", "1.25ms"]);
        assert_eq!(
            [time(59_000_000_000), time(725_000_000_000)],
            ["59.0s", "12m05s"]
        );
        assert_eq!(time(u64::MAX), "307445734m33s");
    }

    #[test]
    fn digits_are_right_at_the_ends_of_the_range() {
        assert_eq!(text(push_decimal, u64::MAX), u64::MAX.to_string());
        assert_eq!(text(push_hex, u64::MAX), format!("{:#x}", u64::MAX));
        assert_eq!([text(push_decimal, 0), text(push_hex, 0)], ["0", "0x0"]);
        let mut out = String::new();
        push_signed(&mut out, i64::MIN);
        assert_eq!(out, i64::MIN.to_string());
        assert_eq!(text(push_seconds, 12_000_345_999), "12.000345");
        assert_eq!(text(push_cuda_version, 12_090), "12.9");
    }
}
