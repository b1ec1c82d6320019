//! Screen 2: when what happened: a lane for each thread and for each stream, as dense as the calls are, and one by one where there is room.

mod draw;
mod lanes;
mod span;
mod stretches;

use std::sync::Arc;

use ratatui::layout::Rect;

pub use lanes::{Bar, Cell, Lane, Lanes, Question};
pub use span::Span;
pub use stretches::Stretches;

use crate::canvas::Canvas;
use crate::command::{Action, Direction};
use crate::desk::Desk;
use crate::list_window::{ListWindow, Motion};
use crate::listing::Listing;
use crate::screen::{Screen, ScreenId};

/// What the worker answers.
#[derive(Debug)]
pub struct TimelineMsg {
    /// The lanes; none if there is no call.
    pub lanes: Option<Arc<Lanes>>,
    /// The calls that are in them.
    pub listing: Listing,
}

/// Columns of the names of lanes, at most.
const MOST_LABEL: u16 = 26;
/// Lines of the screen from which on there is room for the call that is looked at.
const LEAST_FOR_CALL: u16 = 12;

/// State of the screen.
#[derive(Debug, Default)]
pub struct Timeline {
    /// The stretch of time that is wanted; nothing stands for all.
    span: Option<Span>,
    lanes: Option<Arc<Lanes>>,
    /// There is no call.
    is_empty: bool,
    /// The calls that the lanes were made of.
    of: Option<Listing>,
    /// What was asked for last and has not come: span and columns.
    asked: Option<(Option<Span>, u16)>,
    /// The call that the span was last put around.
    followed: u64,
    window: ListWindow,
    label_width: u16,
    summary: Rect,
    axis: Rect,
    list: Rect,
    call: Rect,
}

impl Screen for Timeline {
    fn arrange(&mut self, area: Rect, desk: &mut Desk) {
        self.divide(area);
        self.follow(desk);
        let columns = self.list.width.saturating_sub(self.label_width).max(1);
        let wanted = (self.span, columns);
        let is_there = self.lanes.as_ref().is_some_and(|lanes| {
            lanes.question.columns == columns
                && lanes.question.span == self.span.unwrap_or(lanes.whole)
        });
        let is_current = self.of.as_ref().is_some_and(|of| of.is_same(&desk.listing));
        let is_done = is_current && (is_there || self.is_empty);
        if desk.indexed && !is_done && self.asked != Some(wanted) {
            self.asked = Some(wanted);
            desk.work(lanes::lanes_job(lanes::Order {
                span: self.span,
                columns,
                listing: desk.listing.clone(),
                stretches: self
                    .lanes
                    .as_ref()
                    .map(|lanes| Arc::clone(&lanes.stretches)),
                objects: desk.objects.clone(),
            }));
        }
        self.window.set_height(self.list.height.into());
        let lanes = self.lanes.as_ref().map_or(0, |lanes| lanes.lanes.len());
        self.window.set_len(lanes as u64);
    }

    fn act(&mut self, action: Action, desk: &mut Desk) -> bool {
        match action {
            Action::Move(Motion::PageDown) => self.pan(4),
            Action::Move(Motion::PageUp) => self.pan(-4),
            Action::Move(motion) => self.window.step(motion),
            Action::Pan(Direction::Forward) => self.pan(1),
            Action::Pan(Direction::Backward) => self.pan(-1),
            Action::Zoom(direction) => self.zoom(direction == Direction::Forward, desk),
            Action::Centre => self.centre(desk),
            Action::Cancel if self.span.is_some() => self.span = None,
            Action::Left => self.neighbour(Direction::Backward, desk),
            Action::Right => self.neighbour(Direction::Forward, desk),
            Action::Open => desk.show(ScreenId::Calls),
            _ => return false,
        }
        true
    }

    fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk) {
        draw::draw(self, canvas, desk);
    }

    fn outdate(&mut self) {
        self.of = None;
        self.asked = None;
        self.is_empty = false;
    }

    fn scroll(&mut self, lines: i32, desk: &mut Desk) {
        self.zoom(lines < 0, desk);
    }

    fn click(&mut self, column: u16, row: u16, desk: &mut Desk) {
        let at = ratatui::layout::Position::new(column, row);
        if !self.list.contains(at) {
            return;
        }
        self.window
            .go(self.window.top() + u64::from(row - self.list.y));
        let x = (column - self.list.x).checked_sub(self.label_width);
        if let (Some(x), Some(lane)) = (x, self.lane())
            && let Some(seq) = call_at(lane, x)
        {
            self.look_at(seq, desk);
        }
    }
}

