//! Drawing what was counted: a table, and the times of the line under the cursor as bars.

use cutape_analysis::histogram::Histogram;
use cutape_analysis::quantity::{push_time, text as quantity};
use ratatui::layout::Rect;

use crate::canvas::{Canvas, line_of, skip};
use crate::desk::Desk;
use crate::facts::grouped;
use crate::table::TablePlace;
use crate::theme::Role;

use super::count::{Counted, Tally};
use super::{Column, Stats};

/// Columns of the labels before bars.
const LABEL: u16 = 20;
/// Columns of the counts behind bars.
const COUNT: u16 = 12;

/// Draws the screen.
pub(super) fn draw(stats: &Stats, canvas: &mut Canvas<'_>, desk: &Desk) {
    let Some(counted) = &stats.counted else {
        let text = match desk.indexed {
            true => "counting",
            false if desk.facts.live && desk.calls() == 0 => "no call yet: waiting for the program",
            false => "counting begins when all calls are indexed",
        };
        canvas.text(
            skip(line_of(stats.table.list, 0), crate::table::SIGN),
            text,
            Role::Dim,
        );
        return;
    };
    let range = octave_range(&counted.total.times);
    stats
        .table
        .draw(canvas, stats.sorted_by, |canvas, area, position| {
            if let Some(tally) = stats.tally(position) {
                draw_line(canvas, area, tally, (&stats.table.places, counted, range));
            }
        });
    if !stats.pane.is_empty() {
        draw_pane(stats, canvas, counted);
    }
}

/// `with` is the places of columns, what was counted, and the octaves of all times.
fn draw_line(
    canvas: &mut Canvas<'_>,
    area: Rect,
    tally: &Tally,
    with: (&[TablePlace<Column>], &Counted, (usize, usize)),
) {
    let (places, counted, range) = with;
    for place in places {
        if place.column == Column::Times {
            let text = sparkline(canvas, &tally.times, range, place.width.into());
            place.put(canvas, area, (&text, Role::Value));
            continue;
        }
        let role = match place.column {
            Column::Failed if tally.failed > 0 => Role::Failed,
            Column::Benign if tally.benign > 0 => Role::Warning,
            Column::InFlight if tally.in_flight > 0 => Role::Warning,
            Column::Failed | Column::Benign | Column::InFlight => Role::Dim,
            Column::Name => Role::Function,
            _ => Role::Text,
        };
        place.put(canvas, area, (&cell(tally, place.column, counted), role));
    }
}

/// The text of a line in a column.
pub(super) fn cell(tally: &Tally, column: Column, counted: &Counted) -> String {
    let time = |ns: Option<u64>| ns.map_or("-".to_owned(), |ns| quantity(push_time, ns));
    match column {
        Column::Share => {
            let all = counted.total.total_ns.max(1);
            let share = (u128::from(tally.total_ns) * 10_000 / u128::from(all)) as u64;
            format!("{}.{:02}", share / 100, share % 100)
        }
        Column::Total => time(Some(tally.total_ns)),
        Column::Calls => grouped(tally.calls),
        Column::Failed => grouped(tally.failed),
        Column::Benign => grouped(tally.benign),
        Column::InFlight => grouped(tally.in_flight),
        Column::Mean => time(tally.mean_ns()),
        Column::Median => time(tally.times.percentile_ns(50)),
        Column::P99 => time(tally.times.percentile_ns(99)),
        Column::Longest => time(tally.times.most_ns()),
        Column::Times => String::new(),
        Column::Name => tally.name.clone(),
    }
}

/// First and last octave that has times.
fn octave_range(times: &Histogram) -> (usize, usize) {
    let mut used = times
        .octaves()
        .enumerate()
        .filter(|(_, (_, count))| *count > 0)
        .map(|(place, _)| place);
    let first = used.next().unwrap_or(0);
    (first, used.last().unwrap_or(first))
}

