//! Screen 5: what went wrong and why, with the calls that show it.

mod page;

use std::sync::Arc;

use cutape_analysis::doctor::Diagnosis;
use ratatui::layout::Rect;

use crate::canvas::{Canvas, line_of, skip};
use crate::command::{Action, Direction, Kind};
use crate::desk::Desk;
use crate::document::Document;
use crate::screen::{Screen, ScreenId};
use crate::theme::Role;

/// State of the screen.
#[derive(Debug, Default)]
pub struct DiagnosisScreen {
    document: Document,
    /// What is shown, and with which signs.
    of: Option<(Arc<Diagnosis>, bool)>,
    area: Rect,
}

impl Screen for DiagnosisScreen {
    fn arrange(&mut self, area: Rect, desk: &mut Desk) {
        self.area = area;
        if let Some(diagnosis) = &desk.diagnosis {
            let ascii = desk.settings.ascii;
            let is_shown = self
                .of
                .as_ref()
                .is_some_and(|(of, with)| Arc::ptr_eq(of, diagnosis) && *with == ascii);
            if !is_shown {
                let page = page::page(diagnosis, desk.look().glyphs());
                match self.of {
                    Some(_) => self.document.renew(page),
                    None => self.document.set(page),
                }
                self.of = Some((Arc::clone(diagnosis), ascii));
            }
        }
        self.document.arrange(area);
    }

    fn act(&mut self, action: Action, desk: &mut Desk) -> bool {
        match action {
            Action::Move(motion) => self.document.step(motion),
            Action::Open => match self.document.jump() {
                Some(seq) => {
                    desk.jump(seq);
                    desk.show(ScreenId::Calls);
                }
                None => desk.complain("this line is about no call"),
            },
            Action::Find(Kind::Error, direction) | Action::Pane(direction) => {
                if !self
                    .document
                    .go_to_next_jump(direction == Direction::Forward)
                {
                    desk.complain("no further evidence");
                }
            }
            _ => return false,
        }
        true
    }

    fn draw(&self, canvas: &mut Canvas<'_>, desk: &Desk) {
        if self.document.is_empty() {
            let text = match desk.facts.live && desk.calls() == 0 {
                true => "no call yet: waiting for the program",
                false => "reading all calls",
            };
            canvas.text(skip(line_of(self.area, 0), 2), text, Role::Dim);
        }
        self.document.draw(canvas);
    }

    fn outdate(&mut self) {}

    fn scroll(&mut self, lines: i32, _: &mut Desk) {
        self.document.scroll(lines);
    }

    fn click(&mut self, _: u16, row: u16, _: &mut Desk) {
        self.document.click(row);
    }
}
