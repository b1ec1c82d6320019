//! One line of text being typed, with the keys that shells have.

use crossterm::event::KeyCode;
use unicode_width::UnicodeWidthChar;

use crate::key::Key;

/// Longest line: a filter of more than this is a mistake of the clipboard.
const MAX_BYTES: usize = 4096;

/// Text with a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineEdit {
    text: String,
    /// In bytes, at the start of a character or at the end.
    cursor: usize,
}

impl LineEdit {
    /// A line with the cursor at its end.
    pub fn new(text: &str) -> Self {
        let mut line = Self::default();
        line.insert(text);
        line
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Place of the cursor, in bytes.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Replaces the bytes of a range, which must be those of whole characters, and puts the cursor behind them.
    pub fn replace(&mut self, range: std::ops::Range<usize>, with: &str) {
        self.text.replace_range(range.clone(), with);
        self.cursor = range.start + with.len();
    }

    /// Replaces the text; the cursor goes to its end.
    pub fn set(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Adds text at the cursor, without its control characters.
    pub fn insert(&mut self, text: &str) {
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            if self.text.len() + letter.len_utf8() > MAX_BYTES {
                return;
            }
            self.text.insert(self.cursor, letter);
            self.cursor += letter.len_utf8();
        }
    }

    /// Takes a key; whether it was one of the line's.
    pub fn press(&mut self, key: Key) -> bool {
        match (key.ctrl, key.alt, key.code) {
            (false, false, KeyCode::Char(letter)) => self.insert(letter.encode_utf8(&mut [0; 4])),
            (false, false, KeyCode::Backspace) | (true, false, KeyCode::Char('h')) => {
                self.remove(self.before());
            }
            (false, false, KeyCode::Delete) | (true, false, KeyCode::Char('d')) => {
                let after = self.after();
                self.text.replace_range(self.cursor..after, "");
            }
            (false, false, KeyCode::Left) | (true, false, KeyCode::Char('b')) => {
                self.cursor = self.before();
            }
            (false, false, KeyCode::Right) | (true, false, KeyCode::Char('f')) => {
                self.cursor = self.after();
            }
            (true, false, KeyCode::Left) | (false, true, KeyCode::Char('b')) => {
                self.cursor = self.word_before();
            }
            (true, false, KeyCode::Right) | (false, true, KeyCode::Char('f')) => {
                self.cursor = self.word_after();
            }
            (false, false, KeyCode::Home) | (true, false, KeyCode::Char('a')) => self.cursor = 0,
            (false, false, KeyCode::End) | (true, false, KeyCode::Char('e')) => {
                self.cursor = self.text.len();
            }
            (true, false, KeyCode::Char('u')) => self.remove(0),
            (true, false, KeyCode::Char('k')) => self.text.truncate(self.cursor),
            (true, false, KeyCode::Char('w')) | (false, true, KeyCode::Backspace) => {
                self.remove(self.word_before());
            }
            _ => return false,
        }
        true
    }

    /// The part to show in `width` columns, so that the cursor is in it, and the cursor's column there.
    pub fn window(&self, width: u16) -> (&str, u16) {
        let room = usize::from(width.max(1)) - 1;
        let columns = |text: &str| text.chars().map(|letter| letter.width().unwrap_or(0)).sum();
        let mut start = 0;
        let mut column: usize = columns(&self.text[..self.cursor]);
        while column > room {
            let Some(letter) = self.text[start..].chars().next() else {
                break;
            };
            start += letter.len_utf8();
            column -= letter.width().unwrap_or(0);
        }
        (&self.text[start..], column as u16)
    }

    fn remove(&mut self, from: usize) {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    fn before(&self) -> usize {
        let before = self.text[..self.cursor].char_indices().next_back();
        before.map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        let next = self.text[self.cursor..].chars().next();
        self.cursor + next.map_or(0, char::len_utf8)
    }

    fn word_before(&self) -> usize {
        let head = self.text[..self.cursor].trim_end();
        let space = head
            .char_indices()
            .rfind(|(_, letter)| letter.is_whitespace());
        space.map_or(0, |(at, letter)| at + letter.len_utf8())
    }

    fn word_after(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let word = rest
            .find(|letter: char| !letter.is_whitespace())
            .unwrap_or(rest.len());
        let end = rest[word..].find(char::is_whitespace);
        end.map_or(self.text.len(), |end| self.cursor + word + end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(line: &mut LineEdit, keys: &str) {
        for key in keys.split(' ') {
            assert!(line.press(Key::parse(key).expect(key)), "{key}");
        }
    }

    #[test]
    fn keys_do_what_they_do_in_shells() {
        let mut line = LineEdit::new("api ~ cuMem*");
        press(&mut line, "ctrl-w x");
        assert_eq!(line.text(), "api ~ x");
        press(&mut line, "ctrl-a Delete ctrl-Right Backspace");
        assert_eq!(line.text(), "p ~ x");
        press(&mut line, "End Left Left ctrl-k");
        assert_eq!(line.text(), "p ~");
        press(&mut line, "ctrl-u");
        assert_eq!(line.text(), "");
    }

    #[test]
    fn letters_of_several_bytes_and_controls_do_no_harm() {
        let mut line = LineEdit::new("a\u{1b}[31mé漢");
        assert_eq!(line.text(), "a[31mé漢");
        press(&mut line, "Left Left Backspace Delete Right Backspace");
        assert_eq!(line.text(), "a[31");
        assert!(!line.press(Key::parse("Up").expect("a key")));
    }

    #[test]
    fn a_long_line_shows_the_part_with_the_cursor() {
        let mut line = LineEdit::new(&"0123456789".repeat(5));
        assert_eq!(line.window(10), ("123456789", 9));
        press(&mut line, "Home");
        assert_eq!(line.window(10).1, 0);
        assert_eq!(LineEdit::new("漢漢漢").window(5), ("漢漢", 4));
        assert_eq!(LineEdit::new("abc").window(0).1, 0);
    }
}
