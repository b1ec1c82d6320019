//! Screens: what they are called, and what each has to be able to do.

use ratatui::layout::Rect;

use crate::canvas::Canvas;
use crate::command::Action;
use crate::desk::Desk;

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ScreenId {
    /// All calls, one a line.
    #[default]
    Calls,
    /// What happened when.
    Timeline,
    /// The driver's objects.
    Objects,
    /// Calls counted.
    Stats,
    /// What went wrong and why.
    Diagnosis,
    /// This trace beside another one.
    Comparison,
    /// What the program beside the viewer wrote.
    Output,
}

/// A screen as the line below the top names it.
#[derive(Clone, Copy, Debug)]
pub struct ScreenName {
    /// The screen.
    pub id: ScreenId,
    /// The key that shows it.
    pub number: u8,
    /// Its title.
    pub title: &'static str,
}

/// Screens in the order of their numbers.
pub const SCREENS: &[ScreenName] = &[
    name(ScreenId::Calls, 1, "Calls"),
    name(ScreenId::Timeline, 2, "Timeline"),
    name(ScreenId::Objects, 3, "Objects"),
    name(ScreenId::Stats, 4, "Stats"),
    name(ScreenId::Diagnosis, 5, "Diagnosis"),
    name(ScreenId::Comparison, 6, "Diff"),
    name(ScreenId::Output, 7, "Output"),
];

const fn name(id: ScreenId, number: u8, title: &'static str) -> ScreenName {
    ScreenName { id, number, title }
}

/// What a screen does. All state is in it and in the [`Desk`]; what has to be read, decoded or counted is asked of workers by
/// [`Desk::work`] and comes back as a message of the screen's own, which its `update` takes.
pub trait Screen {
    /// Called after each message while the screen is shown: takes in the area, the listed calls and the current call of the desk, and asks for
    /// what is missing to draw them.
    fn arrange(&mut self, area: Rect, desk: &mut Desk);

    /// Does what a command says; false if it is none of the screen's.
    fn act(&mut self, action: Action, desk: &mut Desk) -> bool;

    /// Draws it.
    fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk);

    /// More is known of the trace: what was made from it is to be made anew.
    fn outdate(&mut self);

    /// The mouse wheel turned.
    fn scroll(&mut self, lines: i32, desk: &mut Desk);

    /// The left button was pressed.
    fn click(&mut self, column: u16, row: u16, desk: &mut Desk);
}
