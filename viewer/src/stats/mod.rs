//! Screen 4: the listed calls counted by function, thread or process, with their times.

mod count;
mod draw;

use ratatui::layout::Rect;

pub use count::{By, Counted, Tally};

use crate::canvas::Canvas;
use crate::command::{Action, Copied, Direction};
use crate::desk::Desk;
use crate::list_window::Motion;
use crate::listing::Listing;
use crate::msg::Effect;
use crate::screen::{Screen, ScreenId};
use crate::table::{Table, TableColumn};

/// What the worker answers.
#[derive(Debug)]
pub struct StatsMsg {
    /// What was counted.
    pub counted: Box<Counted>,
    /// The calls that were counted.
    pub listing: Listing,
}

/// A column of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// Part of all time, percent.
    Share,
    /// Time in all.
    #[default]
    Total,
    /// Number of calls.
    Calls,
    /// Those that failed.
    Failed,
    /// Those that failed and mean no harm.
    Benign,
    /// Those that never returned.
    InFlight,
    /// Mean time.
    Mean,
    /// The time that half of them do not exceed.
    Median,
    /// The time that 99 of 100 do not exceed.
    P99,
    /// The longest time.
    Longest,
    /// Times as a small picture.
    Times,
    /// What they have in common.
    Name,
}

const fn column(column: Column, title: &'static str, width: u16, from: u16) -> TableColumn<Column> {
    TableColumn {
        column,
        title,
        width,
        right: true,
        from,
    }
}

const fn left(column: TableColumn<Column>) -> TableColumn<Column> {
    TableColumn {
        right: false,
        ..column
    }
}

const COLUMNS: [TableColumn<Column>; 12] = [
    column(Column::Share, "% time", 6, 0),
    column(Column::Total, "total", 7, 0),
    column(Column::Calls, "calls", 11, 0),
    column(Column::Failed, "failed", 9, 0),
    column(Column::Benign, "benign", 9, 130),
    column(Column::InFlight, "in flight", 9, 140),
    column(Column::Mean, "mean", 7, 90),
    column(Column::Median, "p50", 7, 110),
    column(Column::P99, "p99", 7, 0),
    column(Column::Longest, "max", 7, 100),
    left(column(Column::Times, "times", 16, 120)),
    left(column(Column::Name, "function", 0, 0)),
];

/// Lines of the screen from which on there is room for the pane with bars.
const LEAST_FOR_PANE: u16 = 14;

/// Calls more that are worth another count.
const LEAST_MORE: u64 = 64;

/// State of the screen.
#[derive(Debug, Default)]
pub struct Stats {
    by: By,
    sorted_by: Column,
    counted: Option<Box<Counted>>,
    /// Places in what was counted, in the order that is shown.
    order: Vec<usize>,
    /// The calls that were counted.
    of: Option<Listing>,
    /// A count was asked for and has not come.
    asked: bool,
    table: Table<Column>,
    rule: Rect,
    pane: Rect,
}

impl Screen for Stats {
    fn arrange(&mut self, area: Rect, desk: &mut Desk) {
        self.divide(area, desk.settings.panes_hidden);
        if let Some(name) = self.table.places.last_mut() {
            name.title = self.by.title();
        }
        let current = self.of.as_ref().is_some_and(|of| of.is_same(&desk.listing))
            && self
                .counted
                .as_ref()
                .is_some_and(|counted| counted.by == self.by);
        // While there are more and more calls, they are counted again when there are a quarter more, and when no more come.
        let counted = self.of.as_ref().map_or(0, Listing::len);
        let more = desk.listing.len().saturating_sub(counted);
        let is_worth_it = more > counted / 4 + LEAST_MORE || desk.facts.rate == 0;
        let is_time = desk.indexed || desk.facts.live && is_worth_it && !desk.listing.is_empty();
        if !current && !self.asked && is_time {
            self.asked = true;
            desk.work(count::count_job(self.by, desk.listing.clone()));
        }
    }