/// The call in a column of a lane: the one that began last.
fn call_at(lane: &Lane, column: u16) -> Option<u64> {
    let bar = lane.bars.iter().flatten().rev();
    let mut bars = bar.filter(|bar| (bar.from..bar.until).contains(&column));
    let cell = lane.cells.get(usize::from(column)).map(|cell| cell.seq);
    bars.next()
        .map(|bar| bar.seq)
        .or(cell.filter(|&seq| seq != 0))
}

impl Timeline {
    /// Takes in what the worker answered.
    pub fn update(&mut self, message: TimelineMsg) {
        self.asked = None;
        self.is_empty = message.lanes.is_none();
        self.of = Some(message.listing);
        self.lanes = message.lanes;
        let longest = self.lanes.iter().flat_map(|lanes| &lanes.lanes);
        let longest = longest.map(|lane| lane.name.chars().count()).max();
        self.label_width = (longest.unwrap_or(0) as u16 + 3).min(MOST_LABEL);
    }

    fn divide(&mut self, area: Rect) {
        let call = if area.height < LEAST_FOR_CALL { 0 } else { 2 };
        let line = |y: u16| {
            Rect {
                y: area.y + y,
                height: 1,
                ..area
            }
            .intersection(area)
        };
        self.summary = line(0);
        self.axis = line(1);
        let above = area.height.min(2);
        self.list = Rect {
            y: area.y + above,
            height: area.height.saturating_sub(above + call),
            ..area
        };
        self.call = Rect {
            y: self.list.bottom(),
            height: call,
            ..area
        };
    }

    /// Keeps the call that is looked at on the screen when another one was chosen elsewhere.
    fn follow(&mut self, desk: &Desk) {
        if desk.current == self.followed {
            return;
        }
        self.followed = desk.current;
        let row = desk.index.row(desk.current);
        if let (Some(span), Some(row), Some(lanes)) = (self.span, row, &self.lanes)
            && !span.holds(row.begin_ns)
        {
            self.span = Some(span.centred(row.begin_ns, &lanes.whole));
        }
    }

    fn lane(&self) -> Option<&Lane> {
        let place = usize::try_from(self.window.cursor()).ok()?;
        self.lanes.as_ref()?.lanes.get(place)
    }

    fn change(&mut self, change: impl FnOnce(Span, &Span) -> Span) {
        if let Some(lanes) = &self.lanes {
            let span = change(self.span.unwrap_or(lanes.whole), &lanes.whole);
            self.span = Some(span).filter(|span| *span != lanes.whole);
        }
    }

    fn pan(&mut self, quarters: i64) {
        self.change(|span, whole| span.moved(quarters, whole));
    }

    fn zoom(&mut self, into: bool, desk: &Desk) {
        let current = desk.index.row(desk.current).map(|row| row.begin_ns);
        self.change(|span, whole| {
            let middle = span.from_ns + span.length_ns() / 2;
            let around = current.filter(|&ns| span.holds(ns)).unwrap_or(middle);
            span.zoomed(into, around, whole)
        });
    }

    fn centre(&mut self, desk: &Desk) {
        if let Some(row) = desk.index.row(desk.current) {
            self.change(|span, whole| span.centred(row.begin_ns, whole));
        }
    }

    fn look_at(&mut self, seq: u64, desk: &mut Desk) {
        desk.look_at(seq);
        self.followed = desk.current;
    }

    /// To the lane's call before or behind the one that is looked at; beyond the edge, on to the next part of the time.
    fn neighbour(&mut self, direction: Direction, desk: &mut Desk) {
        let Some(lane) = self.lane() else {
            return;
        };
        let forward = direction == Direction::Forward;
        let is_beyond = |seq: u64| match forward {
            true => seq > desk.current,
            false => seq < desk.current && seq != 0,
        };
        let cells = lane.cells.iter().map(|cell| cell.seq);
        let bars = lane.bars.iter().flatten().map(|bar| bar.seq);
        let found: Vec<u64> = match &lane.bars {
            Some(_) => bars.filter(|&seq| is_beyond(seq)).collect(),
            None => cells.filter(|&seq| is_beyond(seq)).collect(),
        };
        let next = match forward {
            true => found.into_iter().min(),
            false => found.into_iter().max(),
        };
        match next {
            Some(seq) => self.look_at(seq, desk),
            None if self.span.is_some() => self.pan(if forward { 2 } else { -2 }),
            None => desk.complain("no further call in this lane"),
        }
    }
}
