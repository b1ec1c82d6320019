//! Screen 1: all calls, one a line, and what is known of the one under the cursor.

mod bytes;
mod condition;
mod details;
mod draw;
mod draw_panes;
mod find;
mod folding;
mod folds;
mod hex;
mod layout;
mod lines;
mod more_parts;
mod row;
mod row_cache;
mod spot;
mod tree;

use std::collections::HashSet;
use std::sync::Arc;

use ratatui::layout::Rect;

pub use details::CallDetails;
pub use find::{Found, Sought};
pub use layout::{Column, Pane};
pub use row::CallRow;

use crate::canvas::Canvas;
use crate::command::{Action, Copied, Direction, Kind, Wanted};
use crate::desk::Desk;
use crate::facts::grouped;
use crate::list_window::{ListWindow, Motion};
use crate::msg::Effect;
use crate::screen::Screen;
use bytes::Span;
use find::{Quest, find_job};
use folding::Folding;
use folds::Folds;
use layout::{Areas, PANES, columns};
use row_cache::RowCache;
use tree::TreeLine;

/// Lines made beyond what is visible, on both sides, in screens.
const MADE_AHEAD: u64 = 2;

/// What workers answer.
#[derive(Debug)]
pub enum CallsMsg {
    /// Lines of the list.
    Rows {
        /// The lines.
        rows: Vec<Arc<CallRow>>,
        /// The edition that they were asked for.
        edition: u32,
    },
    /// The details of a call.
    Details(Box<CallDetails>),
    /// Loops.
    Folded(Arc<Folds>),
    /// What was looked for.
    Found(Found, Sought),
}

/// State of the screen.
#[derive(Debug, Default)]
pub struct Calls {
    window: ListWindow,
    folding: Folding,
    rows: RowCache,
    details: Option<Box<CallDetails>>,
    /// The call whose details were asked for last.
    asked: u64,
    focus: Pane,
    /// Which column `=` and `yv` mean.
    column: Column,
    arguments: ListWindow,
    about: ListWindow,
    bytes: ListWindow,
    /// The bytes that were last brought onto the screen, since they are those of the tree's line under the cursor.
    brought: Option<Span>,
    /// Parts of trees that are closed: function and way.
    closed: HashSet<(String, String)>,
    areas: Areas,
}

impl Screen for Calls {
    fn arrange(&mut self, area: Rect, desk: &mut Desk) {
        self.areas = Areas::of(area, &desk.settings);
        if self.areas.pane(self.focus).is_empty() {
            self.focus = Pane::List;
        }
        self.window.set_height(self.areas.list.height.into());
        if desk.current == 0 {
            desk.current = desk.listing.seq(0).unwrap_or(0);
        }
        self.folding.forget_other_listings(desk);
        self.folding.ask(desk);
        self.folding.reveal(desk);
        self.window
            .set_len(self.folding.lines.len(desk.listing.len()));
        let (position, _) = desk.listing.position(desk.current);
        let line = self.folding.lines.line_of(position);
        if line != self.window.cursor() {
            self.window.jump(line);
        }
        self.ask_for_rows(desk);
        self.ask_for_details(desk);
        self.arguments
            .set_height(self.areas.arguments.height.into());
        self.about.set_height(self.areas.about.height.into());
        self.bytes.set_height(self.areas.bytes.height.into());
        self.measure_panes();
    }

    fn act(&mut self, action: Action, desk: &mut Desk) -> bool {
        match action {
            Action::Move(motion) => self.step(motion, desk),
            Action::Left => self.sideways(Direction::Backward, desk),
            Action::Right => self.sideways(Direction::Forward, desk),
            Action::Open => match self.focus {
                Pane::List if self.folding.closed_at(self.window.cursor()).is_some() => {
                    self.folding.toggle(desk.current, desk);
                }
                Pane::List => self.focus = self.next_pane(Direction::Forward),
                Pane::Arguments if self.branch_under_cursor().is_some() => self.fold(),
                Pane::Arguments => self.go_to_creator(desk),
                Pane::About => self.follow_about(desk),
                Pane::Bytes => {}
            },
            Action::Creator => self.go_to_creator(desk),
            Action::Centre => self.window.centre(),
            Action::Pane(direction) => self.focus = self.next_pane(direction),
            Action::Fold if self.focus == Pane::List => {
                self.folding.toggle(desk.current, desk);
            }
            Action::FoldAll if self.focus == Pane::List => self.folding.toggle_all(desk),
            Action::Fold => self.fold(),
            Action::FoldAll => self.fold_all(),
            Action::FilterValue(wanted) => self.filter_value(wanted, desk),
            Action::Find(kind, direction) => self.find(kind, direction, desk),
            Action::Match(direction) => self.find_match(direction, desk),
            Action::Copy(Copied::Call) if desk.current > 0 => {
                desk.work(details::copy_job(desk.current))
            }
            Action::Copy(Copied::Value) => self.copy_value(desk),
            Action::Cancel if self.focus != Pane::List => self.focus = Pane::List,
            _ => return false,
        }
        true
    }

    fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk) {
        draw::draw(self, canvas, desk);
    }

    fn outdate(&mut self) {
        self.rows.outdate();
        self.asked = 0;
    }

    fn scroll(&mut self, lines: i32, desk: &mut Desk) {
        let motion = if lines < 0 { Motion::Up } else { Motion::Down };
        (0..lines.unsigned_abs()).for_each(|_| self.step(motion, desk));
    }

    fn click(&mut self, column: u16, row: u16, desk: &mut Desk) {
        let at = ratatui::layout::Position::new(column, row);
        let Some(pane) = PANES
            .into_iter()
            .find(|&pane| self.areas.pane(pane).contains(at))
        else {
            return;
        };
        self.focus = pane;
        let line = u64::from(row - self.areas.pane(pane).y);
        let window = self.pane_window(pane);
        window.go(window.top() + line);
        if pane == Pane::List {
            self.look_at_cursor(desk);
        }
    }
}

impl Calls {
    /// Takes in what a worker answered.
    pub fn update(&mut self, message: CallsMsg, desk: &mut Desk) {
        match message {
            CallsMsg::Rows { rows, edition } => self.rows.add(rows, edition, desk.current),
            CallsMsg::Details(details) => {
                self.details = Some(details).filter(|details| details.seq == self.asked);
                self.arguments.go(0);
                self.about.go(0);
                self.bytes.go(0);
            }
            CallsMsg::Folded(folds) => self.folding.take(folds, desk),
            CallsMsg::Found(found, sought) => arrive(found, &sought, desk),
        }
    }

    /// Whether lines that are to be seen have been asked for and not come.
    pub fn awaits_lines(&self, desk: &Desk) -> bool {
        let mut shown = self
            .window
            .visible()
            .filter_map(|line| self.to_make(line, desk));
        shown.any(|seq| !self.rows.is_current(seq))
    }

    /// The call whose line workers make: closed loops have theirs from the index.
    fn to_make(&self, line: u64, desk: &Desk) -> Option<u64> {
        match self.folding.closed_at(line) {
            Some(_) => None,
            None => self.folding.seq(&desk.listing, line),
        }
    }

    fn pane_window(&mut self, pane: Pane) -> &mut ListWindow {
        match pane {
            Pane::List => &mut self.window,
            Pane::Arguments => &mut self.arguments,
            Pane::About => &mut self.about,
            Pane::Bytes => &mut self.bytes,
        }
    }

    fn step(&mut self, motion: Motion, desk: &mut Desk) {
        if self.focus == Pane::List
            && matches!(motion, Motion::First | Motion::Last)
            && desk.current > 0
        {
            desk.jumps.note(desk.current);
        }
        self.pane_window(self.focus).step(motion);
        if self.focus == Pane::List {
            self.look_at_cursor(desk);
        }
    }

    fn look_at_cursor(&mut self, desk: &mut Desk) {
        if desk.follows && !self.window.is_at_end() {
            desk.follows = false;
            desk.seen = desk.calls();
        }
        let seq = self.folding.seq(&desk.listing, self.window.cursor());
        desk.current = seq.unwrap_or(0);
        self.folding.place(desk.current);
    }

    fn ask_for_rows(&mut self, desk: &mut Desk) {
        let shown = self.window.visible();
        let ahead = self.window.height() * MADE_AHEAD;
        // Asked for when what is visible is missing, or when the cursor comes near the end of what was made.
        let near =
            shown.start.saturating_sub(ahead / 2)..(shown.end + ahead / 2).min(self.window.len());
        let is_made = |line: u64| {
            let seq = self.to_make(line, desk);
            seq.is_none_or(|seq| self.rows.is_current(seq))
        };
        if [near.start, shown.start, near.end.saturating_sub(1)]
            .into_iter()
            .all(is_made)
            && shown.clone().all(is_made)
        {
            return;
        }
        let made = shown.start.saturating_sub(ahead)..(shown.end + ahead).min(self.window.len());
        let wanted: Vec<u64> = made.filter_map(|line| self.to_make(line, desk)).collect();
        let numbers = self.rows.request(wanted.into_iter());
        if !numbers.is_empty() {
            let glyphs = desk.look().glyphs();
            desk.work(row::rows_job(numbers, self.rows.edition(), glyphs));
        }
    }

    fn ask_for_details(&mut self, desk: &mut Desk) {
        if desk.current != self.asked && desk.current != 0 {
            self.asked = desk.current;
            desk.work(details::details_job(desk.current));
        }
    }

