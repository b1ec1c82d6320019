//! The part of a long list that is on the screen: a cursor that stays visible, whatever happens to the list and the screen.

/// Lines kept between the cursor and the edge where there are more beyond it.
const MARGIN: u64 = 2;

/// A movement of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// A line up.
    Up,
    /// A line down.
    Down,
    /// Half a screen up.
    HalfUp,
    /// Half a screen down.
    HalfDown,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
}

/// Cursor and first visible line of a list. Positions count from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListWindow {
    cursor: u64,
    top: u64,
    len: u64,
    height: u64,
}

impl ListWindow {
    /// Position of the cursor; 0 in an empty list.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Position of the first visible line.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// Number of lines of the list.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the list has no line.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lines on the screen.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Positions that are visible.
    pub fn visible(&self) -> std::ops::Range<u64> {
        self.top..(self.top + self.height).min(self.len)
    }

    /// Whether the cursor is on the last line.
    pub fn is_at_end(&self) -> bool {
        self.cursor + 1 >= self.len
    }

    /// The screen has this many lines now.
    pub fn set_height(&mut self, height: u64) {
        self.height = height;
        self.follow_cursor();
    }

    /// The list has this many lines now.
    pub fn set_len(&mut self, len: u64) {
        self.len = len;
        self.cursor = self.cursor.min(len.saturating_sub(1));
        self.follow_cursor();
    }

    /// Puts the cursor on a line, or on the last one if there is no such line.
    pub fn go(&mut self, position: u64) {
        self.cursor = position.min(self.len.saturating_sub(1));
        self.follow_cursor();
    }

    /// Puts the cursor on a line and, if that was not on the screen, the line into the middle.
    pub fn jump(&mut self, position: u64) {
        if !self.visible().contains(&position) {
            self.top = position.saturating_sub(self.height / 2);
        }
        self.go(position);
    }

    /// Puts the cursor's line into the middle of the screen.
    pub fn centre(&mut self) {
        self.top = self.cursor.saturating_sub(self.height / 2);
        self.follow_cursor();
    }

    /// Moves the cursor. Paging moves the screen with it, as less does.
    pub fn step(&mut self, motion: Motion) {
        let page = self.height.saturating_sub(1).max(1);
        let half = (self.height / 2).max(1);
        match motion {
            Motion::Up => self.go(self.cursor.saturating_sub(1)),
            Motion::Down => self.go(self.cursor.saturating_add(1)),
            Motion::HalfUp => self.scroll_up(half),
            Motion::HalfDown => self.scroll_down(half),
            Motion::PageUp => self.scroll_up(page),
            Motion::PageDown => self.scroll_down(page),
            Motion::First => self.go(0),
            Motion::Last => self.go(u64::MAX),
        }
    }

    /// Moves the cursor so many lines down, or up.
    pub fn scroll(&mut self, lines: i32) {
        let motion = if lines < 0 { Motion::Up } else { Motion::Down };
        (0..lines.unsigned_abs()).for_each(|_| self.step(motion));
    }

    /// Puts the cursor on the line at a row of the screen, where the list begins at row `first`.
    pub fn click(&mut self, row: u16, first: u16) {
        self.go(self.top + u64::from(row.saturating_sub(first)));
    }

    fn scroll_up(&mut self, lines: u64) {
        self.top = self.top.saturating_sub(lines);
        self.go(self.cursor.saturating_sub(lines));
    }

    fn scroll_down(&mut self, lines: u64) {
        self.top = self.top.saturating_add(lines);
        self.go(self.cursor.saturating_add(lines));
    }

    fn follow_cursor(&mut self) {
        let margin = MARGIN.min(self.height.saturating_sub(1) / 2);
        let lowest = self.cursor.saturating_sub(margin);
        let highest = (self.cursor + margin + 1).saturating_sub(self.height);
        let last = self.len.saturating_sub(self.height);
        self.top = self.top.min(lowest).max(highest).min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(len: u64, height: u64) -> ListWindow {
        let mut window = ListWindow::default();
        window.set_len(len);
        window.set_height(height);
        window
    }

    #[test]
    fn the_cursor_is_visible_after_any_movement() {
        let motions = [
            Motion::Down,
            Motion::PageDown,
            Motion::HalfUp,
            Motion::Up,
            Motion::HalfDown,
            Motion::PageUp,
            Motion::Last,
            Motion::First,
        ];
        for (len, height) in [
            (0, 0),
            (0, 10),
            (1, 1),
            (5, 10),
            (1000, 1),
            (1000, 2),
            (1000, 30),
        ] {
            let mut window = window(len, height);
            for step in 0..400 {
                window.step(motions[(step * 7 + step / 5) % motions.len()]);
                let shown = window.visible();
                let holds = len == 0 || height == 0 || shown.contains(&window.cursor());
                assert!(holds, "{window:?}");
            }
        }
    }

    #[test]
    fn the_last_screen_is_full() {
        let mut window = window(100, 30);
        window.step(Motion::Last);
        assert_eq!((window.cursor(), window.visible()), (99, 70..100));
        window.set_height(50);
        assert_eq!(
            window.visible(),
            50..100,
            "a taller screen shows more above"
        );
        window.set_len(10);
        assert_eq!((window.cursor(), window.visible()), (9, 0..10));
    }

    #[test]
    fn a_jump_beyond_the_screen_lands_in_its_middle() {
        let mut window = window(1000, 20);
        window.jump(500);
        assert_eq!(window.top(), 490);
        window.jump(505);
        assert_eq!(window.top(), 490, "what is on the screen stays where it is");
    }
}
