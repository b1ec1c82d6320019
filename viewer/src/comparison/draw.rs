//! Drawing a comparison: two sides, and the arguments of the row under the cursor beside each other.

use cutape_analysis::diff::report::LineKind;
use cutape_analysis::diff::{ArgumentChange, CallChange, RowKind};
use ratatui::layout::Rect;

use crate::canvas::{Canvas, line_of, skip};
use crate::command::{Action, Direction, Kind, key_of};
use crate::desk::Desk;
use crate::facts::grouped;
use crate::theme::Role;

use crate::wrap::wrapped;

use super::{ComparisonScreen, DiffLine, DiffRow, State};

/// Columns of the mark between the sides.
const MIDDLE: u16 = 3;
/// Columns of an argument's name.
const NAME_WIDTH: u16 = 24;

/// Draws the screen.
pub(super) fn draw(screen: &ComparisonScreen, canvas: &mut Canvas<'_>, desk: &Desk) {
    let first = skip(line_of(screen.area, 0), 2);
    match &screen.state {
        State::Nothing => {
            let text = "no second trace: `:compare PATH` opens one beside this, or a report of `cutape replay --json`";
            canvas.text(first, text, Role::Dim);
        }
        State::Wanted(_) | State::Comparing => {
            canvas.text(first, "comparing", Role::Dim);
        }
        State::Failed(why) => {
            canvas.text(first, why, Role::Failed);
        }
        State::Compared(_) => draw_lines(screen, canvas, desk),
    }
}

fn draw_lines(screen: &ComparisonScreen, canvas: &mut Canvas<'_>, desk: &Desk) {
    let visible = screen.window.visible();
    let lines = (0..)
        .zip(screen.lines())
        .skip(visible.start as usize)
        .take(screen.list.height.into());
    for (row, (place, line)) in lines.enumerate() {
        let area = line_of(screen.list, row as u16);
        draw_line(canvas, area, line);
        if place == screen.window.cursor() {
            canvas.cursor_line(area, true);
            canvas.text(area, canvas.glyphs().cursor, Role::Key);
        }
    }
    canvas.scroll_bar(screen.list, &visible, screen.window.len());
    if !screen.pane.is_empty() {
        draw_pane(screen, canvas, desk);
    }
}

fn draw_line(canvas: &mut Canvas<'_>, area: Rect, line: &DiffLine) {
    let inside = skip(area, 2);
    match line {
        DiffLine::Text(kind, text) => {
            canvas.text(inside, text, role_of(*kind));
        }
        DiffLine::Hunk(text) => canvas.rule(area, text, Role::Title),
        DiffLine::Row(row) => draw_row(canvas, inside, row),
    }
}

fn role_of(kind: LineKind) -> Role {
    match kind {
        LineKind::Heading => Role::Title,
        LineKind::Place => Role::Dim,
        LineKind::Both => Role::Text,
        LineKind::OnlyA => Role::Failed,
        LineKind::OnlyB => Role::Good,
        LineKind::Changed => Role::Warning,
        LineKind::Note => Role::Dim,
        LineKind::Key => Role::Function,
    }
}

fn draw_row(canvas: &mut Canvas<'_>, area: Rect, row: &DiffRow) {
    let side = area.width.saturating_sub(MIDDLE + 1) / 2;
    let left = Rect {
        width: side,
        ..area
    };
    let right = Rect {
        width: side,
        ..skip(area, side + MIDDLE)
    };
    let role = match row.kind {
        RowKind::Same => Role::Dim,
        RowKind::Changed => Role::Warning,
        RowKind::OnlyA => Role::Failed,
        RowKind::OnlyB => Role::Good,
        _ => Role::Text,
    };
    let mark = row.kind.mark().to_string();
    canvas.text(skip(area, side + 1), &mark, role);
    draw_side(canvas, left, row.a.as_ref(), role);
    draw_side(canvas, right, row.b.as_ref(), role);
}

fn draw_side(canvas: &mut Canvas<'_>, area: Rect, call: Option<&(u64, String)>, role: Role) {
    let Some((seq, text)) = call else {
        return;
    };
    let number = format!("{:>7} ", grouped(*seq));
    let taken = canvas.text(area, &number, Role::Dim);
    canvas.text(skip(area, taken), text, role);
}