    fn measure_panes(&mut self) {
        let lines = self.tree_lines().count() as u64;
        let (about, bytes) = match &self.details {
            Some(details) => (
                draw_panes::about_lines(&details.about, self.areas.about.width).len(),
                hex::lines(&details.bytes, self.areas.bytes.width).len(),
            ),
            None => (0, 0),
        };
        self.arguments.set_len(lines);
        self.about.set_len(about as u64);
        self.bytes.set_len(bytes as u64);
        self.bring_bytes();
    }

    /// Brings the bytes of the line under the cursor of the tree onto the screen.
    fn bring_bytes(&mut self) {
        let span = self.line_under_cursor().and_then(|line| line.span);
        if span == self.brought {
            return;
        }
        self.brought = span;
        let details = self.details.as_ref().zip(span);
        let place = details.and_then(|(details, span)| {
            hex::place_of(&hex::lines(&details.bytes, self.areas.bytes.width), &span)
        });
        if let Some(place) = place {
            self.bytes.jump(place as u64);
        }
    }

    fn next_pane(&self, direction: Direction) -> Pane {
        let shown: Vec<Pane> = PANES
            .into_iter()
            .filter(|&pane| !self.areas.pane(pane).is_empty())
            .collect();
        let here = shown
            .iter()
            .position(|&pane| pane == self.focus)
            .unwrap_or(0);
        let step = match direction {
            Direction::Forward => 1,
            Direction::Backward => shown.len().saturating_sub(1),
        };
        shown
            .get((here + step) % shown.len().max(1))
            .copied()
            .unwrap_or_default()
    }

    fn sideways(&mut self, direction: Direction, desk: &Desk) {
        match self.focus {
            Pane::List => {
                let places = columns(self.areas.list.width, &desk.facts, desk.calls());
                let here = places
                    .iter()
                    .position(|place| place.column == self.column)
                    .unwrap_or(0);
                let there = match direction {
                    Direction::Forward => (here + 1).min(places.len() - 1),
                    Direction::Backward => here.saturating_sub(1),
                };
                self.column = places[there].column;
            }
            Pane::Arguments => {
                let wanted_open = direction == Direction::Forward;
                if let Some(key) = self.branch_under_cursor() {
                    if wanted_open {
                        self.closed.remove(&key);
                    } else {
                        self.closed.insert(key);
                    }
                }
            }
            Pane::About | Pane::Bytes => {}
        }
    }

    /// Lines of the tree that are not inside a closed part.
    fn tree_lines(&self) -> impl Iterator<Item = (&TreeLine, bool)> {
        let lines = self.details.iter().flat_map(|details| &details.tree);
        let function = self.function();
        let mut hidden_below = None;
        lines.filter_map(move |line| {
            if hidden_below.is_some_and(|depth| line.depth > depth) {
                return None;
            }
            let key = (function.to_owned(), line.path.clone());
            let closed = line.is_branch && self.closed.contains(&key);
            hidden_below = closed.then_some(line.depth);
            Some((line, closed))
        })
    }

    fn function(&self) -> &str {
        let head = self
            .details
            .as_ref()
            .and_then(|details| details.tree.first());
        head.map_or("", |line| &line.name)
    }

    fn line_under_cursor(&self) -> Option<&TreeLine> {
        let place = usize::try_from(self.arguments.cursor()).ok()?;
        self.tree_lines().nth(place).map(|(line, _)| line)
    }

    fn branch_under_cursor(&self) -> Option<(String, String)> {
        let line = self.line_under_cursor().filter(|line| line.is_branch)?;
        Some((self.function().to_owned(), line.path.clone()))
    }

    fn fold(&mut self) {
        if let Some(key) = self.branch_under_cursor()
            && !self.closed.remove(&key)
        {
            self.closed.insert(key);
        }
    }

    fn fold_all(&mut self) {
        let function = self.function().to_owned();
        let lines = self.details.iter().flat_map(|details| &details.tree);
        let inner = lines.filter(|line| line.is_branch && line.depth > 0);
        let keys: Vec<_> = inner
            .map(|line| (function.clone(), line.path.clone()))
            .collect();
        if keys.iter().all(|key| self.closed.contains(key)) {
            keys.iter().for_each(|key| {
                self.closed.remove(key);
            });
        } else {
            self.closed.extend(keys);
        }
    }

    fn find(&mut self, kind: Kind, direction: Direction, desk: &mut Desk) {
        let sought = match kind {
            Kind::SameHandle => match self.line_with_handle() {
                Some(TreeLine {
                    object: Some(id), ..
                }) => Sought::Object(*id),
                Some(TreeLine {
                    word: Some(word), ..
                }) => Sought::Word(*word),
                _ => return desk.complain("this call has no handle or pointer to look for"),
            },
            kind => Sought::Kind(kind),
        };
        self.ask_to_find(sought, direction, desk);
    }

