//! Choosing a command by its name or by what it does: the palette (`:`) and the help (`?`), which are one list in two sizes.

use crossterm::event::KeyCode;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::canvas::{Canvas, line_of, skip};
use crate::command::{Command, Takes, commands, named};
use crate::key::Key;
use crate::line_edit::LineEdit;
use crate::list_window::{ListWindow, Motion};
use crate::screen::ScreenId;
use crate::theme::Role;

/// Columns of the list of keys and of names.
const KEYS_WIDTH: u16 = 22;
const NAME_WIDTH: u16 = 20;
/// Lines of the palette.
const PALETTE_LINES: u16 = 10;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A few lines above the bottom.
    Palette,
    /// The whole screen.
    Help,
}

/// A list of commands that gets shorter while one types.
#[derive(Clone, Debug)]
pub struct Chooser {
    kind: Kind,
    line: LineEdit,
    window: ListWindow,
    screen: ScreenId,
}

/// A line of the list.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Heading(&'static str),
    Command(Command),
}

/// What came of a key.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Nothing yet.
    Open,
    /// It is to be closed.
    Closed,
    /// A call was asked for by its number.
    Number(u64),
    /// A command was chosen, with what was typed behind its name.
    Command(Command, Option<String>),
    /// There is no command of that name.
    Unknown(String),
}

impl Chooser {
    /// Opens the list for a screen.
    pub fn new(kind: Kind, screen: ScreenId, size: Rect) -> Self {
        let mut chooser = Self {
            kind,
            line: LineEdit::default(),
            window: ListWindow::default(),
            screen,
        };
        chooser.arrange(size);
        chooser
    }

    /// Takes in the size of the screen.
    pub fn arrange(&mut self, size: Rect) {
        self.window.set_height(self.list_area(size).height.into());
        self.window.set_len(self.entries().len() as u64);
        self.skip_heading(Motion::Down);
    }

    /// Adds text that was pasted.
    pub fn paste(&mut self, text: &str) {
        self.line.insert(text);
        self.changed();
    }

    /// Takes a key.
    pub fn press(&mut self, key: Key) -> Choice {
        match (key.ctrl, key.code) {
            (false, KeyCode::Esc) | (true, KeyCode::Char('c')) => return Choice::Closed,
            (false, KeyCode::Backspace) if self.line.text().is_empty() => return Choice::Closed,
            (false, KeyCode::Enter) => return self.choose(),
            (false, KeyCode::Tab) => self.complete(),
            (false, KeyCode::Up) | (true, KeyCode::Char('p')) => self.step(Motion::Up),
            (false, KeyCode::Down) | (true, KeyCode::Char('n')) => self.step(Motion::Down),
            (false, KeyCode::PageUp) => self.step(Motion::PageUp),
            (false, KeyCode::PageDown) => self.step(Motion::PageDown),
            _ => {
                if self.line.press(key) {
                    self.changed();
                }
            }
        }
        Choice::Open
    }

    fn changed(&mut self) {
        self.window.set_len(self.entries().len() as u64);
        self.window.go(0);
        self.skip_heading(Motion::Down);
    }

    fn step(&mut self, motion: Motion) {
        self.window.step(motion);
        self.skip_heading(motion);
    }

    /// The cursor is never on a heading.
    fn skip_heading(&mut self, motion: Motion) {
        let entries = self.entries();
        if matches!(
            entries.get(self.window.cursor() as usize),
            Some(Entry::Heading(_))
        ) {
            let upwards = matches!(motion, Motion::Up | Motion::PageUp) && self.window.cursor() > 0;
            self.window
                .step(if upwards { Motion::Up } else { Motion::Down });
        }
    }

    fn name_and_rest(&self) -> (&str, Option<&str>) {
        let text = self.line.text().trim_start();
        match text.split_once(' ') {
            Some((name, rest)) => (name, Some(rest.trim()).filter(|rest| !rest.is_empty())),
            None => (text, None),
        }
    }

    /// Lines that match what was typed; headings only while nothing is.
    fn entries(&self) -> Vec<Entry> {
        let typed = self.line.text().trim().to_lowercase();
        let (name, rest) = self.name_and_rest();
        let exact = rest.and_then(|_| named(name));
        let mut entries = Vec::new();
        let mut group = "";
        for command in commands().filter(|command| command.works_on(self.screen)) {
            if let Some(exact) = exact {
                if exact.name == command.name {
                    entries.push(Entry::Command(command));
                }
                continue;
            }
            if !matches(&command, &typed) {
                continue;
            }
            if typed.is_empty() && command.group != group {
                group = command.group;
                entries.push(Entry::Heading(group));
            }
            entries.push(Entry::Command(command));
        }
        if !typed.is_empty() {
            // What was typed may be a name; names count before what is said about commands.
            entries.sort_by_key(|entry| match entry {
                Entry::Command(command) => !command.name.starts_with(&typed),
                Entry::Heading(_) => false,
            });
        }
        entries
    }

    fn under_cursor(&self) -> Option<Command> {
        match self.entries().get(self.window.cursor() as usize) {
            Some(Entry::Command(command)) => Some(*command),
            _ => None,
        }
    }

    fn complete(&mut self) {
        if let Some(command) = self.under_cursor() {
            let space = if command.takes == Takes::Nothing {
                ""
            } else {
                " "
            };
            self.line.set(&format!("{}{space}", command.name));
            self.changed();
        }
    }

