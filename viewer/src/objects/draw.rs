//! Drawing objects: a line that sums up, the table, what is known of the one under the cursor, memory over time.

use cutape_analysis::objects::{Ending, Object, ObjectId, Origin};
use cutape_analysis::printable::push_printable;
use cutape_analysis::quantity::{push_bytes, push_hex, text as quantity};
use ratatui::layout::Rect;

use crate::canvas::{Canvas, line_of, skip};
use crate::desk::Desk;
use crate::facts::grouped;
use crate::table::TablePlace;
use crate::theme::Role;

use super::found::{Found, MOMENTS};
use super::{Column, ObjectList};

/// Columns of the names in the pane about an object.
const NAME_WIDTH: u16 = 10;
/// Columns of the amounts beside the chart.
const AMOUNT: u16 = 10;

/// Draws the screen.
pub(super) fn draw(list: &ObjectList, canvas: &mut Canvas<'_>, desk: &Desk) {
    let Some(found) = &list.found else {
        let area = skip(list.summary, crate::table::SIGN);
        canvas.text(area, "finding objects", Role::Dim);
        return;
    };
    draw_summary(list, canvas, found);
    list.table
        .draw(canvas, list.wish.sorted_by, |canvas, area, position| {
            if let Some(id) = list.object(position) {
                draw_line(canvas, area, (found, id), (&list.table.places, desk));
            }
        });
    if list.table.window.is_empty() && !list.asked_order {
        canvas.text(
            skip(line_of(list.table.list, 0), crate::table::SIGN),
            "no object: no recorded call created or used one",
            Role::Dim,
        );
    }
    if !list.about.is_empty() {
        draw_about(list, canvas, found, desk);
        draw_memory(list, canvas, found, desk);
    }
}

fn draw_summary(list: &ObjectList, canvas: &mut Canvas<'_>, found: &Found) {
    let dot = canvas.glyphs().dot;
    let kinds = match list.wish.kind {
        Some(kind) => format!("only {}s", kind.info().noun),
        None => "all kinds".to_owned(),
    };
    let all = found.objects.all().len() as u64;
    let shown = match list.wish.kind {
        Some(_) => format!(
            "{} of {} objects",
            grouped(list.table.window.len()),
            grouped(all)
        ),
        None if all == 1 => "1 object".to_owned(),
        None => format!("{} objects", grouped(all)),
    };
    let x = canvas.pieces(
        skip(list.summary, 2),
        &[
            (&kinds, Role::Title),
            (&format!(" {dot} {shown}"), Role::Text),
        ],
    );
    let mut rest = skip(list.summary, 2 + x);
    let mut add = |canvas: &mut Canvas<'_>, text: String, role: Role| {
        let taken = canvas.text(rest, &text, role);
        rest = skip(rest, taken);
    };
    if found.left_behind > 0 {
        let text = format!(" {dot} {} left behind", grouped(found.left_behind));
        add(canvas, text, Role::Warning);
    }
    let misuses = found.objects.misuses().count;
    if misuses > 0 {
        let text = format!(" {dot} {} used after the end", grouped(misuses));
        add(canvas, text, Role::Failed);
    }
    add(
        canvas,
        format!(" {dot} Tab: kind, h/l: sort, =: its calls"),
        Role::Dim,
    );
}

/// `with` is the places of columns, and the desk.
fn draw_line(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (found, id): (&Found, ObjectId),
    with: (&[TablePlace<Column>], &Desk),
) {
    let (places, desk) = with;
    let Some(object) = found.objects.get(id) else {
        return;
    };
    let gone = !object.is_alive();
    for place in places {
        if place.column == Column::Life {
            draw_life(canvas, place.of(area), found, (object, desk));
            continue;
        }
        let role = match place.column {
            Column::Name => Role::Name,
            Column::Ended if object.is_left_behind() => Role::Warning,
            Column::OwnName => Role::Function,
            _ if gone => Role::Dim,
            _ => Role::Text,
        };
        place.put(canvas, area, (&cell(found, id, place.column), role));
    }
}

