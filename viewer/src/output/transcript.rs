//! What a program wrote, as lines: as a terminal of endless height would show them, without colours.

use std::collections::VecDeque;

/// Lines kept; of more, the last ones.
const MOST_LINES: usize = 20_000;
/// Letters of a line; what goes beyond begins another one.
const MOST_LETTERS: usize = 4096;
/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// Where one is in a sequence that a terminal would obey.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sequence {
    /// In none.
    #[default]
    None,
    /// Behind ESC.
    Escape,
    /// In a control sequence, which a letter ends.
    Control,
    /// In a string, such as a title, which BEL or ESC \ ends.
    Text,
    /// Behind the ESC in a string.
    TextEscape,
}

/// What a program wrote.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    lines: VecDeque<String>,
    /// The last line, letter by letter: it may be written over.
    last: Vec<char>,
    /// Where the next letter goes.
    column: usize,
    sequence: Sequence,
    /// The begin of a letter whose end has not come.
    partial: Vec<u8>,
    /// Lines that were begun, those no longer kept included.
    begun: u64,
}

impl Transcript {
    /// Takes in what was written. Returns the number of lines that ended.
    pub fn add(&mut self, bytes: &[u8]) -> u64 {
        let before = self.begun;
        self.partial.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.partial);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    text.chars().for_each(|letter| self.letter(letter));
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    let good = std::str::from_utf8(good).unwrap_or_default();
                    good.chars().for_each(|letter| self.letter(letter));
                    let Some(length) = error.error_len() else {
                        self.partial = bad.to_vec();
                        break;
                    };
                    self.letter(char::REPLACEMENT_CHARACTER);
                    rest = &bad[length..];
                }
            }
        }
        self.begun - before
    }

    /// Number of lines kept; the last one counts when there is something in it.
    pub fn len(&self) -> usize {
        self.lines.len() + usize::from(!self.last.is_empty())
    }

    /// A line that is kept.
    pub fn line(&self, place: usize) -> String {
        match self.lines.get(place) {
            Some(line) => line.clone(),
            None if place == self.lines.len() => self.last.iter().collect(),
            None => String::new(),
        }
    }

    /// Lines that were written and are no longer kept.
    pub fn forgotten(&self) -> u64 {
        self.begun.saturating_sub(self.lines.len() as u64)
    }

    fn letter(&mut self, letter: char) {
        match (self.sequence, letter) {
            (Sequence::None, '\x1b') => self.sequence = Sequence::Escape,
            (Sequence::None, letter) => self.write(letter),
            (Sequence::Escape, '[') => self.sequence = Sequence::Control,
            (Sequence::Escape, ']' | 'P' | '_' | '^' | 'X') => self.sequence = Sequence::Text,
            // A character set's name follows.
            (Sequence::Escape, '(' | ')' | '#' | '%' | ' ') => {}
            (Sequence::Escape, _) => self.sequence = Sequence::None,
            (Sequence::Control, '\x40'..='\x7e') => self.sequence = Sequence::None,
            (Sequence::Control, _) => {}
            (Sequence::Text, '\x07') => self.sequence = Sequence::None,
            (Sequence::Text, '\x1b') => self.sequence = Sequence::TextEscape,
            (Sequence::Text, _) => {}
            (Sequence::TextEscape, _) => self.sequence = Sequence::None,
        }
    }

    fn write(&mut self, letter: char) {
        match letter {
            '\n' => self.end_line(),
            '\r' => self.column = 0,
            '\x08' => self.column = self.column.saturating_sub(1),
            '\t' => {
                self.column = (self.column / TAB + 1) * TAB;
                while self.last.len() < self.column {
                    self.last.push(' ');
                }
            }
            letter if letter.is_control() => {}
            letter => {
                if self.column >= MOST_LETTERS {
                    self.end_line();
                }
                while self.last.len() < self.column {
                    self.last.push(' ');
                }
                match self.last.get_mut(self.column) {
                    Some(place) => *place = letter,
                    None => self.last.push(letter),
                }
                self.column += 1;
            }
        }
    }

    fn end_line(&mut self) {
        self.lines.push_back(self.last.drain(..).collect());
        self.column = 0;
        self.begun += 1;
        if self.lines.len() > MOST_LINES {
            self.lines.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut transcript = Transcript::default();
        for piece in pieces {
            transcript.add(piece);
        }
        (0..transcript.len())
            .map(|place| transcript.line(place))
            .collect()
    }

    #[test]
    fn lines_are_what_a_terminal_would_show() {
        let written =
            lines(&[b"one\r\ntwo\tx\n\x1b[1;31mred\x1b[0m\x1b]0;title\x07!\n 10 %\r 99 %"]);
        assert_eq!(written, ["one", "two     x", "red!", " 99 %"]);
        assert_eq!(
            lines(&[b"abc\x08\x08X\n", b"\x1b", b"[2", b"Jy\n"]),
            ["aXc", "y"]
        );
    }

    #[test]
    fn letters_that_come_in_pieces_are_whole_and_broken_ones_are_shown_as_such() {
        assert_eq!(
            lines(&[b"gr\xc3", b"\xbcn\n\xff\xfe!"]),
            ["grün", "\u{fffd}\u{fffd}!"]
        );
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut transcript = Transcript::default();
        transcript.add(&b"x\n".repeat(MOST_LINES + 5));
        assert_eq!((transcript.len(), transcript.forgotten()), (MOST_LINES, 5));
        transcript.add(&b"y".repeat(MOST_LETTERS * 2 + 1));
        assert_eq!(transcript.len(), MOST_LINES + 1);
        assert_eq!(transcript.line(MOST_LINES), "y");
    }
}
