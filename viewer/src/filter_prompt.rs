//! Typing a filter: what can come next is offered, and what is wrong is said while one types.

use crossterm::event::KeyCode;
use cutape_analysis::filter::{Completions, Filter, complete};
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::canvas::{Canvas, line_of, skip};
use crate::chooser::draw_line_edit;
use crate::command::Action;
use crate::key::Key;
use crate::line_edit::LineEdit;
use crate::prompt::{Memory, Recall};
use crate::theme::Role;

/// Candidates shown at a time.
const SHOWN: usize = 8;
/// Columns of a candidate's text at most; what it is comes behind.
const MOST_TEXT: usize = 44;
/// What stands before the line.
const QUESTION: &str = "filter > ";

/// A filter that is being typed.
#[derive(Clone, Debug, Default)]
pub struct FilterPrompt {
    line: LineEdit,
    completions: Completions,
    chosen: usize,
    /// What is wrong so far.
    wrong: Option<String>,
    recall: Recall,
}

/// What came of a key.
#[derive(Debug)]
pub enum Typed {
    /// Nothing yet.
    Open,
    /// There will be none.
    Cancelled,
    /// All calls are wanted.
    Nothing,
    /// This.
    Filter(Filter),
}

impl FilterPrompt {
    /// Begins with the filter that there is.
    pub fn new(text: &str) -> Self {
        let mut prompt = Self {
            line: LineEdit::new(text),
            ..Self::default()
        };
        prompt.changed();
        prompt
    }

    /// Adds text that was pasted.
    pub fn paste(&mut self, text: &str) {
        self.line.insert(text);
        self.changed();
    }

    /// Takes a key.
    pub fn press(&mut self, key: Key, memory: &Memory) -> Typed {
        match (key.ctrl, key.code) {
            (false, KeyCode::Esc) | (true, KeyCode::Char('c')) => return Typed::Cancelled,
            (false, KeyCode::Enter) => return self.finish(),
            (false, KeyCode::Tab) => self.take_candidate(),
            (true, KeyCode::Char('n')) => self.choose(1),
            (true, KeyCode::Char('p')) => self.choose(-1),
            (false, KeyCode::Up) => self.recall(1, memory),
            (false, KeyCode::Down) => self.recall(-1, memory),
            _ => {
                if self.line.press(key) {
                    self.changed();
                }
            }
        }
        Typed::Open
    }

    fn changed(&mut self) {
        self.completions = complete(self.line.text(), self.line.cursor(), None);
        self.chosen = 0;
        self.wrong = match Filter::parse(self.line.text()) {
            Err(error) if !self.line.text().trim().is_empty() => Some(error.message()),
            _ => None,
        };
    }

    fn finish(&self) -> Typed {
        let text = self.line.text().trim();
        if text.is_empty() {
            return Typed::Nothing;
        }
        // What is wrong is on the screen already.
        Filter::parse(text).map_or(Typed::Open, Typed::Filter)
    }

    fn choose(&mut self, step: isize) {
        let last = self.completions.candidates.len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(step).min(last);
    }

    fn take_candidate(&mut self) {
        if let Some(candidate) = self.completions.candidates.get(self.chosen) {
            let text = format!("{} ", candidate.text);
            self.line.replace(self.completions.replaces.clone(), &text);
            self.changed();
        }
    }

    fn recall(&mut self, step: isize, memory: &Memory) {
        let text = self
            .recall
            .step(step, (Action::Filter, self.line.text()), memory);
        if let Some(text) = text {
            self.line.set(&text);
            self.changed();
        }
    }

    /// Draws it above the bottom; gives the place of the terminal's cursor.
    pub fn draw(&self, canvas: &mut Canvas<'_>, bottom: Rect) -> Position {
        let candidates = &self.completions.candidates;
        let first = self.chosen.saturating_sub(SHOWN - 1);
        let shown: Vec<_> = candidates.iter().skip(first).take(SHOWN).collect();
        let height = (shown.len() as u16 + 3).min(bottom.y);
        let area = Rect {
            y: bottom.y - height,
            height,
            ..bottom
        };
        let inside = canvas.boxed(area, "Filter: Tab completes, Enter applies, Esc leaves it");
        let text_width = shown.iter().map(|candidate| candidate.text.width()).max();
        let text_width = text_width.unwrap_or(0).min(MOST_TEXT) as u16;
        for (row, candidate) in shown.iter().enumerate() {
            let line = skip(line_of(inside, row as u16), 1);
            canvas.text(line, &candidate.text, Role::Value);
            canvas.text(skip(line, text_width + 2), &candidate.what, Role::Dim);
            if first + row == self.chosen {
                canvas.cursor_line(line_of(inside, row as u16), true);
            }
        }
        let last = skip(line_of(inside, inside.height.saturating_sub(1)), 1);
        match &self.wrong {
            Some(wrong) => canvas.text(last, wrong, Role::Warning),
            None => canvas.text(
                last,
                "docs/filter.md has the grammar: api == NAME, not ok, dur > 1ms, arg.NAME == 3",
                Role::Dim,
            ),
        };
        draw_line_edit(canvas, bottom, QUESTION, &self.line)
    }
}
