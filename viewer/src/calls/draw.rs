//! Drawing the list of calls.

use cutape_analysis::loops::Loop;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::canvas::{Canvas, line_of, skip};
use crate::command::{Action, key_of};
use crate::desk::Desk;
use crate::facts::grouped;
use crate::theme::Role;
use crate::verdict::Verdict;

use super::folding::loop_row;
use super::layout::{Column, Pane, Place, SIGNS, columns};
use super::row::CallRow;
use super::{Calls, draw_panes};

/// Draws the list, then the panes.
pub(super) fn draw(calls: &Calls, canvas: &mut Canvas<'_>, desk: &Desk) {
    let list = calls.areas.list;
    let places = columns(list.width, &desk.facts, desk.calls());
    calls.draw_titles(canvas, &places);
    if calls.window.is_empty() {
        let text = match &desk.filter {
            Some(_) if desk.is_filtering => "filtering".to_owned(),
            Some(_) => format!(
                "no call matches the filter: {} takes it back",
                key_of(Action::UndoFilter)
            ),
            None if desk.facts.live => "no call yet: waiting for the program".to_owned(),
            None => "this trace has no call".to_owned(),
        };
        canvas.text(skip(line_of(list, 0), SIGNS), &text, Role::Dim);
    }
    for (row, line) in calls.window.visible().enumerate() {
        let area = line_of(list, row as u16);
        if let Some(closed) = calls.folding.closed_at(line) {
            calls.draw_loop(canvas, area, line, (&closed, &places), desk);
        } else if let Some(seq) = calls.folding.seq(&desk.listing, line) {
            calls.draw_line(canvas, area, seq, &places, desk);
        }
        if line == calls.window.cursor() {
            canvas.cursor_line(area, calls.focus == Pane::List);
        }
    }
    canvas.scroll_bar(list, &calls.window.visible(), calls.window.len());
    draw_panes::draw(calls, canvas, desk);
}

impl Calls {
    fn draw_titles(&self, canvas: &mut Canvas<'_>, places: &[Place]) {
        for place in places {
            let area = cell_area(self.areas.titles, place);
            let chosen = place.column == self.column && self.focus == Pane::List;
            let role = if chosen { Role::Title } else { Role::Dim };
            put(canvas, area, place.column, place.column.title(), role);
        }
    }

    /// A closed loop. Its line is made here: the index has all that it shows.
    fn draw_loop(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        line: u64,
        (closed, places): (&Loop, &[Place]),
        desk: &Desk,
    ) {
        let sign = match line == self.window.cursor() {
            true => canvas.glyphs().cursor,
            false => canvas.glyphs().folds[1],
        };
        canvas.text(area, sign, Role::Key);
        let Some(row) = loop_row(closed, desk, canvas.glyphs().times) else {
            return;
        };
        let (sign, role) = verdict_sign(canvas, row.verdict);
        canvas.text(skip(area, 1), sign, role);
        for place in places {
            let area = cell_area(area, place);
            match place.column {
                Column::Call => {
                    _ = canvas.pieces(
                        area,
                        &[
                            (&row.function, Role::Value),
                            (&row.arguments, Role::Function),
                        ],
                    )
                }
                column => draw_cell(canvas, area, &row, column, desk),
            }
        }
    }

    fn draw_line(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        seq: u64,
        places: &[Place],
        desk: &Desk,
    ) {
        let is_cursor = desk.current == seq;
        let mut sign = [0; 4];
        let mark = match desk.marks.of(seq) {
            Some(letter) => &*letter.encode_utf8(&mut sign),
            None if is_cursor => canvas.glyphs().cursor,
            None => " ",
        };
        canvas.text(area, mark, Role::Key);
        let row = self.rows.get(seq);
        if let Some(row) = row {
            let (sign, role) = verdict_sign(canvas, row.verdict);
            canvas.text(skip(area, 1), sign, role);
        }
        for place in places {
            let area = cell_area(area, place);
            match row {
                Some(row) => draw_cell(canvas, area, row, place.column, desk),
                None => draw_unmade(canvas, area, seq, place.column, desk),
            }
        }
    }
}

/// What a line shows until a worker has made it: what the index has.
fn draw_unmade(canvas: &mut Canvas<'_>, area: Rect, seq: u64, column: Column, desk: &Desk) {
    let row = desk.index.row(seq);
    match (column, row) {
        (Column::Number, _) => put(canvas, area, column, &grouped(seq), Role::Dim),
        (Column::Call, Some(row)) => {
            let name = desk.facts.functions.get(row.function.0 as usize);
            put(
                canvas,
                area,
                column,
                name.map_or("", String::as_str),
                Role::Dim,
            );
        }
        _ => {}
    }
}

fn draw_cell(canvas: &mut Canvas<'_>, area: Rect, row: &CallRow, column: Column, desk: &Desk) {
    let found = desk.search.as_ref();
    match column {
        Column::Call => {
            let inside = nesting(canvas, row.depth);
            let taken = canvas.text(area, &inside, Role::Frame);
            let area = skip(area, taken);
            let taken = canvas.searched(area, &row.function, Role::Function, found);
            let arguments = format!("({})", row.arguments);
            canvas.searched(skip(area, taken), &arguments, Role::Dim, found);
        }
        Column::Result => {
            canvas.searched(area, &row.result, verdict_role(row.verdict), found);
        }
        Column::Caller => {
            // A cut offset would say nothing.
            let fits = row.caller.text.width() <= usize::from(area.width);
            let file = row.caller.file();
            canvas.text(area, if fits { &row.caller.text } else { file }, Role::Dim);
        }
        _ => {
            let role = match column {
                Column::Number | Column::Time | Column::Gap => Role::Dim,
                _ => Role::Text,
            };
            put(canvas, area, column, &cell(row, column), role);
        }
    }
}

fn nesting(canvas: &Canvas<'_>, depth: u8) -> String {
    match depth {
        0 => String::new(),
        depth => format!(
            "{}{} ",
            "  ".repeat(usize::from(depth.min(8)) - 1),
            canvas.glyphs().nested
        ),
    }
}

/// The text of a line in a column.
pub(super) fn cell(row: &CallRow, column: Column) -> String {
    match column {
        Column::Number => grouped(row.seq),
        Column::Time => row.time.clone(),
        Column::Gap => row.gap.clone(),
        Column::Duration => row.duration.clone(),
        Column::Process => row.pid.to_string(),
        Column::Thread => row.tid.to_string(),
        Column::Call => row.function.clone(),
        Column::Result => row.result.clone(),
        Column::Caller => row.caller.text.clone(),
    }
}

/// The sign of a verdict; failures are told from others without colour.
pub(super) fn verdict_sign(canvas: &Canvas<'_>, verdict: Verdict) -> (&'static str, Role) {
    let glyphs = canvas.glyphs();
    let sign = match verdict {
        Verdict::Fine => " ",
        Verdict::Failed => glyphs.failed,
        Verdict::Benign => glyphs.benign,
        Verdict::InFlight => glyphs.in_flight,
    };
    (sign, verdict_role(verdict))
}

fn verdict_role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Fine => Role::Text,
        Verdict::Failed => Role::Failed,
        Verdict::Benign | Verdict::InFlight => Role::Warning,
    }
}

fn cell_area(line: Rect, place: &Place) -> Rect {
    Rect {
        width: place.width,
        ..skip(line, place.x)
    }
    .intersection(line)
}

fn put(canvas: &mut Canvas<'_>, area: Rect, column: Column, text: &str, role: Role) {
    if column.is_right() {
        canvas.text_right(area, text, role);
    } else {
        canvas.text(area, text, role);
    }
}
