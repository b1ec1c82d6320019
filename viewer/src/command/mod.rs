//! The one table of commands. Keys, the palette (`:`), the help (`?`), the hints at the bottom, docs/viewer.md and tests are read from it.

mod table;

use crate::list_window::Motion;
use crate::screen::ScreenId;

use table::GROUPS;

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Moves the cursor of the part with the keyboard.
    Move(Motion),
    /// One column or level to the left.
    Left,
    /// One column or level to the right.
    Right,
    /// Opens what is under the cursor.
    Open,
    /// Puts the cursor's line into the middle.
    Centre,
    /// Shows a shorter or longer stretch of time.
    Zoom(Direction),
    /// Shows a later or earlier stretch of time.
    Pan(Direction),
    /// Goes to a call by its number.
    GoTo,
    /// Compares with a second trace.
    Compare,
    /// Shows a screen.
    Show(ScreenId),
    /// Gives the keyboard to the next pane, or to the one before.
    Pane(Direction),
    /// Shows or hides the panes around the list.
    TogglePanes,
    /// Makes the panes around the list larger or smaller.
    Resize(Direction),
    /// Asks for a search text.
    Search,
    /// To the next or previous match.
    Match(Direction),
    /// Asks for a filter.
    Filter,
    /// Adds the value under the cursor to the filter.
    FilterValue(Wanted),
    /// Takes the last change of the filter back.
    UndoFilter,
    /// To the next or previous call of a kind.
    Find(Kind, Direction),
    /// To the call that made the object under the cursor.
    Creator,
    /// Sets a mark; a letter follows.
    SetMark,
    /// Goes to a mark; a letter follows.
    GoToMark,
    /// Back or forth in the list of jumps.
    Jump(Direction),
    /// Copies something.
    Copy(Copied),
    /// Opens or closes the part of a tree under the cursor.
    Fold,
    /// Opens or closes all of a tree.
    FoldAll,
    /// Goes on with a live recording, or stops doing so.
    Follow,
    /// Opens the palette.
    Palette,
    /// Opens the help.
    Help,
    /// Closes what is open, stops what is going on.
    Cancel,
    /// Draws the screen anew.
    Redraw,
    /// Sets the theme.
    Theme,
    /// Switches between Unicode and ASCII signs.
    ToggleAscii,
    /// Turns the mouse on or off.
    ToggleMouse,
    /// Stops the viewer as the shell's ^Z does.
    Suspend,
    /// Interrupts the program beside the viewer; leaves where there is none.
    Interrupt,
    /// Sends the program beside the viewer a signal.
    Signal,
    /// Leaves.
    Quit,
    /// Panics, so that a test sees the terminal restored.
    #[cfg(debug_assertions)]
    Panic,
}

/// Forwards or backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To later calls, the next pane.
    Forward,
    /// To earlier calls, the pane before.
    Backward,
}

/// Whether a value is to be shown or to be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Only calls with it.
    Only,
    /// Only calls without it.
    Without,
}

/// Kinds of calls that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It failed, and that is no benign probe.
    Error,
    /// It failed as a benign probe, or never returned.
    Warning,
    /// It refers to the object under the cursor.
    SameHandle,
    /// It took longer than 99 of 100 calls.
    Slow,
    /// It is of the same thread.
    SameThread,
    /// It is of the same function.
    SameFunction,
}

/// What is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// The call as `cutape print` writes it.
    Call,
    /// The value under the cursor.
    Value,
    /// The command that prints what is shown.
    Command,
}

/// Where a command works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On every screen.
    Everywhere,
    /// On these screens.
    On(&'static [ScreenId]),
}

/// What must be typed after a command's name or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// One letter, which follows the key.
    Letter,
    /// Text, asked for when the command is given by its key.
    Text(&'static str),
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name in the palette.
    pub name: &'static str,
    /// Keys that give it, each a sequence.
    pub keys: &'static [&'static str],
    /// What it does, for people.
    pub title: &'static str,
    /// The heading that it stands under in the help.
    pub group: &'static str,
    /// Where it works.
    pub scope: Scope,
    /// What it needs besides.
    pub takes: Takes,
    /// What it does.
    pub action: Action,
}

impl Command {
    /// Whether it works on a screen.
    pub fn works_on(&self, screen: ScreenId) -> bool {
        match self.scope {
            Scope::Everywhere => true,
            Scope::On(screens) => screens.contains(&screen),
        }
    }
}

/// All commands, in the order of the help.
pub fn commands() -> impl Iterator<Item = Command> {
    GROUPS.into_iter().flat_map(|(group, rows)| {
        rows.iter()
            .map(move |command| Command { group, ..*command })
    })
}

/// The command of a name.
pub fn named(name: &str) -> Option<Command> {
    commands().find(|command| command.name == name)
}

/// The first key of the command that does this, as it is written.
pub fn key_of(action: Action) -> &'static str {
    let command = commands().find(|command| command.action == action);
    command
        .and_then(|command| command.keys.first().copied())
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::key::Key;

    #[test]
    fn names_and_keys_are_unique_and_can_be_read() {
        let (mut names, mut keys) = (HashSet::new(), HashSet::new());
        for command in commands() {
            assert!(
                names.insert(command.name),
                "{} is there twice",
                command.name
            );
            assert!(!command.title.is_empty() && !command.group.is_empty());
            for key in command.keys {
                // A key of one screen goes before the one that works everywhere.
                let scope = format!("{:?}", command.scope);
                assert!(keys.insert((*key, scope)), "{key} is there twice");
                assert!(Key::parse_sequence(key).is_some(), "{key} is no key");
            }
        }
    }

    #[test]
    fn no_key_hides_a_longer_sequence() {
        let all: Vec<_> = commands()
            .flat_map(|command| command.keys.iter().map(|key| Key::parse_sequence(key)))
            .map(|keys| keys.expect("a key"))
            .collect();
        for short in &all {
            let longer = all
                .iter()
                .find(|keys| keys.len() > short.len() && keys.starts_with(short));
            assert_eq!(longer, None, "{short:?}");
        }
    }
}
