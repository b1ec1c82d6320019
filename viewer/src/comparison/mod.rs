//! Screen 6: this trace beside a second one. Two runs of one program call by call, the first difference first; two programs by what they ask
//! and what they are answered.

mod compute;
mod draw;
mod replayed;

use std::path::PathBuf;
use std::sync::Arc;

use ratatui::layout::Rect;

pub use compute::{DiffLine, DiffRow, Shown};

use crate::canvas::Canvas;
use crate::command::{Action, Direction, Kind};
use crate::desk::Desk;
use crate::list_window::ListWindow;
use crate::replay_report::ReplayReport;
use crate::screen::{Screen, ScreenId};

/// Lines of the pane that compares arguments.
const PANE_LINES: u16 = 9;
/// Lines of the pane that shows a long line in full.
const TEXT_LINES: u16 = 5;
/// Lines of the screen from which on there is room for it.
const LEAST_FOR_PANE: u16 = 18;

/// Calls more that are worth another comparison.
const LEAST_MORE: u64 = 64;

/// What workers answer.
#[derive(Debug)]
pub enum ComparisonMsg {
    /// What came out, or why nothing did.
    Compared(Result<Arc<Shown>, String>),
}

/// What a trace is compared with.
#[derive(Clone, Debug)]
pub enum Other {
    /// The second trace that the viewer was started with.
    Given,
    /// The trace or report at a path.
    Path(PathBuf),
    /// What another driver answered.
    Report(Arc<ReplayReport>),
}

/// How far it is.
#[derive(Debug, Default)]
enum State {
    /// There is no second trace.
    #[default]
    Nothing,
    /// Something is there, and to be compared with.
    Wanted(Other),
    /// It is being compared.
    Comparing,
    /// It was compared.
    Compared(Arc<Shown>),
    /// It could not be.
    Failed(String),
}

/// What was asked of a worker last.
#[derive(Clone, Debug)]
struct Asked {
    other: Other,
    /// Calls of this trace.
    calls: u64,
    /// The recording was going on.
    live: bool,
    /// The answer has not come.
    awaited: bool,
}

/// State of the screen.
#[derive(Debug, Default)]
pub struct ComparisonScreen {
    state: State,
    asked: Option<Asked>,
    window: ListWindow,
    area: Rect,
    list: Rect,
    pane: Rect,
}

impl Screen for ComparisonScreen {
    fn arrange(&mut self, area: Rect, desk: &mut Desk) {
        self.area = area;
        let is_readable = desk.indexed || desk.facts.live && desk.calls() > 0;
        match &self.state {
            State::Wanted(other) if is_readable => {
                let other = other.clone();
                self.ask(other, desk);
                self.state = State::Comparing;
            }
            State::Compared(_) | State::Failed(_) if self.is_due(desk) => {
                if let Some(Asked { other, .. }) = self.asked.clone() {
                    self.ask(other, desk);
                }
            }
            _ => {}
        }
        let has_rows = self.lines().any(|line| matches!(line, DiffLine::Row(_)));
        let wanted = if has_rows { PANE_LINES } else { TEXT_LINES };
        let room = area.height >= LEAST_FOR_PANE && !desk.settings.panes_hidden;
        let is_shown = matches!(self.state, State::Compared(_)) && room;
        let pane = if is_shown { wanted } else { 0 };
        self.list = Rect {
            height: area.height - pane,
            ..area
        };
        self.pane = Rect {
            y: area.y + self.list.height,
            height: pane,
            ..area
        };
        self.window.set_height(self.list.height.into());
        self.window.set_len(self.lines().count() as u64);
    }

    fn act(&mut self, action: Action, desk: &mut Desk) -> bool {
        match action {
            Action::Move(motion) => self.window.step(motion),
            Action::Find(Kind::Error, direction) | Action::Pane(direction) => {
                if !self.go_to_hunk(direction) {
                    desk.complain("no further difference");
                }
            }
            Action::Open => match self.row_under_cursor().map(|row| &row.a) {
                Some(Some((seq, _))) => {
                    desk.jump(*seq);
                    desk.show(ScreenId::Calls);
                }
                Some(None) => desk.complain("only the other trace has this call"),
                None => desk.complain("this line is about no call"),
            },
            Action::Centre => self.window.centre(),
            _ => return false,
        }
        true
    }

    fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk) {
        draw::draw(self, canvas, desk);
    }

    fn outdate(&mut self) {}

    fn scroll(&mut self, lines: i32, _: &mut Desk) {
        self.window.scroll(lines);
    }

    fn click(&mut self, _: u16, row: u16, _: &mut Desk) {
        self.window.click(row, self.list.y);
    }
}