    fn choose(&self) -> Choice {
        let text = self.line.text().trim();
        if let Ok(number) = text.replace(',', "").parse() {
            return Choice::Number(number);
        }
        let (name, rest) = self.name_and_rest();
        let exact = named(name).filter(|command| command.works_on(self.screen));
        match exact.or_else(|| self.under_cursor()) {
            Some(command) => {
                let rest = exact.and(rest).map(str::to_owned);
                Choice::Command(command, rest)
            }
            None => Choice::Unknown(text.to_owned()),
        }
    }

    fn area(&self, size: Rect) -> Rect {
        match self.kind {
            Kind::Help => size,
            Kind::Palette => {
                let height = (PALETTE_LINES + 3).min(size.height);
                Rect {
                    y: size.bottom() - height,
                    height,
                    ..size
                }
            }
        }
    }

    fn list_area(&self, size: Rect) -> Rect {
        let area = self.area(size);
        Rect {
            x: area.x + 1,
            y: area.y + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(3),
        }
        .intersection(area)
    }

    /// Draws it; gives the place of the terminal's cursor.
    pub fn draw(&self, canvas: &mut Canvas<'_>) -> Option<Position> {
        let size = canvas.area();
        let (title, prompt) = match self.kind {
            Kind::Help => (
                "Keys and commands: type to search, Enter runs, Esc closes",
                "? ",
            ),
            Kind::Palette => ("Commands: type a name or a call number", ": "),
        };
        let inside = canvas.boxed(self.area(size), title);
        let list = self.list_area(size);
        let entries = self.entries();
        for (row, position) in self.window.visible().enumerate() {
            let line = line_of(list, row as u16);
            match entries.get(position as usize) {
                Some(Entry::Heading(group)) => {
                    canvas.text(line, group, Role::Title);
                }
                Some(Entry::Command(command)) => {
                    draw_command(canvas, line, command);
                    if position == self.window.cursor() {
                        canvas.cursor_line(line, true);
                    }
                }
                None => {}
            }
        }
        if entries.is_empty() {
            canvas.text(list, "no command has these words", Role::Dim);
        }
        canvas.scroll_bar(list, &self.window.visible(), self.window.len());
        let line = line_of(inside, inside.height.checked_sub(1)?);
        Some(draw_line_edit(canvas, line, prompt, &self.line))
    }
}

/// Draws a line that is being typed, with what stands before it; gives the place of the cursor.
pub fn draw_line_edit(
    canvas: &mut Canvas<'_>,
    area: Rect,
    prompt: &str,
    line: &LineEdit,
) -> Position {
    canvas.clear(area);
    let taken = canvas.text(area, prompt, Role::Key);
    let area = skip(area, taken);
    let (text, column) = line.window(area.width);
    canvas.text(area, text, Role::Text);
    Position::new(area.x + column.min(area.width.saturating_sub(1)), area.y)
}

fn draw_command(canvas: &mut Canvas<'_>, line: Rect, command: &Command) {
    let keys: Vec<String> = command.keys.iter().map(|keys| compact(keys)).collect();
    let indented = skip(line, 1);
    canvas.text(
        Rect {
            width: KEYS_WIDTH.min(indented.width),
            ..indented
        },
        &keys.join("  "),
        Role::Key,
    );
    let at_name = skip(indented, KEYS_WIDTH);
    let mut name = command.name.to_owned();
    match command.takes {
        Takes::Text(what) => name.push_str(&format!(" {}", what.to_uppercase())),
        Takes::Letter => name.push_str(" LETTER"),
        Takes::Nothing => {}
    }
    canvas.text(
        Rect {
            width: NAME_WIDTH.min(at_name.width),
            ..at_name
        },
        &name,
        Role::Name,
    );
    let at_title = skip(at_name, NAME_WIDTH.max(name.width() as u16 + 1));
    canvas.text(at_title, command.title, Role::Text);
}

/// `g g` is written `gg`; keys with names keep their spaces.
fn compact(keys: &str) -> String {
    match keys.split(' ').all(|key| key.len() == 1) {
        true => keys.replace(' ', ""),
        false => keys.to_owned(),
    }
}

/// Whether each word that was typed is somewhere in a command.
fn matches(command: &Command, typed: &str) -> bool {
    let keys: Vec<String> = command.keys.iter().map(|keys| compact(keys)).collect();
    if keys.iter().any(|keys| keys == typed) {
        return true;
    }
    let text = format!("{} {} {}", command.name, command.title, command.group).to_lowercase();
    typed.split_whitespace().all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Chooser {
        let mut chooser = Chooser::new(Kind::Palette, ScreenId::Calls, Rect::new(0, 0, 80, 24));
        chooser.paste(text);
        chooser
    }

    fn chosen(text: &str) -> (&'static str, Option<String>) {
        match typed(text).choose() {
            Choice::Command(command, rest) => (command.name, rest),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn commands_are_found_by_name_by_words_and_by_key() {
        assert_eq!(chosen("theme dark"), ("theme", Some("dark".to_owned())));
        assert_eq!(chosen("quit"), ("quit", None));
        assert_eq!(chosen("prints this"), ("copy-command", None));
        assert_eq!(chosen("gg"), ("first", None));
        assert!(matches!(typed("81,205").choose(), Choice::Number(81_205)));
        assert!(matches!(typed("xyzzy").choose(), Choice::Unknown(_)));
    }

    #[test]
    fn the_cursor_is_on_a_command_wherever_one_goes() {
        let mut chooser = Chooser::new(Kind::Help, ScreenId::Calls, Rect::new(0, 0, 80, 12));
        for key in [
            "Down", "Down", "PageDown", "PageDown", "PageUp", "PageUp", "Up", "Up", "PageDown",
        ] {
            chooser.press(Key::parse(key).expect("a key"));
            assert!(chooser.under_cursor().is_some(), "after {key}");
        }
    }
}