    fn find_match(&mut self, direction: Direction, desk: &mut Desk) {
        match desk.search.clone() {
            Some(matcher) => self.ask_to_find(Sought::Text(matcher), direction, desk),
            None => desk.complain("nothing was searched for: / searches"),
        }
    }

    fn ask_to_find(&mut self, sought: Sought, direction: Direction, desk: &mut Desk) {
        desk.work(find_job(Quest {
            sought,
            from: desk.current,
            direction,
            listing: desk.listing.clone(),
        }));
    }

    /// The line of the handle or pointer under the cursor, or else of the one that the call made, or else of its first one.
    fn line_with_handle(&self) -> Option<&TreeLine> {
        if self.focus == Pane::Arguments {
            return self.line_under_cursor().filter(|line| line.word.is_some());
        }
        let lines = self.details.iter().flat_map(|details| &details.tree);
        let mut with_word = lines.filter(|line| line.word.is_some());
        let made = with_word
            .clone()
            .find(|line| line.is_out && line.object.is_some());
        let known = with_word.clone().find(|line| line.object.is_some());
        made.or(known).or_else(|| with_word.next())
    }

    fn go_to_creator(&self, desk: &mut Desk) {
        let Some(object) = self.line_with_handle().and_then(|line| line.object) else {
            return desk.complain("there is no object under the cursor");
        };
        let creators = self.details.iter().flat_map(|details| &details.creators);
        let creator = creators.clone().find(|(id, _)| *id == object);
        match creator {
            Some(&(_, seq)) if seq == desk.current => desk.complain("this call made it"),
            Some(&(_, seq)) => desk.jump(seq),
            None => desk.complain("no recorded call made this object"),
        }
    }

    /// Goes to the call that the line under the cursor is about.
    fn follow_about(&self, desk: &mut Desk) {
        let Some(details) = &self.details else {
            return;
        };
        let lines = draw_panes::about_lines(&details.about, self.areas.about.width);
        let line = usize::try_from(self.about.cursor())
            .ok()
            .and_then(|place| lines.get(place));
        match line.and_then(|shown| shown.line.jump) {
            Some(seq) => desk.jump(seq),
            None => desk.complain("this line names no other call"),
        }
    }

    /// Adds the value under the cursor to the filter.
    fn filter_value(&self, wanted: Wanted, desk: &mut Desk) {
        let condition = match self.focus {
            Pane::List => self
                .rows
                .get(desk.current)
                .and_then(|row| condition::of_row(row, self.column)),
            Pane::Arguments => self.line_under_cursor().and_then(condition::of_line),
            Pane::About | Pane::Bytes => None,
        };
        match (condition, wanted) {
            (Some(condition), Wanted::Only) => desk.narrow(&condition),
            (Some(condition), Wanted::Without) => desk.narrow(&format!("not {condition}")),
            (None, _) => desk.complain("there is nothing under the cursor that filters know"),
        }
    }

    fn copy_value(&self, desk: &mut Desk) {
        let text = match self.focus {
            Pane::Arguments => self.line_under_cursor().map(|line| line.value.clone()),
            Pane::List => self
                .rows
                .get(desk.current)
                .map(|row| draw::cell(row, self.column)),
            Pane::About | Pane::Bytes => None,
        };
        match text.filter(|text| !text.is_empty()) {
            Some(text) => {
                desk.say(format!("copied {text}"));
                desk.ask(Effect::Copy(text));
            }
            None => desk.complain("there is no value under the cursor"),
        }
    }
}

fn arrive(found: Found, sought: &Sought, desk: &mut Desk) {
    desk.progress = None;
    let what = match sought {
        Sought::Kind(Kind::Error) => "failed call".to_owned(),
        Sought::Kind(Kind::Warning) => "benign failure or call in flight".to_owned(),
        Sought::Kind(Kind::Slow) => "slow call".to_owned(),
        Sought::Kind(Kind::SameThread) => "call of this thread".to_owned(),
        Sought::Kind(Kind::SameFunction) => "call of this function".to_owned(),
        Sought::Kind(Kind::SameHandle) => "call with this handle".to_owned(),
        Sought::Word(word) => format!("call with {word:#x}"),
        Sought::Object(id) => {
            let object = desk.objects.as_ref().and_then(|objects| objects.get(*id));
            let name = object.map_or_else(
                || "this object".to_owned(),
                |object| object.label().to_string(),
            );
            format!("call with {name}")
        }
        Sought::Text(matcher) => format!("match of \"{}\"", matcher.text()),
    };
    match found.seq {
        Some(seq) if seq == desk.current => desk.complain(format!("this is the only {what}")),
        Some(seq) => {
            desk.jump(seq);
            if found.wrapped {
                desk.say(format!("from the other end: call {}", grouped(seq)));
            }
        }
        None => desk.complain(format!("no further {what}")),
    }
}
