//! Keys as they are pressed, and as the table of commands writes them: `j`, `ctrl-d`, `Enter`, `alt-b`.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A key with the modifiers that make it another key. Shift is part of the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// Held with Control.
    pub ctrl: bool,
    /// Held with Alt.
    pub alt: bool,
}

/// Keys that are written as words.
const NAMES: [(&str, KeyCode); 17] = [
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("BackTab", KeyCode::BackTab),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
    ("Space", KeyCode::Char(' ')),
    ("F1", KeyCode::F(1)),
    ("F5", KeyCode::F(5)),
];

impl Key {
    /// A key without modifiers.
    pub fn plain(code: KeyCode) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
        }
    }

    /// What a terminal reports; `None` for releases and for modifiers alone.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let code = match event.code {
            // Some terminals say Shift-Tab, others BackTab.
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            KeyCode::Modifier(_) | KeyCode::Null => return None,
            code => code,
        };
        Some(Self {
            code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            alt: event.modifiers.contains(KeyModifiers::ALT),
        })
    }

    /// Reads `ctrl-d`, `Enter`, `g`; `None` if it names no key.
    pub fn parse(text: &str) -> Option<Self> {
        let (ctrl, text) = match text.strip_prefix("ctrl-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (alt, text) = match text.strip_prefix("alt-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let named = NAMES.iter().find(|(name, _)| *name == text);
        let mut letters = text.chars();
        let code = match (named, letters.next(), letters.next()) {
            (Some(&(_, code)), ..) => code,
            (None, Some(letter), None) => KeyCode::Char(letter),
            _ => return None,
        };
        Some(Self { code, ctrl, alt })
    }

    /// Reads keys pressed one after the other: `g g`.
    pub fn parse_sequence(text: &str) -> Option<Vec<Self>> {
        text.split(' ').map(Self::parse).collect()
    }

    /// The letter, if it is one without Control or Alt.
    pub fn letter(&self) -> Option<char> {
        match self.code {
            KeyCode::Char(letter) if !self.ctrl && !self.alt => Some(letter),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            formatter.write_str("ctrl-")?;
        }
        if self.alt {
            formatter.write_str("alt-")?;
        }
        match NAMES.iter().find(|(_, code)| *code == self.code) {
            Some((name, _)) => formatter.write_str(name),
            None => match self.code {
                KeyCode::Char(letter) => write!(formatter, "{letter}"),
                other => write!(formatter, "{other:?}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_they_are_written() {
        for text in ["j", "ctrl-d", "Enter", "alt-b", "Space", "?", "ctrl-Left"] {
            let key = Key::parse(text).expect(text);
            assert_eq!(key.to_string(), text);
        }
        assert_eq!(Key::parse("Entre"), None);
        assert_eq!(Key::parse_sequence("g g").map(|keys| keys.len()), Some(2));
    }

    #[test]
    fn releases_are_no_presses_and_shift_tab_is_one_key() {
        let mut event = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
        assert_eq!(Key::of(&event), Some(Key::plain(KeyCode::BackTab)));
        event.kind = KeyEventKind::Release;
        assert_eq!(Key::of(&event), None);
    }
}
