//! Drawing the panes below the list: arguments, what is known of the call, bytes.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::canvas::{Canvas, Piece, line_of, skip};
use crate::desk::Desk;
use crate::list_window::ListWindow;
use crate::theme::Role;
use crate::wrap::wrapped;

use super::Calls;
use super::bytes::Span;
use super::details::AboutLine;
use super::hex::{self, HexLine};
use super::layout::Pane;
use super::tree::TreeLine;

/// Columns of what is said in the pane about the call.
const NAME_WIDTH: u16 = 10;
/// Values of a tree stand below each other as long as names are shorter than this.
const MOST_NAME: u16 = 28;

/// Draws the panes.
pub(super) fn draw(calls: &Calls, canvas: &mut Canvas<'_>, desk: &Desk) {
    let areas = &calls.areas;
    if areas.rule.is_empty() {
        return;
    }
    let title = |pane| {
        if calls.focus == pane {
            Role::Title
        } else {
            Role::OtherTitle
        }
    };
    canvas.rule(
        Rect {
            width: areas.arguments.width,
            ..areas.rule
        },
        "Arguments",
        title(Pane::Arguments),
    );
    canvas.rule(
        skip(areas.rule, areas.arguments.width + 1),
        "About",
        title(Pane::About),
    );
    canvas.rule(areas.right_rule, &bytes_title(calls), title(Pane::Bytes));
    canvas.bar(areas.bar);
    let [down, _, right, _] = canvas.glyphs().tees;
    canvas.text(
        Rect {
            height: 1,
            ..areas.bar
        },
        down,
        Role::Frame,
    );
    if !areas.right_rule.is_empty() {
        let y = areas.right_rule.y;
        canvas.text(
            Rect {
                y,
                height: 1,
                ..areas.bar
            },
            right,
            Role::Frame,
        );
    }
    draw_arguments(calls, canvas, desk);
    draw_about(calls, canvas);
    draw_bytes(calls, canvas);
}

/// Names the bytes that are marked.
fn bytes_title(calls: &Calls) -> String {
    let line = calls.line_under_cursor();
    let named = line.and_then(|line| Some((line, line.span?)));
    match named {
        Some((line, span)) => {
            let Span { start, length, .. } = span;
            format!("Bytes: [{}] at {start:#x}, {length} long", line.path)
        }
        None => "Bytes".to_owned(),
    }
}

fn draw_arguments(calls: &Calls, canvas: &mut Canvas<'_>, desk: &Desk) {
    let area = skip(calls.areas.arguments, 1);
    let names = calls.tree_lines().filter(|(line, _)| line.depth > 0);
    let name_width = names
        .map(|(line, _)| indent(line) + line.name.width() as u16)
        .max()
        .unwrap_or(0);
    let name_width = name_width.min(MOST_NAME);
    let first = calls.arguments.top() as usize;
    let lines = calls
        .tree_lines()
        .enumerate()
        .skip(first)
        .take(area.height.into());
    for (row, (place, (line, closed))) in lines.enumerate() {
        let row_area = line_of(area, row as u16);
        draw_tree_line(canvas, row_area, (line, closed), name_width, desk);
        if place as u64 == calls.arguments.cursor() && calls.focus == Pane::Arguments {
            canvas.cursor_line(row_area, true);
        }
    }
    scroll_bar(canvas, area, &calls.arguments);
}

fn indent(line: &TreeLine) -> u16 {
    u16::from(line.depth.min(16)) * 2
}