    fn act(&mut self, action: Action, desk: &mut Desk) -> bool {
        match action {
            Action::Move(motion) => self.table.window.step(motion),
            Action::Left => self.sort_by(self.table.neighbour(self.sorted_by, -1)),
            Action::Right => self.sort_by(self.table.neighbour(self.sorted_by, 1)),
            Action::Pane(direction) => self.count_by_next(direction),
            Action::Open => {
                if let Some(tally) = self.tally(self.table.window.cursor()) {
                    desk.jump(tally.first_failed.unwrap_or(tally.first));
                    desk.show(ScreenId::Calls);
                }
            }
            Action::Copy(Copied::Call | Copied::Value) => {
                if let Some(tally) = self.tally(self.table.window.cursor()) {
                    desk.say(format!("copied {}", tally.name));
                    desk.ask(Effect::Copy(tally.name.clone()));
                }
            }
            _ => return false,
        }
        true
    }

    fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk) {
        draw::draw(self, canvas, desk);
    }

    fn outdate(&mut self) {
        self.of = None;
    }

    fn scroll(&mut self, lines: i32, _: &mut Desk) {
        self.table.window.scroll(lines);
    }

    fn click(&mut self, column: u16, row: u16, _: &mut Desk) {
        if let Some(column) = self.table.click(column, row) {
            self.sort_by(column);
        }
    }
}

impl Stats {
    /// Takes in what was counted.
    pub fn update(&mut self, message: StatsMsg) {
        self.asked = false;
        self.of = Some(message.listing);
        self.counted = Some(message.counted);
        self.sort();
    }

    fn divide(&mut self, area: Rect, pane_hidden: bool) {
        let pane = match area.height {
            height if pane_hidden || height < LEAST_FOR_PANE => 0,
            height => (height * 2 / 5).clamp(7, 16),
        };
        let table = Rect {
            height: area.height - pane,
            ..area
        };
        self.table.arrange(table, &COLUMNS, self.order.len());
        self.rule = Rect {
            y: self.table.list.bottom(),
            height: pane.min(1),
            ..area
        };
        self.pane = Rect {
            y: self.table.list.bottom() + self.rule.height,
            height: pane - self.rule.height,
            ..area
        };
    }

    /// The line at a position.
    fn tally(&self, position: u64) -> Option<&Tally> {
        let place = *self.order.get(usize::try_from(position).ok()?)?;
        self.counted.as_ref()?.tallies.get(place)
    }

    fn count_by_next(&mut self, direction: Direction) {
        let ways = By::ALL.len();
        let step = match direction {
            Direction::Forward => 1,
            Direction::Backward => ways - 1,
        };
        self.by = By::ALL[(self.by as usize + step) % ways].0;
    }

    fn sort_by(&mut self, column: Column) {
        self.sorted_by = column;
        self.sort();
        self.table.window.step(Motion::First);
    }

    /// Most first; names from A to Z.
    fn sort(&mut self) {
        let Some(counted) = &self.counted else {
            return;
        };
        let tallies = &counted.tallies;
        let key = |tally: &Tally| match self.sorted_by {
            Column::Share | Column::Total => tally.total_ns,
            Column::Calls => tally.calls,
            Column::Failed => tally.failed,
            Column::Benign => tally.benign,
            Column::InFlight => tally.in_flight,
            Column::Mean => tally.mean_ns().unwrap_or(0),
            Column::Median => tally.times.percentile_ns(50).unwrap_or(0),
            Column::P99 => tally.times.percentile_ns(99).unwrap_or(0),
            Column::Longest | Column::Times => tally.times.most_ns().unwrap_or(0),
            Column::Name => 0,
        };
        self.order = (0..tallies.len()).collect();
        self.order.sort_by_cached_key(|&place| {
            let tally = &tallies[place];
            (std::cmp::Reverse(key(tally)), tally.name.clone())
        });
    }
}
