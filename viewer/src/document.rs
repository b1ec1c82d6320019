//! Text to be read: lines in pieces, broken to the width of the screen, with a cursor; a line may name a call to go to.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::canvas::{Canvas, line_of, skip};
use crate::list_window::{ListWindow, Motion};
use crate::theme::Role;
use crate::wrap::wrapped;

/// Columns beyond which lines are broken: longer ones are hard to read.
const MOST_WIDTH: u16 = 120;

/// A line, or a paragraph that is broken into several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextLine {
    /// Columns that it is indented by.
    pub indent: u16,
    /// What stands before the text: a number, a sign, a name; the text hangs behind it.
    pub label: String,
    /// How the label looks.
    pub label_role: Option<Role>,
    /// The text.
    pub text: String,
    /// How it looks.
    pub role: Option<Role>,
    /// The call that it is about.
    pub jump: Option<u64>,
}

impl TextLine {
    /// A line.
    pub fn new(indent: u16, text: impl Into<String>, role: Role) -> Self {
        Self {
            indent,
            text: text.into(),
            role: Some(role),
            ..Self::default()
        }
    }

    /// With something before the text.
    pub fn labelled(mut self, label: impl Into<String>, role: Role) -> Self {
        self.label = label.into();
        self.label_role = Some(role);
        self
    }

    /// About a call.
    pub fn about(mut self, seq: Option<u64>) -> Self {
        self.jump = seq.filter(|&seq| seq > 0);
        self
    }
}

/// A line of the screen.
#[derive(Clone, Debug)]
struct Shown {
    /// Place of the line that it is a part of.
    line: usize,
    /// It is the first part.
    is_first: bool,
    text: String,
}

/// Text to be read.
#[derive(Clone, Debug, Default)]
pub struct Document {
    lines: Vec<TextLine>,
    shown: Vec<Shown>,
    width: u16,
    window: ListWindow,
    /// The line that the cursor goes to when the text is broken anew.
    to_restore: Option<u64>,
    area: Rect,
}

impl Document {
    /// Another text.
    pub fn set(&mut self, lines: Vec<TextLine>) {
        self.lines = lines;
        self.width = 0;
        self.window.go(0);
    }

    /// The same text, with more or less in it: the cursor stays on its line.
    pub fn renew(&mut self, lines: Vec<TextLine>) {
        let cursor = self.window.cursor();
        self.set(lines);
        self.to_restore = Some(cursor);
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Takes in where it is.
    pub fn arrange(&mut self, area: Rect) {
        self.area = area;
        let width = area.width.saturating_sub(4).clamp(1, MOST_WIDTH);
        if width != self.width {
            self.width = width;
            self.shown = self
                .lines
                .iter()
                .enumerate()
                .flat_map(|(place, line)| broken(place, line, width))
                .collect();
        }
        self.window.set_height(area.height.into());
        self.window.set_len(self.shown.len() as u64);
        if let Some(cursor) = self.to_restore.take() {
            self.window.go(cursor);
        }
    }

    /// Moves the cursor.
    pub fn step(&mut self, motion: Motion) {
        self.window.step(motion);
    }

    /// The mouse wheel turned.
    pub fn scroll(&mut self, lines: i32) {
        self.window.scroll(lines);
    }

    /// Puts the cursor on the line at a place of the screen.
    pub fn click(&mut self, row: u16) {
        self.window.click(row, self.area.y);
    }

    /// The call that the line under the cursor is about.
    pub fn jump(&self) -> Option<u64> {
        let shown = self
            .shown
            .get(usize::try_from(self.window.cursor()).ok()?)?;
        self.lines.get(shown.line)?.jump
    }

    /// Puts the cursor on the next line about a call, or the one before.
    pub fn go_to_next_jump(&mut self, forward: bool) -> bool {
        let has = |place: &usize| {
            let shown = &self.shown[*place];
            shown.is_first && self.lines[shown.line].jump.is_some()
        };
        let here = usize::try_from(self.window.cursor()).unwrap_or(usize::MAX);
        let found = match forward {
            true => (here.saturating_add(1)..self.shown.len()).find(has),
            false => (0..here.min(self.shown.len())).rev().find(has),
        };
        if let Some(place) = found {
            self.window.jump(place as u64);
        }
        found.is_some()
    }

    /// Draws what is visible.
    pub fn draw(&self, canvas: &mut Canvas<'_>) {
        for (row, position) in self.window.visible().enumerate() {
            let Some(shown) = self.shown.get(position as usize) else {
                return;
            };
            let line = &self.lines[shown.line];
            let area = line_of(self.area, row as u16);
            let mut at = skip(area, line.indent + 2);
            let label_width = line.label.width() as u16;
            if shown.is_first {
                canvas.text(at, &line.label, line.label_role.unwrap_or(Role::Text));
            }
            at = skip(at, label_width);
            canvas.text(at, &shown.text, line.role.unwrap_or(Role::Text));
            if position == self.window.cursor() {
                canvas.cursor_line(area, true);
                canvas.text(area, canvas.glyphs().cursor, Role::Key);
            }
        }
        canvas.scroll_bar(self.area, &self.window.visible(), self.window.len());
    }
}

fn broken(place: usize, line: &TextLine, width: u16) -> Vec<Shown> {
    let taken = line.indent + line.label.width() as u16;
    let parts = wrapped(&line.text, width.saturating_sub(taken).max(16).min(width));
    let shown = |(number, text): (usize, String)| Shown {
        line: place,
        is_first: number == 0,
        text,
    };
    parts.into_iter().enumerate().map(shown).collect()
}