fn draw_tree_line(
    canvas: &mut Canvas<'_>,
    area: Rect,
    shown: (&TreeLine, bool),
    name_width: u16,
    desk: &Desk,
) {
    let (line, closed) = shown;
    let [open_sign, closed_sign] = canvas.glyphs().folds;
    let sign = match (line.is_branch, closed) {
        (false, _) => " ",
        (true, false) => open_sign,
        (true, true) => closed_sign,
    };
    let start = indent(line);
    canvas.text(skip(area, start), sign, Role::Dim);
    let area = skip(area, start + 2);
    if line.depth == 0 {
        canvas.text(area, &line.name, Role::Function);
        return;
    }
    canvas.searched(area, &line.name, Role::Name, desk.search.as_ref());
    let taken = (name_width + 2)
        .saturating_sub(start)
        .max(line.name.width() as u16 + 2);
    let area = skip(area, taken);
    if line.is_branch && !closed && line.depth > 0 {
        return;
    }
    let role = if line.is_failure {
        Role::Failed
    } else {
        Role::Value
    };
    let taken = canvas.searched(area, &line.value, role, desk.search.as_ref());
    let rest = skip(area, taken + 2);
    if rest.width as usize >= line.type_name.width() {
        canvas.text(rest, &line.type_name, Role::Dim);
    }
}

/// A line about a call, or a part of one that is too long.
pub(super) struct ShownLine<'a> {
    /// What is said; empty where the line goes on.
    pub name: &'a str,
    /// What there is to say.
    pub text: String,
    /// What it is a part of.
    pub line: &'a AboutLine,
}

/// The lines about a call, broken where they are too long.
pub(super) fn about_lines(lines: &[AboutLine], width: u16) -> Vec<ShownLine<'_>> {
    let room = width.saturating_sub(NAME_WIDTH + 3);
    let mut shown = Vec::new();
    for line in lines {
        for (number, text) in wrapped(&line.text, room).into_iter().enumerate() {
            shown.push(ShownLine {
                name: if number == 0 { &line.name } else { "" },
                text,
                line,
            });
        }
    }
    shown
}

fn draw_about(calls: &Calls, canvas: &mut Canvas<'_>) {
    let area = skip(calls.areas.about, 1);
    let Some(details) = &calls.details else {
        return;
    };
    let lines = about_lines(&details.about, calls.areas.about.width);
    let first = calls.about.top() as usize;
    for (row, shown) in lines
        .iter()
        .skip(first)
        .take(area.height.into())
        .enumerate()
    {
        let line = line_of(area, row as u16);
        canvas.text(line, shown.name, Role::Name);
        let area = skip(line, NAME_WIDTH.max(shown.name.width() as u16 + 1));
        canvas.text(area, &shown.text, shown.line.role);
        if calls.focus == Pane::About && (first + row) as u64 == calls.about.cursor() {
            canvas.cursor_line(line, true);
        }
    }
    scroll_bar(canvas, area, &calls.about);
}

fn draw_bytes(calls: &Calls, canvas: &mut Canvas<'_>) {
    let area = skip(calls.areas.bytes, 1);
    let Some(details) = &calls.details else {
        return;
    };
    let lines = hex::lines(&details.bytes, calls.areas.bytes.width);
    if lines.is_empty() {
        canvas.text(
            area,
            "nothing was copied from behind this call's pointers",
            Role::Dim,
        );
    }
    let marking = calls.line_under_cursor().and_then(|line| line.span);
    let first = calls.bytes.top() as usize;
    for (row, line) in lines
        .iter()
        .skip(first)
        .take(area.height.into())
        .enumerate()
    {
        let place = line_of(area, row as u16);
        let marked;
        let pieces: Vec<Piece<'_>> = match line {
            HexLine::Title(title) => vec![(title, Role::Name)],
            HexLine::Bytes {
                span,
                digits,
                letters,
            } => {
                let places = marking.and_then(|marking| hex::common(span, &marking));
                match places {
                    Some(places) => {
                        marked = hex::marked(digits, &places);
                        vec![
                            (&marked[0], Role::Value),
                            (&marked[1], Role::Match),
                            (&marked[2], Role::Value),
                            (letters, Role::Dim),
                        ]
                    }
                    None => vec![(digits, Role::Value), (letters, Role::Dim)],
                }
            }
        };
        canvas.pieces(place, &pieces);
        if calls.focus == Pane::Bytes && (first + row) as u64 == calls.bytes.cursor() {
            canvas.cursor_line(place, true);
        }
    }
    scroll_bar(canvas, area, &calls.bytes);
}

fn scroll_bar(canvas: &mut Canvas<'_>, area: Rect, window: &ListWindow) {
    canvas.scroll_bar(area, &window.visible(), window.len());
}
