//! A question at the bottom of the screen: what to search for, which call to go to. Answers are remembered while the viewer runs.

use crossterm::event::KeyCode;
use ratatui::layout::{Position, Rect};

use crate::canvas::Canvas;
use crate::chooser::draw_line_edit;
use crate::command::Action;
use crate::key::Key;
use crate::line_edit::LineEdit;

/// Answers remembered for each question.
const MOST_REMEMBERED: usize = 100;

/// A question and the answer so far.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What the answer is for.
    pub action: Action,
    question: String,
    line: LineEdit,
    recall: Recall,
}

/// Where one is among the answers given before.
#[derive(Clone, Debug, Default)]
pub struct Recall {
    /// How many answers back.
    back: usize,
    /// What was typed before going back.
    typed: String,
}

impl Recall {
    /// Goes back or forth; gives the text to show. `now` is the question and what is typed.
    pub fn step(&mut self, step: isize, now: (Action, &str), memory: &Memory) -> Option<String> {
        let back = self.back.saturating_add_signed(step);
        if self.back == 0 {
            now.1.clone_into(&mut self.typed);
        }
        let text = match back {
            0 => self.typed.clone(),
            back => memory.recall(now.0, back)?.to_owned(),
        };
        self.back = back;
        Some(text)
    }
}

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    Open,
    /// There will be none.
    Cancelled,
    /// This.
    Given(String),
}

impl Prompt {
    /// Asks; `before` is what the answer may begin with.
    pub fn new(action: Action, what: &str, before: &str) -> Self {
        Self {
            action,
            question: match action {
                Action::Search => "/".to_owned(),
                _ => format!("{what}: "),
            },
            line: LineEdit::new(before),
            recall: Recall::default(),
        }
    }

    /// Adds text that was pasted.
    pub fn paste(&mut self, text: &str) {
        self.line.insert(text);
    }

    /// Takes a key.
    pub fn press(&mut self, key: Key, memory: &Memory) -> Answer {
        match (key.ctrl, key.code) {
            (false, KeyCode::Esc) | (true, KeyCode::Char('c')) => return Answer::Cancelled,
            (false, KeyCode::Backspace) if self.line.text().is_empty() => return Answer::Cancelled,
            (false, KeyCode::Enter) => return Answer::Given(self.line.text().to_owned()),
            (false, KeyCode::Up) | (true, KeyCode::Char('p')) => self.recall(1, memory),
            (false, KeyCode::Down) | (true, KeyCode::Char('n')) => {
                self.recall(-1, memory);
            }
            _ => _ = self.line.press(key),
        }
        Answer::Open
    }

    fn recall(&mut self, step: isize, memory: &Memory) {
        let now = (self.action, self.line.text());
        if let Some(text) = self.recall.step(step, now, memory) {
            self.line.set(&text);
        }
    }

    /// Draws it; gives the place of the terminal's cursor.
    pub fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) -> Position {
        draw_line_edit(canvas, area, &self.question, &self.line)
    }
}

/// Answers given before, by question.
#[derive(Clone, Debug, Default)]
pub struct Memory(Vec<(Action, Vec<String>)>);

impl Memory {
    /// Remembers an answer.
    pub fn add(&mut self, action: Action, text: &str) {
        let place = self.0.iter().position(|(known, _)| *known == action);
        let place = place.unwrap_or_else(|| {
            self.0.push((action, Vec::new()));
            self.0.len() - 1
        });
        let answers = &mut self.0[place].1;
        answers.retain(|known| known != text);
        answers.push(text.to_owned());
        if answers.len() > MOST_REMEMBERED {
            answers.remove(0);
        }
    }

    fn recall(&self, action: Action, back: usize) -> Option<&str> {
        let (_, answers) = self.0.iter().find(|(known, _)| *known == action)?;
        let place = answers.len().checked_sub(back)?;
        answers.get(place).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_and_what_was_typed_is_not_lost() {
        let mut memory = Memory::default();
        ["one", "two", "one"]
            .into_iter()
            .for_each(|text| memory.add(Action::Search, text));
        memory.add(Action::GoTo, "7");
        let mut prompt = Prompt::new(Action::Search, "text", "");
        prompt.paste("new");
        let mut seen = Vec::new();
        for key in ["Up", "Up", "Up", "Down", "Down"] {
            prompt.press(Key::parse(key).expect("a key"), &memory);
            seen.push(prompt.line.text().to_owned());
        }
        assert_eq!(seen, ["one", "two", "two", "one", "new"]);
    }
}
