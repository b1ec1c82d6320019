//! What is around every screen: the line at the top, the names of the screens, the line at the bottom.

use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use crate::app::{App, Overlay};
use crate::canvas::{Canvas, Piece, line_of, skip};
use crate::command::{Action, Direction, Kind, Wanted, key_of};
use crate::desk::Desk;
use crate::facts::grouped;
use crate::leaving;
use crate::program::ProgramState;
use crate::screen::{SCREENS, ScreenId};
use crate::theme::Role;

/// The line at the top, the filter, and the names of the screens.
const ABOVE: u16 = 3;
/// The line at the bottom.
const BELOW: u16 = 1;

/// Hints at the bottom, the most important first: commands whose keys stand together, and what they do.
const HINTS: [(&[Action], &str); 9] = [
    (&[Action::Help], "keys"),
    (&[Action::Palette], "command"),
    (
        &[
            Action::Find(Kind::Error, Direction::Forward),
            Action::Find(Kind::Error, Direction::Backward),
        ],
        "error",
    ),
    (&[Action::Search], "search"),
    (&[Action::Pane(Direction::Forward)], "pane"),
    (
        &[
            Action::Find(Kind::SameHandle, Direction::Forward),
            Action::Find(Kind::SameHandle, Direction::Backward),
        ],
        "same handle",
    ),
    (&[Action::Jump(Direction::Backward)], "back"),
    (&[Action::Copy(crate::command::Copied::Call)], "copy"),
    (&[Action::Quit], "quit"),
];

/// The part of the screen that is a screen's own.
pub fn body(size: Rect) -> Rect {
    let height = size.height.saturating_sub(ABOVE + BELOW);
    Rect {
        y: size.y + ABOVE.min(size.height),
        height,
        ..size
    }
}

/// Draws everything; gives the place of the terminal's cursor, if it is to be seen.
pub fn draw(app: &App, canvas: &mut Canvas<'_>) -> Option<Position> {
    let size = canvas.area();
    draw_top(canvas, line_of(size, 0), &app.desk);
    draw_filter(canvas, line_of(size, 1), &app.desk);
    draw_names(canvas, line_of(size, 2), app);
    app.shown().draw(canvas, &app.desk);
    let bottom = line_of(size, size.height.checked_sub(1)?);
    match &app.overlay {
        Some(Overlay::Filter(prompt)) => Some(prompt.draw(canvas, bottom)),
        Some(Overlay::Prompt(prompt)) => Some(prompt.draw(canvas, bottom)),
        Some(Overlay::Chooser(chooser)) => chooser.draw(canvas),
        Some(Overlay::Leaving) => {
            let program = app.desk.program.as_ref();
            leaving::draw(canvas, bottom, program.map_or("", |program| &program.name));
            None
        }
        None => {
            draw_bottom(canvas, bottom, app);
            None
        }
    }
}

fn draw_top(canvas: &mut Canvas<'_>, area: Rect, desk: &Desk) {
    let spaces = " ".repeat(area.width.into());
    canvas.text(area, &spaces, Role::Bar);
    let right = counts(desk);
    let right_width = (right.width() as u16).min(area.width);
    canvas.text_right(area, &right, Role::Bar);
    let left = Rect {
        width: area.width.saturating_sub(right_width + 1),
        ..area
    };
    let facts = &desk.facts;
    let mut whose = String::new();
    if let Some((pid, program)) = &facts.program {
        whose = format!("  {program} (pid {pid})");
        if facts.processes > 1 {
            whose = format!("{whose} and {} more", facts.processes - 1);
        }
    }
    let end = facts
        .end
        .as_ref()
        .map(|end| format!("  {end}"))
        .unwrap_or_default();
    let live = match facts.live {
        true => format!("  LIVE +{}/s", grouped(facts.rate)),
        false => String::new(),
    };
    let pieces: [Piece<'_>; 6] = [
        (" cutape ", Role::Brand),
        (" ", Role::Bar),
        (&facts.name, Role::Bar),
        (&live, Role::Bar),
        (&whose, Role::Bar),
        (&end, Role::Bar),
    ];
    canvas.pieces(left, &pieces);
}

