//! Bytes as lines of hexadecimal digits and letters.

use std::fmt::Write;

use super::details::Bytes;

/// Columns of the offset, the spaces around it, and between digits and letters.
const AROUND: u16 = 4 + 2 + 1;
/// Columns that a byte takes: two digits, a space and a letter.
const PER_BYTE: u16 = 4;

/// A line of bytes, or the title of what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HexLine {
    /// Whose bytes follow.
    Title(String),
    /// Offset and digits, and the bytes as letters.
    Bytes {
        /// Offset and digits.
        digits: String,
        /// Letters, `.` for what is not printable.
        letters: String,
    },
}

/// The lines that show bytes in `width` columns.
pub fn lines(parts: &[Bytes], width: u16) -> Vec<HexLine> {
    let fit = width.saturating_sub(AROUND) / PER_BYTE;
    let a_line: usize = match fit {
        16.. => 16,
        8.. => 8,
        4.. => 4,
        _ => return Vec::new(),
    };
    let mut lines = Vec::new();
    for part in parts {
        lines.push(HexLine::Title(title(part)));
        for (number, bytes) in part.bytes.chunks(a_line).enumerate() {
            lines.push(line(number * a_line, bytes, a_line));
        }
    }
    lines
}

fn title(part: &Bytes) -> String {
    let when = if part.out {
        "after the call"
    } else {
        "before the call"
    };
    let bytes = part.bytes.len();
    let cut = if part.full > bytes as u64 {
        format!(", {bytes} of them kept")
    } else {
        String::new()
    };
    let unit = if part.full == 1 { "byte" } else { "bytes" };
    format!("{} {when}, {} {unit}{cut}", part.name, part.full)
}

fn line(offset: usize, bytes: &[u8], a_line: usize) -> HexLine {
    let mut digits = format!("{offset:04x} ");
    let mut letters = String::new();
    for place in 0..a_line {
        match bytes.get(place) {
            // Writing to a string can't fail.
            Some(byte) => _ = write!(digits, " {byte:02x}"),
            None => digits.push_str("   "),
        }
    }
    for &byte in bytes {
        let shown = byte.is_ascii_graphic() || byte == b' ';
        letters.push(if shown { char::from(byte) } else { '.' });
    }
    HexLine::Bytes { digits, letters }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_letters_stand_below_each_other() {
        let part = Bytes {
            name: "name".to_owned(),
            out: true,
            bytes: b"NVIDIA H100\0\x1b[31m".to_vec(),
            full: 256,
        };
        for width in [0, 10, 24, 40, 80, 200] {
            for line in lines(std::slice::from_ref(&part), width) {
                if let HexLine::Bytes { digits, letters } = line {
                    assert!(digits.len() + 2 + letters.len() <= usize::from(width));
                    assert!(
                        letters
                            .bytes()
                            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
                    );
                }
            }
        }
        let all = lines(&[part], 80);
        assert_eq!(all.len(), 3);
        assert_eq!(
            all[0],
            HexLine::Title("name after the call, 256 bytes, 17 of them kept".to_owned())
        );
    }
}
