//! The question what becomes of the program that runs beside the viewer when the viewer is left.

use ratatui::layout::Rect;

use crossterm::event::KeyCode;

use crate::canvas::{Canvas, skip};
use crate::key::Key;
use crate::program::{KILL, TERMINATE};
use crate::theme::Role;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Nothing was chosen yet.
    Open,
    /// The viewer stays.
    Stay,
    /// It is left, and the program runs on.
    Running,
    /// It is left, and the program gets this signal.
    Ending(i32),
}

/// What a key means.
pub fn press(key: Key) -> Leave {
    match key.code {
        KeyCode::Esc | KeyCode::Char('n') => Leave::Stay,
        KeyCode::Char('l' | 'q') => Leave::Running,
        KeyCode::Char('t') => Leave::Ending(TERMINATE),
        KeyCode::Char('k') => Leave::Ending(KILL),
        _ => Leave::Open,
    }
}

/// Draws the question.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, name: &str) {
    let question = format!("{name} still runs: ");
    canvas.pieces(
        skip(area, 1),
        &[
            (&question, Role::Warning),
            ("l", Role::Key),
            (" leave it running  ", Role::Text),
            ("t", Role::Key),
            (" end it (SIGTERM)  ", Role::Text),
            ("k", Role::Key),
            (" kill it  ", Role::Text),
            ("Esc", Role::Key),
            (" stay", Role::Text),
        ],
    );
}
