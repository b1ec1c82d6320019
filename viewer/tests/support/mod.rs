//! The viewer without a terminal and without threads: keys in, pictures out, each job done where it is asked for.

// Each file of tests is a program of its own and uses a part of this.
#![allow(dead_code)]

pub mod svg;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crossbeam_channel::{Receiver, Sender, unbounded};
use cutape_trace_format::trace::Trace;
use cutape_viewer::app::App;
use cutape_viewer::canvas::Canvas;
use cutape_viewer::comparison::Other;
use cutape_viewer::facts::Facts;
use cutape_viewer::key::Key;
use cutape_viewer::msg::{Effect, Msg};
use cutape_viewer::opened::{Opened, Source};
use cutape_viewer::settings::Settings;
use cutape_viewer::workers::Worker;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A trace of traces/.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../traces")
        .join(format!("{name}.cutape"))
}

/// A viewer under test.
pub struct Driven {
    pub app: App,
    opened: Opened,
    sender: Sender<Msg>,
    answers: Receiver<Msg>,
    /// Texts that were put into the clipboard.
    pub copied: Vec<String>,
    /// Settings that were to be remembered.
    pub saved: Vec<Settings>,
    /// It was asked to end.
    pub has_quit: bool,
    size: (u16, u16),
}

impl Driven {
    /// Opens a golden trace on a screen of that size, and waits until all is known of it.
    pub fn open(name: &str, size: (u16, u16)) -> Self {
        let trace = Trace::open(&golden(name)).unwrap_or_else(|error| panic!("{error}"));
        Self::of(trace, size)
    }

    /// Opens a trace.
    pub fn of(trace: Trace, size: (u16, u16)) -> Self {
        let mut facts = Facts::of(&trace);
        // Where the repository lies is no part of a picture.
        facts.path = format!("traces/{}", facts.name);
        let (sender, answers) = unbounded();
        let mut driven = Self {
            app: App::new(facts, Settings::default(), size),
            opened: Opened::new(Source::Trace(Box::new(trace))),
            sender,
            answers,
            copied: Vec::new(),
            saved: Vec::new(),
            has_quit: false,
            size,
        };
        let effects = driven.app.take_effects();
        driven.settle(effects);
        driven
    }

    /// Gives the viewer a message.
    pub fn give(&mut self, message: Msg) {
        let effects = self.app.update(message);
        self.settle(effects);
    }

    /// Presses keys, written as in the table of commands: `g g Tab ctrl-d`.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for key in Key::parse_sequence(keys).unwrap_or_else(|| panic!("{keys}")) {
            self.give(Msg::Key(key));
        }
        self
    }

    /// Types text.
    pub fn type_text(&mut self, text: &str) -> &mut Self {
        self.give(Msg::Paste(text.to_owned()));
        self
    }

    /// Changes the size of the screen.
    pub fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.size = (columns, rows);
        self.give(Msg::Resized(columns, rows));
        self
    }

    /// Compares with a second trace.
    pub fn compare(&mut self, path: &Path) {
        self.app.compare(Other::Path(path.to_owned()));
        let effects = self.app.take_effects();
        self.settle(effects);
    }

    fn settle(&mut self, effects: Vec<Effect>) {
        let mut effects = effects;
        loop {
            for effect in effects {
                match effect {
                    Effect::Work(job) => {
                        let stop = AtomicBool::new(false);
                        job.run(&Worker::new(&self.opened, &stop, &self.sender));
                    }
                    Effect::Copy(text) => self.copied.push(text),
                    Effect::Save(settings) => self.saved.push(settings),
                    Effect::Quit => self.has_quit = true,
                    Effect::Stop(_)
                    | Effect::Signal(_)
                    | Effect::Mouse(_)
                    | Effect::Redraw
                    | Effect::Suspend => {}
                }
            }
            match self.answers.try_recv() {
                Ok(message) => effects = self.app.update(message),
                Err(_) => return,
            }
        }
    }

    /// What is on the screen.
    pub fn buffer(&self) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        self.app
            .draw(&mut Canvas::new(&mut buffer, self.app.look()));
        buffer
    }

    /// What is on the screen, as lines without the spaces at their ends.
    pub fn picture(&self) -> String {
        let buffer = self.buffer();
        let mut text = String::new();
        for row in buffer.area.rows() {
            let line: String = row
                .columns()
                .map(|cell| buffer[(cell.x, cell.y)].symbol())
                .collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The last line of the screen.
    pub fn bottom(&self) -> String {
        self.picture()
            .lines()
            .last()
            .unwrap_or_default()
            .trim()
            .to_owned()
    }

    /// The number of the call under the cursor.
    pub fn current(&self) -> u64 {
        self.app.current()
    }
}