impl ComparisonScreen {
    fn ask(&mut self, other: Other, desk: &mut Desk) {
        desk.work(compute::compare_job(
            other.clone(),
            matches!(self.state, State::Wanted(_)),
        ));
        self.asked = Some(Asked {
            other,
            calls: desk.calls(),
            live: desk.facts.live,
            awaited: true,
        });
    }

    /// Whether what is shown is of a recording that has more calls by now. It is compared again when there are a quarter more, so that the
    /// work grows with the recording alone, and when no calls come.
    fn is_due(&self, desk: &Desk) -> bool {
        let Some(asked) = self.asked.as_ref().filter(|asked| !asked.awaited) else {
            return false;
        };
        let calls = desk.calls();
        match (asked.live, desk.facts.live) {
            (true, true) if desk.facts.rate == 0 => calls > asked.calls,
            (true, true) => calls > asked.calls + asked.calls / 4 + LEAST_MORE,
            (true, false) => desk.indexed,
            (false, _) => false,
        }
    }

    /// Compares with something else.
    pub fn compare_with(&mut self, other: Other) {
        self.state = State::Wanted(other);
        self.window.go(0);
    }

    /// Whether a report of a replay is shown.
    pub fn is_report(&self) -> bool {
        match &self.state {
            State::Compared(shown) => shown.sides.is_some(),
            State::Wanted(Other::Report(_)) => true,
            _ => false,
        }
    }

    /// Takes in what a worker answered.
    pub fn update(&mut self, message: ComparisonMsg, desk: &mut Desk) {
        let ComparisonMsg::Compared(answer) = message;
        desk.progress = None;
        if let Some(asked) = &mut self.asked {
            asked.awaited = false;
        }
        let is_first = !matches!(self.state, State::Compared(_));
        match answer {
            Ok(shown) => {
                self.state = State::Compared(shown);
                self.window.set_len(self.lines().count() as u64);
                if !is_first {
                    return;
                }
                self.window.go(0);
                self.go_to_hunk(Direction::Forward);
                self.go_to_difference();
            }
            Err(why) => self.state = State::Failed(why),
        }
    }

    /// What the sides are called, where they have names of their own.
    fn sides(&self) -> Option<(&str, &str)> {
        match &self.state {
            State::Compared(shown) => {
                let (left, right) = shown.sides.as_ref()?;
                Some((left, right))
            }
            _ => None,
        }
    }

    /// All lines, those of the heading first.
    fn lines(&self) -> impl Iterator<Item = &DiffLine> {
        let shown = match &self.state {
            State::Compared(shown) => Some(shown),
            _ => None,
        };
        shown
            .into_iter()
            .flat_map(|shown| shown.heading.iter().chain(&shown.lines))
    }

    fn line_under_cursor(&self) -> Option<&DiffLine> {
        self.lines()
            .nth(usize::try_from(self.window.cursor()).ok()?)
    }

    fn row_under_cursor(&self) -> Option<&DiffRow> {
        match self.line_under_cursor()? {
            DiffLine::Row(row) => Some(row),
            _ => None,
        }
    }

    /// To the next or previous difference.
    fn go_to_hunk(&mut self, direction: Direction) -> bool {
        let here = self.window.cursor();
        let hunks = (0..).zip(self.lines());
        let places: Vec<u64> = hunks
            .filter(|(_, line)| matches!(line, DiffLine::Hunk(_)))
            .map(|(place, _)| place)
            .collect();
        let found = match direction {
            Direction::Forward => places.iter().find(|&&place| place > here).copied(),
            // The hunk that the cursor is in begins before it, too.
            Direction::Backward => {
                let before = places.partition_point(|&place| place < here);
                before.checked_sub(2).map(|place| places[place])
            }
        };
        if let Some(place) = found {
            self.window.jump(place);
            self.go_to_difference();
        }
        found.is_some()
    }

    /// From the begin of a hunk to its first difference.
    fn go_to_difference(&mut self) {
        let here = self.window.cursor();
        let is_it = |(_, line): &(u64, &DiffLine)| matches!(line, DiffLine::Row(row) if row.kind.is_difference());
        let found = (0..)
            .zip(self.lines())
            .skip(here as usize)
            .find(is_it)
            .map(|(place, _)| place);
        if let Some(place) = found {
            self.window.go(place);
        }
    }
}
