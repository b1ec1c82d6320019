//! Screen 3: the driver's objects, live and gone: contexts, streams, allocations, modules; and memory over time.

mod draw;
mod found;

use std::sync::Arc;

use cutape_analysis::objects::{Kind, ObjectId};
use ratatui::layout::Rect;

pub use found::{Found, Memory, Wish};

use crate::canvas::Canvas;
use crate::command::{Action, Copied, Direction, Wanted};
use crate::desk::Desk;
use crate::list_window::Motion;
use crate::msg::Effect;
use crate::screen::{Screen, ScreenId};
use crate::table::{Table, TableColumn};

/// What workers answer.
#[derive(Debug)]
pub enum ObjectsMsg {
    /// All objects.
    Found(Arc<Found>),
    /// Objects in the order that was wished for.
    Ordered {
        /// The objects.
        order: Vec<ObjectId>,
        /// What was wished for.
        wish: Wish,
    },
}

/// A column of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// What the object is called: `ctx#1`.
    Name,
    /// Its kind in words.
    Kind,
    /// Its size.
    Bytes,
    /// The call that created it.
    #[default]
    Created,
    /// The last call that used it.
    LastUsed,
    /// The call with which it went.
    Ended,
    /// How often it was used.
    Uses,
    /// Its life as a line.
    Life,
    /// The name that the program gave it.
    OwnName,
}

const fn column(
    column: Column,
    title: &'static str,
    (width, right): (u16, bool),
    from: u16,
) -> TableColumn<Column> {
    TableColumn {
        column,
        title,
        width,
        right,
        from,
    }
}

const LEFT: bool = false;
const RIGHT: bool = true;

const COLUMNS: [TableColumn<Column>; 9] = [
    column(Column::Name, "object", (12, LEFT), 0),
    column(Column::Kind, "kind", (22, LEFT), 150),
    column(Column::Bytes, "size", (9, RIGHT), 0),
    column(Column::Created, "created", (10, RIGHT), 0),
    column(Column::LastUsed, "last used", (10, RIGHT), 0),
    column(Column::Ended, "ended", (10, RIGHT), 0),
    column(Column::Uses, "uses", (9, RIGHT), 100),
    column(Column::Life, "life", (24, LEFT), 120),
    column(Column::OwnName, "name", (0, LEFT), 0),
];

/// Lines of the screen from which on there is room for the panes.
const LEAST_FOR_PANES: u16 = 16;

/// State of the screen.
#[derive(Debug, Default)]
pub struct ObjectList {
    found: Option<Arc<Found>>,
    asked: bool,
    wish: Wish,
    order: Vec<ObjectId>,
    /// What the order was made for.
    ordered: Option<Wish>,
    asked_order: bool,
    table: Table<Column>,
    summary: Rect,
    rule: Rect,
    about: Rect,
    bar: Rect,
    chart: Rect,
}

impl Screen for ObjectList {
    fn arrange(&mut self, area: Rect, desk: &mut Desk) {
        self.divide(area, desk.settings.panes_hidden);
        if let Some(objects) = &desk.objects {
            let of_found = self.found.as_ref().map(|found| &found.objects);
            let is_current = of_found.is_some_and(|found| Arc::ptr_eq(found, objects));
            if !is_current && !self.asked {
                self.asked = true;
                desk.work(found::survey_job(Arc::clone(objects)));
            }
        }
        if let Some(found) = &self.found
            && self.ordered != Some(self.wish)
            && !self.asked_order
        {
            self.asked_order = true;
            desk.work(found::order_job(Arc::clone(found), self.wish));
        }
    }

    fn act(&mut self, action: Action, desk: &mut Desk) -> bool {
        match action {
            Action::Move(motion) => self.table.window.step(motion),
            Action::Left => self.wish.sorted_by = self.table.neighbour(self.wish.sorted_by, -1),
            Action::Right => self.wish.sorted_by = self.table.neighbour(self.wish.sorted_by, 1),
            Action::Pane(direction) => self.wish.kind = self.next_kind(direction),
            Action::Cancel if self.wish.kind.is_some() => self.wish.kind = None,
            Action::Open => self.go_to_creator(desk),
            Action::FilterValue(wanted) => self.filter(wanted, desk),
            Action::Copy(Copied::Call | Copied::Value) => self.copy(desk),
            _ => return false,
        }
        true
    }

    fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk) {
        draw::draw(self, canvas, desk);
    }

    fn outdate(&mut self) {}

    fn scroll(&mut self, lines: i32, _: &mut Desk) {
        self.table.window.scroll(lines);
    }

    fn click(&mut self, column: u16, row: u16, _: &mut Desk) {
        if let Some(column) = self.table.click(column, row) {
            self.wish.sorted_by = column;
        }
    }
}

impl ObjectList {
    /// Takes in what a worker answered.
    pub fn update(&mut self, message: ObjectsMsg) {
        match message {
            ObjectsMsg::Found(found) => {
                self.asked = false;
                self.found = Some(found);
                self.ordered = None;
            }
            ObjectsMsg::Ordered { order, wish } => {
                self.asked_order = false;
                let before = self.object(self.table.window.cursor());
                let changed = self.ordered.is_some_and(|ordered| ordered != wish);
                self.ordered = Some(wish);
                self.order = order;
                self.table.window.set_len(self.order.len() as u64);
                let place = self.order.iter().position(|&id| Some(id) == before);
                match place.filter(|_| !changed) {
                    Some(place) => self.table.window.go(place as u64),
                    None => self.table.window.step(Motion::First),
                }
            }
        }
    }

    fn divide(&mut self, area: Rect, panes_hidden: bool) {
        let panes = match area.height {
            height if panes_hidden || height < LEAST_FOR_PANES => 0,
            height => (height / 3).clamp(8, 12),
        };
        self.summary = Rect {
            height: area.height.min(1),
            ..area
        };
        let table = Rect {
            y: self.summary.bottom(),
            height: area.height - self.summary.height - panes,
            ..area
        };
        self.table.arrange(table, &COLUMNS, self.order.len());
        self.rule = Rect {
            y: self.table.list.bottom(),
            height: panes.min(1),
            ..area
        };
        let inner = panes - self.rule.height;
        let left = area.width / 2;
        self.about = Rect {
            y: self.rule.bottom(),
            width: left,
            height: inner,
            ..area
        };
        self.bar = Rect {
            x: area.x + left,
            y: self.rule.y,
            width: 1,
            height: panes,
        };
        self.chart = Rect {
            x: area.x + left + 1,
            y: self.rule.bottom(),
            width: area.width - left - 1,
            height: inner,
        };
    }

    /// The object at a position.
    fn object(&self, position: u64) -> Option<ObjectId> {
        self.order.get(usize::try_from(position).ok()?).copied()
    }

    /// The next kind that there are objects of; none stands for all.
    fn next_kind(&self, direction: Direction) -> Option<Kind> {
        let found = self.found.as_ref()?;
        let kinds: Vec<Option<Kind>> = [None]
            .into_iter()
            .chain(found.kinds.iter().map(|(kind, _)| Some(*kind)))
            .collect();
        let here = kinds.iter().position(|kind| *kind == self.wish.kind);
        let step = match direction {
            Direction::Forward => 1,
            Direction::Backward => kinds.len() - 1,
        };
        kinds[(here.unwrap_or(0) + step) % kinds.len()]
    }

    fn go_to_creator(&self, desk: &mut Desk) {
        let id = self.object(self.table.window.cursor());
        let object = id.and_then(|id| self.found.as_ref()?.objects.get(id));
        if let Some(object) = object {
            desk.jump(object.created().unwrap_or(object.first_call()));
            desk.show(ScreenId::Calls);
        }
    }

    /// Lists the calls that refer to the object under the cursor, or those that don't.
    fn filter(&self, wanted: Wanted, desk: &mut Desk) {
        let id = self.object(self.table.window.cursor());
        let Some(object) = id.and_then(|id| self.found.as_ref()?.objects.get(id)) else {
            return desk.complain("there is no object under the cursor");
        };
        let label = object.label();
        let mut condition = match label.is_foreign() {
            true => format!("obj == {:#x}", object.word()),
            false => format!("obj == {label}"),
        };
        // Each process counts its objects by itself.
        if let Some(pid) = desk.facts.pids.get(object.process().0 as usize)
            && desk.facts.processes > 1
        {
            condition = format!("({condition} and pid == {pid})");
        }
        match wanted {
            Wanted::Only => desk.narrow(&condition),
            Wanted::Without => desk.narrow(&format!("not {condition}")),
        }
        desk.show(ScreenId::Calls);
    }

    fn copy(&self, desk: &mut Desk) {
        let id = self.object(self.table.window.cursor());
        if let (Some(found), Some(id)) = (&self.found, id) {
            let name = draw::cell(found, id, Column::Name);
            desk.say(format!("copied {name}"));
            desk.ask(Effect::Copy(name));
        }
    }
}