/// A column for each octave, as high as it has many times.
fn sparkline(
    canvas: &Canvas<'_>,
    times: &Histogram,
    (first, last): (usize, usize),
    width: usize,
) -> String {
    let levels = canvas.glyphs().levels;
    let counts: Vec<u64> = times
        .octaves()
        .skip(first)
        .take((last + 1 - first).min(width))
        .map(|(_, count)| count)
        .collect();
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let level = |count: u64| match count {
        0 => 0,
        _ => (u128::from(count) * 8).div_ceil(u128::from(most)) as usize,
    };
    counts
        .into_iter()
        .map(|count| levels[level(count)])
        .collect()
}

fn draw_pane(stats: &Stats, canvas: &mut Canvas<'_>, counted: &Counted) {
    let tally = stats.tally(stats.table.window.cursor());
    let title = match tally {
        Some(tally) => format!("Times of {}", tally.name),
        None => "Times".to_owned(),
    };
    canvas.rule(stats.rule, &title, Role::OtherTitle);
    let Some(tally) = tally else {
        return;
    };
    let summary = format!(
        "{}, {} in all, mean {}, 50 % within {}, 99 % within {}, longest {}",
        match tally.calls {
            1 => "1 call".to_owned(),
            calls => format!("{} calls", grouped(calls)),
        },
        cell(tally, Column::Total, counted),
        cell(tally, Column::Mean, counted),
        cell(tally, Column::Median, counted),
        cell(tally, Column::P99, counted),
        cell(tally, Column::Longest, counted),
    );
    canvas.text(skip(line_of(stats.pane, 0), 1), &summary, Role::Dim);
    let bars = Rect {
        y: stats.pane.y + 1,
        height: stats.pane.height - 1,
        ..stats.pane
    };
    draw_bars(canvas, bars, &tally.times);
}

/// A bar for each octave between the shortest and the longest time; where there is not room for all, those with most.
fn draw_bars(canvas: &mut Canvas<'_>, area: Rect, times: &Histogram) {
    let (first, last) = octave_range(times);
    let mut bars: Vec<(usize, u64, u64)> = times
        .octaves()
        .enumerate()
        .skip(first)
        .take(last + 1 - first)
        .map(|(place, (low_ns, count))| (place, low_ns, count))
        .collect();
    let room = usize::from(area.height);
    if bars.len() > room {
        bars.sort_by_key(|&(place, _, count)| (std::cmp::Reverse(count), place));
        bars.truncate(room);
        bars.sort_unstable();
    }
    let most = bars.iter().map(|&(_, _, count)| count).max().unwrap_or(0);
    let width = area.width.saturating_sub(LABEL + COUNT + 3);
    for (line, (_, low_ns, count)) in bars.into_iter().enumerate() {
        let area = line_of(area, line as u16);
        let high_ns = if low_ns == 0 {
            32
        } else {
            low_ns.saturating_mul(2)
        };
        let label = format!(
            "{:>8} to {:<8}",
            quantity(push_time, low_ns),
            quantity(push_time, high_ns)
        );
        canvas.text(skip(area, 1), &label, Role::Dim);
        let bar = Rect {
            width,
            ..skip(area, LABEL + 1)
        };
        draw_bar(canvas, bar.intersection(area), (count, most));
        let count_area = Rect {
            width: COUNT,
            ..skip(area, LABEL + 1 + width + 1)
        };
        canvas.text_right(count_area.intersection(area), &grouped(count), Role::Text);
    }
}

/// A bar that is as long as its part of the most.
fn draw_bar(canvas: &mut Canvas<'_>, area: Rect, (count, most): (u64, u64)) {
    let columns = match count {
        0 => 0,
        _ => {
            (u128::from(count) * u128::from(area.width)).div_ceil(u128::from(most.max(1))) as usize
        }
    };
    let full = canvas.glyphs().levels[8];
    canvas.text(area, &full.repeat(columns), Role::Name);
}
