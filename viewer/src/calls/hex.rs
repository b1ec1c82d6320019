//! Bytes as lines of hexadecimal digits and letters.

use std::fmt::Write;

use super::bytes::{Bytes, Span};

/// Columns before the space in front of the first byte.
const OFFSET: usize = 4 + 1;
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
        /// Which bytes.
        span: Span,
        /// Offset, digits, and spaces behind them.
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
    for (place, part) in parts.iter().enumerate() {
        lines.push(HexLine::Title(title(part)));
        for (number, bytes) in part.bytes.chunks(a_line).enumerate() {
            lines.push(line(place, number * a_line, bytes, a_line));
        }
    }
    lines
}

fn title(part: &Bytes) -> String {
    let bytes = part.bytes.len();
    let cut = if part.full > bytes as u64 {
        format!(", {bytes} of them here")
    } else {
        String::new()
    };
    let unit = if part.full == 1 { "byte" } else { "bytes" };
    format!("{}, {} {unit}{cut}", part.title, part.full)
}

fn line(part: usize, offset: usize, bytes: &[u8], a_line: usize) -> HexLine {
    let mut digits = format!("{offset:04x} ");
    let mut letters = String::new();
    for place in 0..a_line {
        match bytes.get(place) {
            // Writing to a string can't fail.
            Some(byte) => _ = write!(digits, " {byte:02x}"),
            None => digits.push_str("   "),
        }
    }
    digits.push_str("  ");
    for &byte in bytes {
        let shown = byte.is_ascii_graphic() || byte == b' ';
        letters.push(if shown { char::from(byte) } else { '.' });
    }
    HexLine::Bytes {
        span: Span {
            part,
            start: offset,
            length: bytes.len(),
        },
        digits,
        letters,
    }
}

/// The line that has the first of some bytes.
pub fn place_of(lines: &[HexLine], span: &Span) -> Option<usize> {
    lines.iter().position(|line| {
        matches!(line, HexLine::Bytes { span: line, .. } if line.part == span.part && line.end() > span.start)
    })
}

/// The bytes of a line that are among others: from one place in the line to another.
pub fn common(line: &Span, marked: &Span) -> Option<std::ops::Range<usize>> {
    let start = line.start.max(marked.start);
    let end = line.end().min(marked.end());
    (line.part == marked.part && start < end).then(|| start - line.start..end - line.start)
}

/// Digits in three pieces: before, of, and behind the bytes that are marked, which stand in brackets.
pub fn marked(digits: &str, places: &std::ops::Range<usize>) -> [String; 3] {
    let (from, until) = (OFFSET + 3 * places.start, OFFSET + 3 * places.end);
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    [
        part(0..from).to_owned(),
        format!("[{}]", part(from + 1..until)),
        part(until + 1..digits.len()).to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::bytes::BytesOf;

    #[test]
    fn marked_bytes_stand_in_brackets() {
        let line = line(0, 16, &[1, 2, 3, 4], 4);
        let HexLine::Bytes { span, digits, .. } = line else {
            panic!("bytes");
        };
        let of = |start, length| Span {
            part: 0,
            start,
            length,
        };
        let shown = |marking: Span| common(&span, &marking).map(|at| marked(&digits, &at).concat());
        assert_eq!(shown(of(17, 2)).as_deref(), Some("0010  01[02 03]04  "));
        assert_eq!(shown(of(0, 100)).as_deref(), Some("0010 [01 02 03 04] "));
        assert_eq!(shown(of(19, 1)).as_deref(), Some("0010  01 02 03[04] "));
        assert_eq!(shown(of(20, 1)), None);
    }

    #[test]
    fn lines_fit_and_letters_stand_below_each_other() {
        let part = Bytes {
            of: BytesOf::Parameter {
                param: 0,
                out: true,
            },
            title: "name after the call".to_owned(),
            bytes: b"NVIDIA H100\0\x1b[31m".to_vec(),
            full: 256,
        };
        for width in [0, 10, 24, 40, 80, 200] {
            for line in lines(std::slice::from_ref(&part), width) {
                if let HexLine::Bytes {
                    digits, letters, ..
                } = line
                {
                    assert!(digits.len() + letters.len() <= usize::from(width));
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
            HexLine::Title("name after the call, 256 bytes, 17 of them here".to_owned())
        );
    }
}