/// Calls, failures and losses: always on the screen.
fn counts(desk: &Desk) -> String {
    let mut text = match desk.calls() {
        1 => "1 call".to_owned(),
        calls => format!("{} calls", grouped(calls)),
    };
    if let Some(verdicts) = &desk.verdicts {
        text.push_str(&format!("  {} failed", grouped(verdicts.failed)));
        if verdicts.benign_count > 0 {
            text.push_str(&format!(" ({} benign)", grouped(verdicts.benign_count)));
        }
        if verdicts.in_flight > 0 {
            text.push_str(&format!("  {} in flight", grouped(verdicts.in_flight)));
        }
    }
    text.push_str(&format!("  lost {} ", grouped(desk.lost())));
    text
}

fn draw_filter(canvas: &mut Canvas<'_>, area: Rect, desk: &Desk) {
    let area = skip(area, 1);
    let Some(text) = desk.filter_text() else {
        let hint = format!(
            "none: {} types one, {} only the value under the cursor, {} without it",
            key_of(Action::Filter),
            key_of(Action::FilterValue(Wanted::Only)),
            key_of(Action::FilterValue(Wanted::Without)),
        );
        canvas.pieces(area, &[("filter  ", Role::OtherTitle), (&hint, Role::Dim)]);
        return;
    };
    let mut result = String::new();
    if let Some(ms) = desk.chosen_ms {
        let of = if desk.is_filtering {
            desk.calls()
        } else {
            desk.chosen_of
        };
        result = format!(
            "{} of {}  ({ms} ms) ",
            grouped(desk.listing.len()),
            grouped(of)
        );
    }
    let width = (result.width() as u16).min(area.width);
    canvas.text_right(area, &result, Role::Dim);
    let left = Rect {
        width: area.width.saturating_sub(width + 1),
        ..area
    };
    canvas.pieces(left, &[("filter  ", Role::Title), (text, Role::Value)]);
}

fn draw_names(canvas: &mut Canvas<'_>, area: Rect, app: &App) {
    canvas.rule(area, "", Role::Frame);
    let mut x = 1;
    let program = app.desk.program.as_ref();
    for screen in SCREENS {
        let unread = match (screen.id, program) {
            (ScreenId::Output, None) => continue,
            (ScreenId::Output, Some(program)) => program.unread_text(),
            _ => String::new(),
        };
        let title = match screen.id {
            ScreenId::Comparison if app.comparison.is_report() => "Replay",
            _ => screen.title,
        };
        let name = format!(" {} {title} {unread}", screen.number);
        let shown = screen.id == app.screen;
        let role = if shown { Role::Title } else { Role::OtherTitle };
        x += canvas.text(skip(area, x), &name, role);
        x += 1;
    }
    let new = app.desk.calls().saturating_sub(app.desk.seen);
    if app.desk.facts.live && !app.desk.follows && new > 0 {
        let text = format!(" +{} new: F follows ", grouped(new));
        canvas.text_right(area, &text, Role::Live);
    }
    if let Some(progress) = &app.desk.progress {
        let percent = (u128::from(progress.done) * 100 / u128::from(progress.all.max(1))).min(100);
        let text = format!(" {} {percent} %: Esc stops ", progress.what);
        canvas.text_right(area, &text, Role::Warning);
    }
}

fn draw_bottom(canvas: &mut Canvas<'_>, area: Rect, app: &App) {
    let desk = &app.desk;
    if let Some(notice) = &desk.notice {
        canvas.text(skip(area, 1), &notice.text, notice.role);
        return;
    }
    let pending = app.keymap.pending();
    if !pending.is_empty() {
        canvas.text(
            skip(area, 1),
            &format!("{pending}{}", canvas.glyphs().cut),
            Role::Key,
        );
        return;
    }
    let mut x = 1;
    if desk.program.as_ref().is_some_and(ProgramState::runs) {
        x += canvas.pieces(
            skip(area, x),
            &[
                (key_of(Action::Interrupt), Role::Key),
                (" interrupt the program  ", Role::Dim),
            ],
        );
    }
    for (actions, title) in HINTS {
        let keys: Vec<&str> = actions.iter().map(|&action| key_of(action)).collect();
        let keys = keys.join("/").replace(' ', "");
        let width = (keys.width() + 1 + title.width() + 2) as u16;
        if x + width > area.width {
            break;
        }
        let pieces = [
            (keys.as_str(), Role::Key),
            (" ", Role::Dim),
            (title, Role::Dim),
        ];
        canvas.pieces(skip(area, x), &pieces);
        x += width;
    }
}
