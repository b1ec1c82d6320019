//! From keys to commands: sequences such as `g g`, and keys that are followed by a letter.

use crate::command::{Command, Scope, Takes, commands};
use crate::key::Key;
use crate::screen::ScreenId;

/// What a key comes to.
#[derive(Clone, Copy, Debug)]
pub enum Pressed {
    /// A command, with the letter that it takes.
    Command(Command, Option<char>),
    /// More keys are awaited.
    Pending,
    /// Nothing.
    Nothing,
}

/// The keys of all commands, and those pressed so far.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: Vec<(Vec<Key>, Command)>,
    pressed: Vec<Key>,
}

impl Keymap {
    /// The keys of the table.
    pub fn new() -> Self {
        let of = |command: Command| {
            let sequences = command
                .keys
                .iter()
                .filter_map(|keys| Key::parse_sequence(keys));
            sequences.map(move |keys| (keys, command))
        };
        Self {
            bindings: commands().flat_map(of).collect(),
            pressed: Vec::new(),
        }
    }

    /// Keys of a sequence that is not complete, as text.
    pub fn pending(&self) -> String {
        let keys: Vec<_> = self.pressed.iter().map(Key::to_string).collect();
        keys.join(" ")
    }

    /// Takes a key.
    pub fn press(&mut self, key: Key, screen: ScreenId) -> Pressed {
        if let Some(command) = self.awaiting_letter(screen) {
            self.pressed.clear();
            return match key.letter() {
                Some(letter) => Pressed::Command(command, Some(letter)),
                None => Pressed::Nothing,
            };
        }
        self.pressed.push(key);
        let pressed = self.look_up(screen);
        if !matches!(pressed, Pressed::Pending) {
            self.pressed.clear();
        }
        pressed
    }

    fn awaiting_letter(&self, screen: ScreenId) -> Option<Command> {
        let command = self.complete(screen)?;
        (command.takes == Takes::Letter).then_some(command)
    }

    fn complete(&self, screen: ScreenId) -> Option<Command> {
        let works = self
            .bindings
            .iter()
            .filter(|(_, command)| command.works_on(screen));
        let found = works.filter(|(keys, _)| *keys == self.pressed);
        // A screen's own key goes before the one that works everywhere.
        found
            .min_by_key(|(_, command)| command.scope == Scope::Everywhere)
            .map(|&(_, command)| command)
    }

    fn look_up(&self, screen: ScreenId) -> Pressed {
        match self.complete(screen) {
            Some(command) if command.takes == Takes::Letter => Pressed::Pending,
            Some(command) => Pressed::Command(command, None),
            None => {
                let mut works = self
                    .bindings
                    .iter()
                    .filter(|(_, command)| command.works_on(screen));
                match works.any(|(keys, _)| keys.starts_with(&self.pressed)) {
                    true => Pressed::Pending,
                    false => Pressed::Nothing,
                }
            }
        }
    }
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(keymap: &mut Keymap, keys: &str) -> Vec<String> {
        let mut given = Vec::new();
        for key in Key::parse_sequence(keys).expect("keys") {
            if let Pressed::Command(command, letter) = keymap.press(key, ScreenId::Calls) {
                let letter = letter
                    .map(|letter| format!(" {letter}"))
                    .unwrap_or_default();
                given.push(format!("{}{letter}", command.name));
            }
        }
        given
    }

    #[test]
    fn sequences_and_letters() {
        let mut keymap = Keymap::new();
        assert_eq!(
            press(&mut keymap, "j g g y c"),
            ["down", "first", "copy-command"]
        );
        assert_eq!(
            press(&mut keymap, "m a ' a ' '"),
            ["mark a", "go-mark a", "go-mark '"]
        );
        assert_eq!(
            press(&mut keymap, "g x j"),
            ["down"],
            "an unknown sequence is forgotten"
        );
        assert_eq!(
            press(&mut keymap, "m Esc q"),
            ["quit"],
            "no letter, no mark"
        );
        assert_eq!(press(&mut keymap, "g"), Vec::<String>::new());
        assert_eq!(keymap.pending(), "g");
    }
}