/// The text of a line in a column.
pub(super) fn cell(found: &Found, id: ObjectId, column: Column) -> String {
    let Some(object) = found.objects.get(id) else {
        return String::new();
    };
    let number = |seq: Option<u64>| seq.map_or("-".to_owned(), grouped);
    match column {
        Column::Name => object.label().to_string(),
        Column::Kind => object.kind().info().noun.to_owned(),
        Column::Bytes => object
            .bytes()
            .map_or(String::new(), |bytes| quantity(push_bytes, bytes)),
        Column::Created => number(object.created()),
        Column::LastUsed => number(object.last_used()),
        Column::Ended => match object.ended() {
            Some((seq, _)) => grouped(seq),
            None if object.is_left_behind() => "left".to_owned(),
            None => "-".to_owned(),
        },
        Column::Uses => grouped(object.uses()),
        Column::Life => String::new(),
        Column::OwnName => {
            let mut out = String::new();
            push_printable(&mut out, found.objects.name(id).unwrap_or_default());
            out
        }
    }
}

/// A line from creation to end, over the time of the trace.
fn draw_life(canvas: &mut Canvas<'_>, area: Rect, found: &Found, (object, desk): (&Object, &Desk)) {
    let memory = &found.memory;
    let column = |seq: Option<u64>, otherwise: usize| {
        let row = seq.and_then(|seq| desk.index.row(seq));
        let moment = row.map_or(otherwise, |row| memory.moment(row.begin_ns));
        (moment * usize::from(area.width) / MOMENTS) as u16
    };
    if area.is_empty() {
        return;
    }
    let from = column(object.created(), 0).min(area.width - 1);
    let until = column(object.ended().map(|(seq, _)| seq), MOMENTS).clamp(from + 1, area.width);
    let [_, _, right, left] = canvas.glyphs().tees;
    let mut life = canvas.glyphs().line.repeat((until - from).into());
    if object.ended().is_some() && until - from > 1 {
        life.truncate(life.len() - canvas.glyphs().line.len());
        life.push_str(left);
    }
    if object.created().is_some() && until - from > 2 {
        life.replace_range(..canvas.glyphs().line.len(), right);
    }
    let role = if object.is_left_behind() {
        Role::Warning
    } else {
        Role::Name
    };
    canvas.text(skip(area, from), &life, role);
}

fn draw_about(list: &ObjectList, canvas: &mut Canvas<'_>, found: &Found, desk: &Desk) {
    let Some((id, object)) = list
        .object(list.table.window.cursor())
        .and_then(|id| Some((id, found.objects.get(id)?)))
    else {
        canvas.rule(list.rule, "", Role::OtherTitle);
        return;
    };
    let title = format!("{} {}", object.kind().info().noun, object.label());
    canvas.rule(
        Rect {
            width: list.about.width,
            ..list.rule
        },
        &title,
        Role::OtherTitle,
    );
    let lines = about(found, (id, object), desk);
    for (line, (name, text)) in lines.iter().enumerate() {
        let area = line_of(list.about, line as u16);
        if area.is_empty() {
            break;
        }
        canvas.text(skip(area, 1), name, Role::Dim);
        canvas.text(skip(area, 1 + NAME_WIDTH), text, Role::Text);
    }
}

