//! Where the parts of the screen of calls are, and which columns the list has.

use ratatui::layout::Rect;

use crate::facts::Facts;
use crate::settings::Settings;

/// A part of the screen that can have the keyboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The list of calls.
    #[default]
    List,
    /// Arguments and answer of the call under the cursor.
    Arguments,
    /// What else is known of it.
    About,
    /// What was copied from behind its pointers.
    Bytes,
}

/// Panes in the order of the keyboard.
pub const PANES: [Pane; 4] = [Pane::List, Pane::Arguments, Pane::About, Pane::Bytes];

/// Areas of the parts; a part that is not shown is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// Titles of the columns.
    pub titles: Rect,
    /// Lines of the list.
    pub list: Rect,
    /// The line between list and panes.
    pub rule: Rect,
    /// Inside of the pane.
    pub arguments: Rect,
    /// The vertical line between panes.
    pub bar: Rect,
    /// Inside of the pane.
    pub about: Rect,
    /// The line between the panes on the right.
    pub right_rule: Rect,
    /// Inside of the pane.
    pub bytes: Rect,
}

/// Lines that the list keeps in any case, its titles included.
const LEAST_LIST: u16 = 6;
/// Lines of the smallest pane that is of use, its title included.
const LEAST_PANES: u16 = 4;

impl Areas {
    /// The parts of an area.
    pub fn of(area: Rect, settings: &Settings) -> Self {
        let panes = pane_lines(area.height, settings);
        let list_height = area.height - panes;
        let titles = Rect {
            height: list_height.min(1),
            ..area
        };
        let mut areas = Self {
            titles,
            list: Rect {
                y: area.y + titles.height,
                height: list_height - titles.height,
                ..area
            },
            ..Self::default()
        };
        if panes > 0 {
            areas.divide(Rect {
                y: area.y + list_height,
                height: panes,
                ..area
            });
        }
        areas
    }

    fn divide(&mut self, area: Rect) {
        let left = area.width * 11 / 20;
        let inner = area.height - 1;
        let right = Rect {
            x: area.x + left + 1,
            y: area.y + 1,
            width: area.width - left - 1,
            height: inner,
        };
        let about = (inner * 3 / 5).max(1);
        self.rule = Rect { height: 1, ..area };
        self.arguments = Rect {
            y: area.y + 1,
            width: left,
            height: inner,
            ..area
        };
        self.bar = Rect {
            x: area.x + left,
            y: area.y,
            width: 1,
            height: area.height,
        };
        self.about = Rect {
            height: about,
            ..right
        };
        self.right_rule = Rect {
            y: right.y + about,
            height: (inner - about).min(1),
            ..right
        };
        self.bytes = Rect {
            y: right.y + about + self.right_rule.height,
            height: (inner - about).saturating_sub(1),
            ..right
        };
    }

    /// The area of a pane.
    pub fn pane(&self, pane: Pane) -> Rect {
        match pane {
            Pane::List => self.list,
            Pane::Arguments => self.arguments,
            Pane::About => self.about,
            Pane::Bytes => self.bytes,
        }
    }
}

fn pane_lines(height: u16, settings: &Settings) -> u16 {
    let most = height.saturating_sub(LEAST_LIST);
    if settings.panes_hidden || most < LEAST_PANES {
        return 0;
    }
    let usual = (i32::from(height) * 2 / 5).max(8);
    let wanted = (usual + i32::from(settings.panes_larger)).max(LEAST_PANES.into());
    (wanted as u16).min(most)
}

/// A column of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// The call's number.
    Number,
    /// Begin.
    Time,
    /// Time since the call before on the same thread.
    Gap,
    /// How long it took.
    Duration,
    /// Process id.
    Process,
    /// Thread id.
    Thread,
    /// Function and what was passed in.
    #[default]
    Call,
    /// Code and what came back.
    Result,
    /// Where the call returns to.
    Caller,
}

