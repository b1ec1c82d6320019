//! Drawing the time line: the axis, lanes, and the call that is looked at.

use cutape_analysis::quantity::{push_seconds, push_time, text as quantity};
use ratatui::layout::Rect;

use crate::canvas::{Canvas, line_of, skip};
use crate::desk::Desk;
use crate::facts::grouped;
use crate::theme::Role;
use crate::verdict::Verdict;

use super::Timeline;
use super::lanes::{Bar, Cell, Lane, Lanes};

/// Columns between labels of the axis.
const TICKS_APART: u16 = 16;

/// Draws the screen.
pub(super) fn draw(timeline: &Timeline, canvas: &mut Canvas<'_>, desk: &Desk) {
    let Some(lanes) = &timeline.lanes else {
        let text = match (desk.indexed, timeline.is_empty) {
            (true, true) => "no call to show",
            (true, false) => "reading times",
            (false, _) => "the time line comes when all calls are indexed",
        };
        canvas.text(skip(timeline.summary, 2), text, Role::Dim);
        return;
    };
    draw_summary(timeline, canvas, lanes, desk);
    draw_axis(timeline, canvas, lanes, desk);
    for (line, position) in timeline.window.visible().enumerate() {
        let area = line_of(timeline.list, line as u16);
        let here = position == timeline.window.cursor();
        let Some(lane) = lanes.lanes.get(position as usize) else {
            continue;
        };
        let label = Rect {
            width: timeline.label_width,
            ..area
        };
        if here {
            canvas.text(label, canvas.glyphs().cursor, Role::Key);
        }
        let role = if lane.is_stream {
            Role::Name
        } else {
            Role::Text
        };
        let name = Rect {
            width: label.width.saturating_sub(3),
            ..skip(label, 2)
        };
        canvas.text(name.intersection(label), &lane.name, role);
        draw_lane(
            canvas,
            skip(area, timeline.label_width),
            lane,
            (lanes, desk),
        );
    }
    canvas.scroll_bar(
        timeline.list,
        &timeline.window.visible(),
        timeline.window.len(),
    );
    draw_call(timeline, canvas, desk);
}

fn draw_summary(timeline: &Timeline, canvas: &mut Canvas<'_>, lanes: &Lanes, desk: &Desk) {
    let span = lanes.question.span;
    let whole = lanes.whole.length_ns();
    let dot = canvas.glyphs().dot;
    let since = span.from_ns.saturating_sub(desk.facts.start_ns);
    let mut text = format!(
        "{} of {} from {} s {dot} {} calls",
        quantity(push_time, span.length_ns()),
        quantity(push_time, whole),
        quantity(push_seconds, since),
        grouped(lanes.calls)
    );
    if lanes.streams_left_out {
        text.push_str(&format!(" {dot} zoom in to see streams"));
    }
    let taken = canvas.text(skip(timeline.summary, 2), &text, Role::Text);
    let hint = format!(" {dot} w/s zoom  a/d move  h/l call  Enter list");
    canvas.text(skip(timeline.summary, 2 + taken), &hint, Role::Dim);
}

fn draw_axis(timeline: &Timeline, canvas: &mut Canvas<'_>, lanes: &Lanes, desk: &Desk) {
    let axis = skip(timeline.axis, timeline.label_width);
    canvas.rule(axis, "", Role::Frame);
    let span = lanes.question.span;
    let columns = lanes.question.columns;
    for (at_ns, label) in span.ticks(columns, TICKS_APART, desk.facts.start_ns) {
        let x = span.column(at_ns, columns);
        let place = skip(axis, x);
        canvas.text(place, canvas.glyphs().tees[0], Role::Frame);
        if usize::from(place.width) > label.len() + 1 {
            canvas.text(skip(place, 1), &label, Role::Dim);
        }
    }
    let current = desk.index.row(desk.current);
    if let Some(row) = current.filter(|row| span.holds(row.begin_ns)) {
        let x = span.column(row.begin_ns, columns);
        let place = Rect {
            width: 1,
            ..skip(axis, x)
        };
        canvas.text(place, canvas.glyphs().folds[0], Role::Key);
    }
}