fn draw_pane(screen: &ComparisonScreen, canvas: &mut Canvas<'_>, desk: &Desk) {
    let next = key_of(Action::Find(Kind::Error, Direction::Forward));
    let before = key_of(Action::Find(Kind::Error, Direction::Backward));
    let title = match screen.line_under_cursor() {
        Some(DiffLine::Row(_)) => {
            format!("Arguments in both: {next}/{before} difference, Enter the call")
        }
        _ => "The line in full".to_owned(),
    };
    canvas.rule(
        Rect {
            height: 1,
            ..screen.pane
        },
        &title,
        Role::OtherTitle,
    );
    let inside = Rect {
        y: screen.pane.y + 1,
        height: screen.pane.height - 1,
        ..skip(screen.pane, 2)
    };
    match screen.line_under_cursor() {
        Some(DiffLine::Row(row)) => match (&row.change, &row.a) {
            (Some(change), _) => draw_change(screen, canvas, inside, (row, change), desk),
            (None, Some(_)) => draw_text(canvas, inside, "only this trace has the call"),
            (None, None) => draw_text(canvas, inside, "only the other trace has the call"),
        },
        Some(DiffLine::Text(_, text)) => draw_text(canvas, inside, text.trim()),
        Some(DiffLine::Hunk(text)) => draw_text(canvas, inside, text),
        None => {}
    }
}

fn draw_text(canvas: &mut Canvas<'_>, area: Rect, text: &str) {
    for (row, part) in wrapped(text, area.width.saturating_sub(1))
        .iter()
        .enumerate()
    {
        canvas.text(line_of(area, row as u16), part, Role::Text);
    }
}

fn draw_change(
    screen: &ComparisonScreen,
    canvas: &mut Canvas<'_>,
    area: Rect,
    (row, change): (&DiffRow, &CallChange),
    desk: &Desk,
) {
    let side = area.width.saturating_sub(NAME_WIDTH) / 2;
    let answer = ArgumentChange {
        name: "answer".to_owned(),
        a: Some(change.answer.0.clone()),
        b: Some(change.answer.1.clone()),
        differs: change.answer_differs,
    };
    let (left, right) = screen
        .sides()
        .unwrap_or((desk.facts.name.as_str(), "the other trace"));
    let function = change.api.0.as_str();
    canvas.text(
        Rect {
            width: NAME_WIDTH - 1,
            ..line_of(area, 0)
        },
        function,
        Role::Function,
    );
    canvas.text(
        Rect {
            width: side,
            ..skip(line_of(area, 0), NAME_WIDTH)
        },
        left,
        Role::Dim,
    );
    canvas.text(skip(line_of(area, 0), NAME_WIDTH + side), right, Role::Dim);
    // Where not all fit, those that differ count.
    let mut shown: Vec<&ArgumentChange> = change.arguments.iter().chain([&answer]).collect();
    if shown.len() + 1 > usize::from(area.height) {
        shown.sort_by_key(|argument| !argument.differs);
    }
    let below = shown.len() as u16 + 2;
    if let Some(note) = row.note.as_ref().filter(|_| below < area.height) {
        let rest = Rect {
            y: area.y + below,
            height: area.height - below,
            ..area
        };
        draw_text(canvas, rest, note);
    }
    for (line, argument) in (1..)
        .zip(shown)
        .take(usize::from(area.height).saturating_sub(1))
    {
        let line = line_of(area, line);
        let role = if argument.differs {
            Role::Warning
        } else {
            Role::Dim
        };
        let mark = if argument.differs { "! " } else { "  " };
        canvas.pieces(
            Rect {
                width: NAME_WIDTH - 1,
                ..line
            },
            &[(mark, Role::Warning), (&argument.name, Role::Name)],
        );
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        canvas.text(
            Rect {
                width: side.saturating_sub(1),
                ..skip(line, NAME_WIDTH)
            },
            &value(&argument.a),
            role,
        );
        canvas.text(skip(line, NAME_WIDTH + side), &value(&argument.b), role);
    }
}
