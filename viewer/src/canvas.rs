//! Drawing text into a buffer: cut where there is no room, styled by role, never outside of its area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::glyphs::{ASCII, Glyphs, UNICODE};
use crate::theme::{Role, Theme};

/// How everything looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub theme: Theme,
    /// Signs of ASCII only.
    pub ascii: bool,
}

impl Look {
    /// The signs.
    pub fn glyphs(&self) -> &'static Glyphs {
        if self.ascii { &ASCII } else { &UNICODE }
    }
}

/// A buffer to draw on.
#[derive(Debug)]
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    /// How it looks.
    pub look: Look,
}

/// A piece of a line.
pub type Piece<'a> = (&'a str, Role);

impl<'a> Canvas<'a> {
    /// Draws on a buffer.
    pub fn new(buffer: &'a mut Buffer, look: Look) -> Self {
        Self { buffer, look }
    }

    /// All of it.
    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// The signs.
    pub fn glyphs(&self) -> &'static Glyphs {
        self.look.glyphs()
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.look.theme.style(role)
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for row in area.rows() {
            for cell in row.columns() {
                self.buffer[(cell.x, cell.y)].reset();
            }
        }
    }

    /// Gives an area a role's style.
    pub fn tint(&mut self, area: Rect, role: Role) {
        self.buffer.set_style(area, self.style(role));
    }

    /// Marks the line of the cursor. Where that is done by reversing, the line's own colours would become grounds: they go, and what they say is
    /// said by signs, too.
    pub fn cursor_line(&mut self, area: Rect, focused: bool) {
        let style = self.style(if focused {
            Role::Cursor
        } else {
            Role::OtherCursor
        });
        let reversed = style.add_modifier.contains(Modifier::REVERSED);
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            let cell = &mut self.buffer[position];
            if reversed {
                let bold = cell.modifier & Modifier::BOLD;
                cell.set_style(Style::reset().add_modifier(bold));
            }
            cell.set_style(style);
        }
    }

    /// Writes text that may take the area's first line, and cuts it where that ends. Returns the columns taken.
    pub fn text(&mut self, area: Rect, text: &str, role: Role) -> u16 {
        self.styled(area, text, self.style(role))
    }

    /// Writes text at the right end of the area's first line.
    pub fn text_right(&mut self, area: Rect, text: &str, role: Role) {
        let width = (text.width() as u16).min(area.width);
        self.text(right_part(area, width), text, role);
    }

    /// Writes pieces one after the other. Returns the columns taken.
    pub fn pieces(&mut self, area: Rect, pieces: &[Piece<'_>]) -> u16 {
        let mut taken = 0;
        for (text, role) in pieces {
            taken += self.text(skip(area, taken), text, *role);
        }
        taken
    }

    /// Writes text whose parts that match are marked. Returns the columns taken.
    pub fn searched(&mut self, area: Rect, text: &str, role: Role, found: Option<&Matcher>) -> u16 {
        let taken = self.text(area, text, role);
        let Some(found) = found else {
            return taken;
        };
        let style = self.style(Role::Match);
        for range in found.ranges(text) {
            let start = text[..range.start].width() as u16;
            let width = text[range].width() as u16;
            let visible = taken.saturating_sub(start).min(width);
            let place = Rect {
                x: area.x.saturating_add(start),
                width: visible,
                height: area.height.min(1),
                ..area
            };
            self.buffer.set_style(place.intersection(area), style);
        }
        taken
    }

    fn styled(&mut self, area: Rect, text: &str, style: Style) -> u16 {
        let area = area.intersection(self.buffer.area);
        if area.is_empty() {
            return 0;
        }
        let room = usize::from(area.width);
        let whole = text.width() <= room;
        let mut taken = 0;
        let limit = if whole { room } else { room - 1 };
        for letter in text.chars() {
            let width = letter.width().unwrap_or(0);
            if width == 0 {
                continue;
            }
            if taken + width > limit {
                break;
            }
            let cell = &mut self.buffer[(area.x + taken as u16, area.y)];
            cell.set_char(letter).set_style(style);
            // The second column of a wide letter is the terminal's.
            for second in 1..width {
                self.buffer[(area.x + (taken + second) as u16, area.y)].reset();
            }
            taken += width;
        }
        if !whole {
            let cell = &mut self.buffer[(area.x + taken as u16, area.y)];
            cell.set_symbol(self.look.glyphs().cut).set_style(style);
            taken += 1;
        }
        taken as u16
    }

    /// Draws a horizontal line with a title in it.
    pub fn rule(&mut self, area: Rect, title: &str, role: Role) {
        let line = self.glyphs().line;
        for x in area.left()..area.right() {
            self.text(Rect::new(x, area.y, 1, 1), line, Role::Frame);
        }
        if !title.is_empty() && area.width > 4 {
            let room = Rect::new(area.x + 1, area.y, area.width - 2, 1);
            self.text(room, &format!(" {title} "), role);
        }
    }

    /// Draws a vertical line.
    pub fn bar(&mut self, area: Rect) {
        let bar = self.glyphs().bar;
        for y in area.top()..area.bottom() {
            self.text(Rect::new(area.x, y, 1, 1), bar, Role::Frame);
        }
    }

    /// Draws a box with a title and returns what is inside.
    pub fn boxed(&mut self, area: Rect, title: &str) -> Rect {
        let area = area.intersection(self.buffer.area);
        self.clear(area);
        if area.width < 2 || area.height < 2 {
            return Rect::ZERO;
        }
        let [upper_left, upper_right, lower_left, lower_right] = self.glyphs().corners;
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        self.rule(Rect { height: 1, ..area }, title, Role::Title);
        self.rule(
            Rect {
                y: bottom,
                height: 1,
                ..area
            },
            "",
            Role::Frame,
        );
        self.bar(Rect { width: 1, ..area });
        self.bar(Rect {
            x: right,
            width: 1,
            ..area
        });
        let corners = [
            (area.x, area.y, upper_left),
            (right, area.y, upper_right),
            (area.x, bottom, lower_left),
            (right, bottom, lower_right),
        ];
        for (x, y, sign) in corners {
            self.text(Rect::new(x, y, 1, 1), sign, Role::Frame);
        }
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }

    /// Draws where the visible lines of a list are, in a column of the screen; nothing where all are visible.
    pub fn scroll_bar(&mut self, area: Rect, visible: &std::ops::Range<u64>, len: u64) {
        let height = u64::from(area.height);
        let shown = visible.end.saturating_sub(visible.start);
        if len <= shown || height == 0 || area.width == 0 {
            return;
        }
        let part = |lines: u64| (u128::from(lines) * u128::from(height) / u128::from(len)) as u64;
        let size = part(shown).clamp(1, height);
        let last = height - size;
        let at = match visible.end >= len {
            true => last,
            false => part(visible.start).min(last.saturating_sub(1)),
        };
        let [track, thumb] = self.glyphs().scroll;
        for line in 0..height {
            let on = (at..at + size).contains(&line);
            let place = Rect::new(area.right() - 1, area.y + line as u16, 1, 1);
            let (sign, role) = if on {
                (thumb, Role::Dim)
            } else {
                (track, Role::Frame)
            };
            self.text(place, sign, role);
        }
    }
}