fn draw_lane(canvas: &mut Canvas<'_>, area: Rect, lane: &Lane, (lanes, desk): (&Lanes, &Desk)) {
    let span = lanes.question.span;
    let columns = lanes.question.columns;
    for (column, cell) in lane.cells.iter().enumerate() {
        let length = span.length_ns() / u64::from(columns.max(1));
        let place = Rect {
            width: 1,
            ..skip(area, column as u16)
        };
        if cell.seq != 0 && column < usize::from(area.width) {
            let (sign, role) = cell_sign(canvas, cell, length);
            canvas.text(place, sign, role);
        }
    }
    for bar in lane.bars.iter().flatten() {
        draw_bar(canvas, area, bar, desk);
    }
    let is_current = |cell: &&Cell| cell.seq == desk.current && desk.current != 0;
    let current = match &lane.bars {
        Some(bars) => bars
            .iter()
            .find(|bar| bar.seq == desk.current)
            .map(|bar| (bar.from, bar.until)),
        None => lane
            .cells
            .iter()
            .position(|cell| is_current(&cell))
            .map(|column| (column as u16, column as u16 + 1)),
    };
    if let Some((from, until)) = current {
        let place = Rect {
            width: until - from,
            ..skip(area, from)
        };
        canvas.cursor_line(place.intersection(area), true);
    }
}

/// How much of a column is busy; failures stand out by their sign as well.
fn cell_sign(canvas: &Canvas<'_>, cell: &Cell, column_ns: u64) -> (&'static str, Role) {
    let glyphs = canvas.glyphs();
    let eighths = (u128::from(cell.busy_ns) * 8).div_ceil(u128::from(column_ns.max(1)));
    let level = glyphs.levels[(eighths as usize).clamp(1, 8)];
    match cell.worst {
        Verdict::Failed => (glyphs.failed, Role::Failed),
        Verdict::InFlight => (glyphs.in_flight, Role::Warning),
        Verdict::Benign => (level, Role::Warning),
        Verdict::Fine => (level, Role::Name),
    }
}

/// A call that is wide enough for its name.
fn draw_bar(canvas: &mut Canvas<'_>, area: Rect, bar: &Bar, desk: &Desk) {
    let width = bar.until - bar.from;
    let place = Rect {
        width,
        ..skip(area, bar.from)
    }
    .intersection(area);
    if width < 4 || place.is_empty() {
        return;
    }
    let glyphs = canvas.glyphs();
    let role = match bar.verdict {
        Verdict::Fine => Role::Name,
        Verdict::Failed => Role::Failed,
        Verdict::Benign | Verdict::InFlight => Role::Warning,
    };
    let [_, _, right, left] = glyphs.tees;
    canvas.rule(place, "", role);
    canvas.text(Rect { width: 1, ..place }, right, role);
    let end = skip(place, place.width - 1);
    canvas.text(end, left, role);
    let name = desk
        .facts
        .functions
        .get(bar.function.0 as usize)
        .map_or("", String::as_str);
    let inner = Rect {
        width: place.width - 2,
        ..skip(place, 1)
    };
    canvas.text(inner, name, role);
    if bar.verdict == Verdict::Failed {
        canvas.text(Rect { width: 1, ..place }, glyphs.failed, role);
    }
}

/// The call that is looked at, in the lines at the bottom.
fn draw_call(timeline: &Timeline, canvas: &mut Canvas<'_>, desk: &Desk) {
    if timeline.call.is_empty() {
        return;
    }
    canvas.rule(timeline.call, "Call", Role::OtherTitle);
    let Some(row) = desk.index.row(desk.current) else {
        return;
    };
    let function = desk.facts.functions.get(row.function.0 as usize);
    let since = row.begin_ns.saturating_sub(desk.facts.start_ns);
    let duration = match row.duration_ns {
        Some(ns) => quantity(push_time, ns),
        None => "has not returned".to_owned(),
    };
    let number = format!("#{}  ", grouped(desk.current));
    let times = format!("  at {} s  {duration}", quantity(push_seconds, since));
    let pieces = [
        (number.as_str(), Role::Dim),
        (function.map_or("", String::as_str), Role::Function),
        (times.as_str(), Role::Text),
    ];
    canvas.pieces(skip(line_of(timeline.call, 1), 2), &pieces);
}