impl Column {
    /// Its title; times are in seconds and with their unit.
    pub fn title(self) -> &'static str {
        match self {
            Self::Number => "seq",
            Self::Time => "t (s)",
            Self::Gap => "gap",
            Self::Duration => "dur",
            Self::Process => "pid",
            Self::Thread => "tid",
            Self::Call => "call",
            Self::Result => "result",
            Self::Caller => "caller",
        }
    }

    /// Whether its text stands at the right end.
    pub fn is_right(self) -> bool {
        !matches!(self, Self::Call | Self::Result | Self::Caller)
    }
}

/// A column with its place: first column of the screen and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub column: Column,
    /// Columns from the left end of the list.
    pub x: u16,
    /// Columns that it takes.
    pub width: u16,
}

/// Signs at the left end: cursor or mark, and what became of the call.
pub const SIGNS: u16 = 3;
/// Between columns.
const SPACE: u16 = 2;
/// From these widths of the screen on there is room for more than the usual columns.
const WITH_GAP: u16 = 100;
const WITH_CALLER: u16 = 116;

/// The columns that fit.
pub fn columns(width: u16, facts: &Facts, calls: u64) -> Vec<Place> {
    let number = (crate::facts::grouped(calls).len() as u16).max(3);
    let id = |largest: u32| (largest.to_string().len() as u16).max(3);
    let pid = facts
        .threads
        .iter()
        .map(|thread| thread.pid)
        .max()
        .unwrap_or(0);
    let tid = facts
        .threads
        .iter()
        .map(|thread| thread.tid)
        .max()
        .unwrap_or(0);
    let mut wanted = vec![(Column::Number, number), (Column::Time, 10)];
    if width >= WITH_GAP {
        wanted.push((Column::Gap, 6));
    }
    wanted.push((Column::Duration, 6));
    if facts.processes > 1 {
        wanted.push((Column::Process, id(pid)));
    }
    if facts.threads.len() > 1 {
        wanted.push((Column::Thread, id(tid)));
    }
    let fixed: u16 = wanted.iter().map(|(_, width)| width + SPACE).sum();
    let room = width.saturating_sub(SIGNS + fixed + 2);
    let caller = if width >= WITH_CALLER {
        (room / 5).clamp(18, 40)
    } else {
        0
    };
    let room = room.saturating_sub(if caller > 0 { caller + SPACE } else { 0 });
    let result = (room * 2 / 5).clamp(12, 64).min(room.saturating_sub(SPACE));
    wanted.push((Column::Call, room.saturating_sub(result + SPACE)));
    wanted.push((Column::Result, result));
    if caller > 0 {
        wanted.push((Column::Caller, caller));
    }
    let mut x = SIGNS;
    let mut places = Vec::with_capacity(wanted.len());
    for (column, width) in wanted {
        places.push(Place { column, x, width });
        x += width + SPACE;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_inside_at_any_size() {
        for (width, height) in [
            (0, 0),
            (1, 1),
            (20, 5),
            (80, 20),
            (120, 36),
            (200, 56),
            (500, 200),
        ] {
            for panes_larger in [-20, 0, 20] {
                let settings = Settings {
                    panes_larger,
                    ..Settings::default()
                };
                let area = Rect::new(0, 3, width, height);
                let areas = Areas::of(area, &settings);
                for pane in PANES {
                    let inside = areas.pane(pane);
                    assert_eq!(
                        inside.intersection(area).area(),
                        inside.area(),
                        "{pane:?} {area:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn columns_fit_and_the_call_keeps_most_of_the_room() {
        for width in [60, 80, 100, 116, 120, 200, 400] {
            let columns = columns(width, &Facts::default(), 10_000_000);
            let last = columns.last().expect("a column");
            assert!(last.x + last.width <= width, "{width}: {columns:?}");
            assert!(columns.iter().any(|place| place.column == Column::Call));
        }
    }
}
