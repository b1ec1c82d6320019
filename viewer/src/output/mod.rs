//! Screen 7, where there is a program beside the viewer: what it wrote.

mod transcript;

use ratatui::layout::Rect;

use crate::canvas::{Canvas, line_of, skip};
use crate::command::{Action, Copied, Direction};
use crate::desk::Desk;
use crate::facts::grouped;
use crate::list_window::{ListWindow, Motion};
use crate::msg::Effect;
use crate::program::News;
use crate::screen::Screen;
use crate::theme::Role;

use transcript::Transcript;

/// Columns that the text moves by to the side.
const STEP: usize = 20;

/// State of the screen.
#[derive(Debug, Default)]
pub struct OutputScreen {
    transcript: Transcript,
    window: ListWindow,
    area: Rect,
    list: Rect,
    /// Columns of the text that are left of the screen.
    left: usize,
}

impl Screen for OutputScreen {
    fn arrange(&mut self, area: Rect, desk: &mut Desk) {
        self.area = area;
        let head = area.height.min(1);
        self.list = Rect {
            y: area.y + head,
            height: area.height - head,
            ..area
        };
        self.window.set_height(self.list.height.into());
        self.grow();
        if let Some(program) = &mut desk.program {
            program.unread = 0;
        }
    }

    fn act(&mut self, action: Action, desk: &mut Desk) -> bool {
        match action {
            Action::Move(motion) => self.window.step(motion),
            Action::Left => self.left = self.left.saturating_sub(STEP),
            Action::Right => self.left += STEP,
            Action::Centre => self.window.centre(),
            Action::Match(direction) => self.find(direction, desk),
            Action::Follow => self.window.step(Motion::Last),
            Action::Copy(Copied::Call | Copied::Value) if !self.window.is_empty() => {
                desk.say("copied the line");
                desk.ask(Effect::Copy(self.line(self.window.cursor())));
            }
            _ => return false,
        }
        true
    }

    fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk) {
        self.draw_head(canvas, desk);
        for (row, position) in self.window.visible().enumerate() {
            let area = line_of(self.list, row as u16);
            let text: String = self.line(position).chars().skip(self.left).collect();
            let found = desk.search.as_ref();
            canvas.searched(skip(area, 2), &text, Role::Text, found);
            if position == self.window.cursor() {
                canvas.cursor_line(area, true);
                canvas.text(area, canvas.glyphs().cursor, Role::Key);
            }
        }
        canvas.scroll_bar(self.list, &self.window.visible(), self.window.len());
    }

    fn outdate(&mut self) {}

    fn scroll(&mut self, lines: i32, _: &mut Desk) {
        self.window.scroll(lines);
    }

    fn click(&mut self, _: u16, row: u16, _: &mut Desk) {
        self.window.click(row, self.list.y);
    }
}

impl OutputScreen {
    /// Takes in what became of the program.
    pub fn update(&mut self, news: News, desk: &mut Desk) {
        let Some(program) = &mut desk.program else {
            return;
        };
        match news {
            News::Output(bytes) => {
                program.unread += self.transcript.add(&bytes);
                self.grow();
            }
            News::Ended(end) => {
                let text = format!("{} has ended: {end}", program.name);
                program.end = Some(end);
                desk.say(text);
            }
        }
    }

    /// Takes in that there are more lines. A cursor on the last one stays there.
    fn grow(&mut self) {
        let at_end = self.window.is_at_end();
        self.window.set_len(self.transcript.len() as u64);
        if at_end {
            self.window.step(Motion::Last);
        }
    }

    fn line(&self, position: u64) -> String {
        usize::try_from(position)
            .map_or_else(|_| String::new(), |place| self.transcript.line(place))
    }

    fn draw_head(&self, canvas: &mut Canvas<'_>, desk: &Desk) {
        let area = skip(line_of(self.area, 0), 2);
        let Some(program) = &desk.program else {
            let text = "the output of a program is here when `cutape record --view` runs it";
            canvas.text(area, text, Role::Dim);
            return;
        };
        let state = match &program.end {
            Some(end) => format!("has ended: {end}"),
            None => format!("runs, process {}", program.pid),
        };
        let forgotten = self.transcript.forgotten();
        let lines = match (self.window.len(), forgotten) {
            (0, _) => "it wrote nothing yet".to_owned(),
            (lines, 0) => format!("{} lines", grouped(lines)),
            (lines, _) => format!("the last {} lines", grouped(lines)),
        };
        let text = format!("{} {state} {} {lines}", program.name, canvas.glyphs().dot);
        canvas.text(area, &text, Role::Title);
    }

    fn find(&mut self, direction: Direction, desk: &mut Desk) {
        let Some(matcher) = desk.search.clone() else {
            return desk.complain("nothing was searched for: / searches");
        };
        let here = self.window.cursor();
        let matches = |position: &u64| matcher.is_in(&self.line(*position));
        let found = match direction {
            Direction::Forward => (here + 1..self.window.len()).find(matches),
            Direction::Backward => (0..here).rev().find(matches),
        };
        match found {
            Some(position) => self.window.jump(position),
            None => desk.complain(format!("no further match of \"{}\" here", matcher.text())),
        }
    }
}