/// What is left of an area when columns were taken from its left.
pub fn skip(area: Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    Rect {
        x: area.x + columns,
        width: area.width - columns,
        ..area
    }
}

/// The right part of an area.
pub fn right_part(area: Rect, width: u16) -> Rect {
    skip(area, area.width.saturating_sub(width))
}

/// A line of an area, counted from its top; empty beyond its end.
pub fn line_of(area: Rect, line: u16) -> Rect {
    if line >= area.height {
        return Rect::ZERO;
    }
    Rect {
        y: area.y + line,
        height: 1,
        ..area
    }
}

/// A text that is searched for. Without a capital letter in it, case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    text: String,
    any_case: bool,
}

impl Matcher {
    /// Searches for a text; `None` for an empty one.
    pub fn new(text: &str) -> Option<Self> {
        let any_case = !text.chars().any(char::is_uppercase);
        (!text.is_empty()).then(|| Self {
            text: text.to_owned(),
            any_case,
        })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is in a text.
    pub fn is_in(&self, text: &str) -> bool {
        self.find(text, 0).is_some()
    }

    /// Where it is in a text.
    pub fn ranges(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        let mut ranges = Vec::new();
        let mut from = 0;
        while let Some(start) = self.find(text, from) {
            from = start + self.text.len();
            ranges.push(start..from);
        }
        ranges
    }

    fn find(&self, text: &str, from: usize) -> Option<usize> {
        if !self.any_case {
            return text.get(from..)?.find(&self.text).map(|at| from + at);
        }
        let (text, wanted) = (text.as_bytes(), self.text.as_bytes());
        let last = text.len().checked_sub(wanted.len())?;
        // ASCII letters only: calls are written in them, and byte places stay what they are.
        let first = wanted[0];
        (from..=last).find(|&at| {
            text[at].eq_ignore_ascii_case(&first)
                && text[at..at + wanted.len()].eq_ignore_ascii_case(wanted)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: u16, draw: impl FnOnce(&mut Canvas<'_>)) -> String {
        let area = Rect::new(0, 0, width, 1);
        let mut buffer = Buffer::empty(area);
        draw(&mut Canvas::new(
            &mut buffer,
            Look {
                theme: Theme::Mono,
                ascii: false,
            },
        ));
        buffer.content().iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn text_is_cut_and_says_so() {
        let text = |width, text: &str| {
            drawn(width, |canvas| {
                canvas.text(canvas.area(), text, Role::Text);
            })
        };
        assert_eq!(text(5, "hello"), "hello");
        assert_eq!(text(5, "hello!"), "hell…");
        assert_eq!(text(4, "漢漢漢"), "漢 … ");
        assert_eq!(text(1, "ab"), "…");
    }

    #[test]
    fn matches_are_found_by_any_case_unless_asked_with_capitals() {
        let any = Matcher::new("mem").expect("not empty");
        assert_eq!(any.ranges("cuMemGetMEM"), [2..5, 8..11]);
        let exact = Matcher::new("Mem").expect("not empty");
        assert_eq!(exact.ranges("cuMemGetMEM").first(), Some(&(2..5)));
        assert_eq!(exact.ranges("cuMemGetMEM").len(), 1);
        assert!(any.ranges("é漢").is_empty() && !any.is_in("me"));
        assert_eq!(Matcher::new(""), None);
    }
}