/// What is known of an object, as names and texts.
fn about(
    found: &Found,
    (id, object): (ObjectId, &Object),
    desk: &Desk,
) -> Vec<(&'static str, String)> {
    let call = |seq: u64| {
        let row = desk.index.row(seq);
        let function = row.and_then(|row| desk.facts.functions.get(row.function.0 as usize));
        format!("#{} {}", grouped(seq), function.map_or("", String::as_str))
    };
    let mut lines = Vec::new();
    let own_name = cell(found, id, Column::OwnName);
    if !own_name.is_empty() {
        lines.push(("name", own_name));
    }
    let what = if object.kind().is_memory() {
        "address"
    } else {
        "handle"
    };
    lines.push((what, quantity(push_hex, object.word())));
    if let Some(bytes) = object.bytes() {
        let exact = grouped(bytes);
        lines.push(("size", format!("{} ({exact})", quantity(push_bytes, bytes))));
    }
    if let Some(parent) = object.parent().and_then(|parent| found.objects.get(parent)) {
        lines.push(("part of", parent.label().to_string()));
    }
    lines.push(match (object.origin(), object.created()) {
        (Origin::Given, Some(seq)) => ("told by", format!("{}: it is the driver's", call(seq))),
        (_, Some(seq)) => ("created", call(seq)),
        (_, None) => (
            "created",
            format!("not on record; first seen in {}", call(object.first_call())),
        ),
    });
    lines.push(match object.last_used() {
        Some(seq) => (
            "used",
            format!("{} times, last in {}", grouped(object.uses()), call(seq)),
        ),
        None => ("used", "never".to_owned()),
    });
    lines.push(match object.ended() {
        Some((seq, Ending::Destroyed)) => ("destroyed", call(seq)),
        Some((seq, Ending::WithParent)) => {
            ("went", format!("with what it is part of: {}", call(seq)))
        }
        Some((seq, Ending::Replaced)) => (
            "went",
            format!("unseen: another has its place since {}", call(seq)),
        ),
        None if object.is_left_behind() => ("destroyed", "never: left behind".to_owned()),
        None => ("destroyed", "never".to_owned()),
    });
    lines
}

fn draw_memory(list: &ObjectList, canvas: &mut Canvas<'_>, found: &Found, desk: &Desk) {
    if list.chart.is_empty() {
        return;
    }
    let memory = &found.memory;
    let peak = |amounts: &[u64]| amounts.iter().copied().max().unwrap_or(0);
    let (device, host) = (peak(&memory.device), peak(&memory.host));
    let title = format!(
        "Memory over time {} device: most {} {} host: most {}",
        canvas.glyphs().dot,
        quantity(push_bytes, device),
        canvas.glyphs().dot,
        quantity(push_bytes, host)
    );
    let x = list.about.width;
    canvas.rule(skip(list.rule, x + 1), &title, Role::OtherTitle);
    canvas.bar(list.bar);
    let [down, ..] = canvas.glyphs().tees;
    canvas.text(
        Rect {
            height: 1,
            ..list.bar
        },
        down,
        Role::Frame,
    );
    let chart = Rect {
        height: list.chart.height - 1,
        ..list.chart
    };
    draw_columns(canvas, skip(chart, AMOUNT), &memory.device, device);
    canvas.text_right(
        Rect {
            width: AMOUNT - 1,
            ..line_of(chart, 0)
        },
        &quantity(push_bytes, device),
        Role::Dim,
    );
    let marker = desk
        .index
        .row(desk.current)
        .map(|row| memory.moment(row.begin_ns));
    let foot = skip(line_of(list.chart, list.chart.height - 1), AMOUNT);
    if let Some(moment) = marker.filter(|_| foot.width > 0) {
        let x = moment * usize::from(foot.width) / MOMENTS;
        let sign = canvas.glyphs().tees[1];
        canvas.text(skip(foot, x as u16), sign, Role::Key);
    }
}

/// Amounts as columns that stand beside each other; each is the most of those that it stands for.
fn draw_columns(canvas: &mut Canvas<'_>, area: Rect, amounts: &[u64], most: u64) {
    if area.is_empty() || most == 0 {
        return;
    }
    let levels = canvas.glyphs().levels;
    let height = u128::from(area.height) * 8;
    for x in 0..area.width {
        let part = |x: u16| usize::from(x) * amounts.len() / usize::from(area.width);
        let stands_for = &amounts[part(x)..part(x + 1).max(part(x) + 1).min(amounts.len())];
        let amount = stands_for.iter().copied().max().unwrap_or(0);
        let eighths = (u128::from(amount) * height).div_ceil(u128::from(most)) as u16;
        for line in 0..area.height {
            let below = (area.height - 1 - line) * 8;
            let level = eighths.saturating_sub(below).min(8);
            let place = Rect::new(area.x + x, area.y + line, 1, 1);
            canvas.text(place, levels[usize::from(level)], Role::Name);
        }
    }
}
