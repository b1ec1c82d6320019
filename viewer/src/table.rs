//! Tables: columns that are there from some width of the screen on, of which one takes what is left.

use ratatui::layout::Rect;

use crate::canvas::{Canvas, line_of, skip};
use crate::list_window::ListWindow;
use crate::theme::Role;

/// Columns at the left end for the sign of the cursor.
pub const SIGN: u16 = 2;
/// Between columns.
const SPACE: u16 = 2;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct TableColumn<C> {
    /// Which.
    pub column: C,
    /// Its title.
    pub title: &'static str,
    /// Columns of the screen that it takes; 0 for the one that takes what is left.
    pub width: u16,
    /// Its text stands at the right end.
    pub right: bool,
    /// The width of the screen from which on it is there.
    pub from: u16,
}

/// A column with its place.
#[derive(Clone, Copy, Debug)]
pub struct TablePlace<C> {
    /// Which.
    pub column: C,
    /// Its title.
    pub title: &'static str,
    /// Columns from the left end of the table.
    pub x: u16,
    /// Columns that it takes.
    pub width: u16,
    /// Its text stands at the right end.
    pub right: bool,
}

impl<C: Copy> TablePlace<C> {
    /// Its part of a line.
    pub fn of(&self, line: Rect) -> Rect {
        Rect {
            width: self.width,
            ..skip(line, self.x)
        }
        .intersection(line)
    }

    /// Writes text into its part of a line.
    pub fn put(&self, canvas: &mut Canvas<'_>, line: Rect, (text, role): (&str, Role)) {
        if self.right {
            canvas.text_right(self.of(line), text, role);
        } else {
            canvas.text(self.of(line), text, role);
        }
    }
}

/// A table on the screen: where it is, and where one is in it.
#[derive(Debug)]
pub struct Table<C> {
    /// Where one is.
    pub window: ListWindow,
    /// The columns that there is room for.
    pub places: Vec<TablePlace<C>>,
    /// The line of the titles.
    pub titles: Rect,
    /// The lines.
    pub list: Rect,
}

impl<C> Default for Table<C> {
    fn default() -> Self {
        Self {
            window: ListWindow::default(),
            places: Vec::new(),
            titles: Rect::default(),
            list: Rect::default(),
        }
    }
}

impl<C: Copy + PartialEq> Table<C> {
    /// Takes in where it is: the titles on the first line of an area, the lines below them.
    pub fn arrange(&mut self, area: Rect, columns: &[TableColumn<C>], lines: usize) {
        self.places = places(columns, area.width);
        self.titles = Rect {
            height: area.height.min(1),
            ..area
        };
        self.list = Rect {
            y: self.titles.bottom(),
            height: area.height - self.titles.height,
            ..area
        };
        self.window.set_height(self.list.height.into());
        self.window.set_len(lines as u64);
    }

    /// The column left or right of one.
    pub fn neighbour(&self, of: C, step: isize) -> C {
        neighbour(&self.places, of, step)
    }

    /// The left button was pressed: puts the cursor there, or gives the column whose title it was.
    pub fn click(&mut self, column: u16, row: u16) -> Option<C> {
        let at = ratatui::layout::Position::new(column, row);
        if self.list.contains(at) {
            self.window.click(row, self.list.y);
        }
        let titles = self.titles;
        let clicked = self
            .places
            .iter()
            .find(|place| place.of(titles).contains(at));
        clicked.map(|place| place.column)
    }

    /// Draws titles, cursor and scroll bar; `line` draws the line at a position.
    pub fn draw(
        &self,
        canvas: &mut Canvas<'_>,
        sorted_by: C,
        mut line: impl FnMut(&mut Canvas<'_>, Rect, u64),
    ) {
        draw_titles(canvas, self.titles, &self.places, sorted_by);
        let visible = self.window.visible();
        for (row, position) in visible.clone().enumerate() {
            let area = line_of(self.list, row as u16);
            let here = position == self.window.cursor();
            if here {
                canvas.text(area, canvas.glyphs().cursor, Role::Key);
            }
            line(canvas, area, position);
            if here {
                canvas.cursor_line(area, true);
            }
        }
        canvas.scroll_bar(self.list, &visible, self.window.len());
    }
}

/// The columns that there is room for, from left to right.
fn places<C: Copy>(columns: &[TableColumn<C>], width: u16) -> Vec<TablePlace<C>> {
    let shown: Vec<_> = columns
        .iter()
        .filter(|column| column.from <= width)
        .collect();
    let taken: u16 = shown.iter().map(|column| column.width + SPACE).sum();
    let rest = width.saturating_sub(SIGN + taken);
    let mut x = SIGN;
    let place = |column: &&TableColumn<C>| {
        let width = if column.width == 0 {
            rest
        } else {
            column.width
        };
        let place = TablePlace {
            column: column.column,
            title: column.title,
            x,
            width,
            right: column.right,
        };
        x += width + SPACE;
        place
    };
    shown.iter().map(place).collect()
}

/// Writes the titles; the one of the column that sorts stands out.
fn draw_titles<C: Copy + PartialEq>(
    canvas: &mut Canvas<'_>,
    line: Rect,
    places: &[TablePlace<C>],
    sorted_by: C,
) {
    for place in places {
        let role = if place.column == sorted_by {
            Role::Title
        } else {
            Role::Dim
        };
        place.put(canvas, line, (place.title, role));
    }
}

/// The column left or right of one, of those that there is room for.
fn neighbour<C: Copy + PartialEq>(places: &[TablePlace<C>], of: C, step: isize) -> C {
    let here = places.iter().position(|place| place.column == of);
    let there = here.map_or(0, |here| {
        here.saturating_add_signed(step)
            .min(places.len().saturating_sub(1))
    });
    places.get(there).map_or(of, |place| place.column)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [TableColumn<char>; 3] = [
        TableColumn {
            column: 'a',
            title: "a",
            width: 5,
            right: true,
            from: 0,
        },
        TableColumn {
            column: 'b',
            title: "b",
            width: 7,
            right: true,
            from: 60,
        },
        TableColumn {
            column: 'c',
            title: "c",
            width: 0,
            right: false,
            from: 0,
        },
    ];

    #[test]
    fn columns_come_with_the_room_and_one_takes_the_rest() {
        let narrow = places(&COLUMNS, 40);
        let shown: Vec<_> = narrow
            .iter()
            .map(|place| (place.column, place.x, place.width))
            .collect();
        assert_eq!(shown, [('a', 2, 5), ('c', 9, 29)]);
        let wide = places(&COLUMNS, 60);
        assert_eq!(
            wide.iter().map(|place| place.column).collect::<String>(),
            "abc"
        );
        assert_eq!(neighbour(&narrow, 'a', 1), 'c');
        assert_eq!(neighbour(&narrow, 'c', 1), 'c');
        assert_eq!(
            neighbour(&narrow, 'b', -1),
            'a',
            "a column that went is left for the first"
        );
        assert!(places(&COLUMNS, 1).iter().all(|place| place.width <= 5));
    }
}
