//! The loop: messages in, effects out, a picture when nothing more is waiting.

use std::io::{self, Stdout, Write, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never, select_biased, unbounded};
use crossterm::execute;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use cutape_analysis::filter::Filter;
use cutape_trace_format::trace::Trace;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use signal_hook::consts::signal::{SIGCONT, SIGTSTP};
use signal_hook::low_level::emulate_default_handler;

use crate::app::App;
use crate::canvas::Canvas;
use crate::clipboard::copy_sequence;
use crate::comparison::Other;
use crate::facts::Facts;
use crate::input::{Input, Listening};
use crate::msg::{Effect, Msg};
use crate::opened::{Opened, Source};
use crate::program::{News, Program};
use crate::replay_report::ReplayReport;
use crate::settings::Settings;
use crate::terminal::{self, Held};
use crate::workers::{Job, Slot, Workers};

/// Lines that were asked for are waited for so long before the picture is drawn without them: a screen that is drawn twice flickers.
const SETTLE: Duration = Duration::from_millis(15);

/// What the viewer is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where settings are remembered; nowhere if `None`.
    pub settings_path: Option<PathBuf>,
    /// No colours, whatever the settings say.
    pub mono: bool,
    /// ASCII signs only, whatever the settings say.
    pub ascii: bool,
    /// A second trace to compare with.
    pub other: Option<Arc<Trace>>,
    /// A report of a replay to show beside the trace.
    pub report: Option<Arc<ReplayReport>>,
    /// Only calls that match are listed at first.
    pub filter: Option<Filter>,
    /// The cursor stays on the last call of a recording that is going on.
    pub follow: bool,
    /// The program that is being recorded, and runs beside the viewer.
    pub program: Option<Program>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The user left.
    Left,
    /// By this signal, of which the process should now die.
    Signal(i32),
}

/// Shows a trace until the user leaves.
///
/// # Errors
/// The terminal can't be used.
pub fn view(source: Source, options: &Options) -> io::Result<End> {
    let (mut settings, trouble) = match &options.settings_path {
        Some(path) => Settings::read(path),
        None => (Settings::default(), None),
    };
    settings.ascii |= options.ascii;
    let mut facts = Facts::of(source.trace());
    facts.live |= source.is_followed();
    let held = Held::take(settings.mouse)?;
    let mut viewer = Viewer::start(source, options)?;
    viewer.mouse = settings.mouse;
    let size = viewer.terminal.size()?;
    let mut app = App::new(facts, settings, (size.width, size.height));
    match (&options.report, &options.other) {
        (Some(report), _) => app.compare(Other::Report(Arc::clone(report))),
        (None, Some(_)) => app.compare(Other::Given),
        (None, None) => {}
    }
    app.set_follow(options.follow);
    if let Some(program) = &options.program {
        app.set_program(program.name.clone(), program.pid);
    }
    options
        .filter
        .clone()
        .into_iter()
        .for_each(|filter| app.set_filter(filter));
    if options.mono {
        app = app.without_colours();
    }
    trouble
        .into_iter()
        .for_each(|trouble| app.complain(trouble));
    let end = viewer.run(&mut app);
    viewer.workers.stop_all();
    drop(held);
    end
}

struct Viewer {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    workers: Workers,
    inputs: Receiver<Input>,
    answers: Receiver<Msg>,
    /// From the program beside the viewer; nothing ever comes where there is none.
    news: Receiver<News>,
    /// Sends it a signal.
    signal: Option<extern "C" fn(i32)>,
    /// Listens as long as it is there.
    _listening: Listening,
    settings_path: Option<PathBuf>,
    /// The mouse is reported.
    mouse: bool,
}

impl Viewer {
    fn start(source: Source, options: &Options) -> io::Result<Self> {
        let (to_viewer, inputs) = unbounded();
        let (answer, answers): (Sender<Msg>, _) = unbounded();
        let opened = Opened::new(source);
        options
            .other
            .iter()
            .for_each(|other| opened.set_other(Arc::clone(other)));
        Ok(Self {
            terminal: Terminal::new(CrosstermBackend::new(stdout()))?,
            workers: Workers::start(&Arc::new(opened), &answer)?,
            inputs,
            answers,
            news: options
                .program
                .as_ref()
                .map_or_else(never, |program| program.news.clone()),
            signal: options.program.as_ref().map(|program| program.signal),
            _listening: Listening::start(&to_viewer)?,
            settings_path: options.settings_path.clone(),
            mouse: false,
        })
    }

    fn run(&mut self, app: &mut App) -> io::Result<End> {
        let mut effects = app.take_effects();
        loop {
            if let Some(end) = self.carry_out(effects)? {
                return Ok(end);
            }
            if let Some(end) = self.settle(app)? {
                return Ok(end);
            }
            self.draw(app)?;
            effects = match self.wait(None) {
                Some(input) => match self.take(app, input)? {
                    Taken::Effects(effects) => effects,
                    Taken::End(end) => return Ok(end),
                },
                None => Vec::new(),
            };
        }
    }

    /// Takes in all that is there, and waits a moment for lines that are to be seen.
    fn settle(&mut self, app: &mut App) -> io::Result<Option<End>> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let limit = if app.awaits_lines() {
                deadline
            } else {
                Instant::now()
            };
            let Some(input) = self.wait(Some(limit)) else {
                return Ok(None);
            };
            match self.take(app, input)? {
                Taken::End(end) => return Ok(Some(end)),
                Taken::Effects(effects) => {
                    if let Some(end) = self.carry_out(effects)? {
                        return Ok(Some(end));
                    }
                }
            }
            // Whatever goes on, a picture is drawn now and then.
            if Instant::now() > deadline + SETTLE {
                return Ok(None);
            }
        }
    }

    /// The next thing that comes, keys first.
    fn wait(&mut self, until: Option<Instant>) -> Option<Input> {
        let long = Duration::from_secs(3600);
        let wait = until.map_or(long, |until| {
            until.saturating_duration_since(Instant::now())
        });
        select_biased! {
            recv(self.inputs) -> input => Some(input.unwrap_or(Input::Gone)),
            recv(self.answers) -> answer => answer.ok().map(Input::Msg),
            recv(self.news) -> news => match news {
                Ok(news) => Some(Input::Msg(Msg::Program(news))),
                Err(_) => {
                    self.news = never();
                    None
                }
            },
            default(wait) => None,
        }
    }

    fn take(&mut self, app: &mut App, input: Input) -> io::Result<Taken> {
        Ok(match input {
            Input::Msg(message) => Taken::Effects(app.update(message)),
            Input::Gone => Taken::End(End::Left),
            Input::Signal(SIGTSTP) => {
                self.suspend()?;
                Taken::Effects(app.update(Msg::Returned))
            }
            Input::Signal(SIGCONT) => {
                // Stopped by a signal that can't be caught, and who knows what was done to the terminal.
                terminal::take(self.mouse)?;
                Taken::Effects(app.update(Msg::Returned))
            }
            Input::Signal(signal) => Taken::End(End::Signal(signal)),
        })
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<Option<End>> {
        for effect in effects {
            match effect {
                Effect::Work(job) => self.workers.give(job),
                Effect::Stop(slot) => self.workers.stop(slot),
                Effect::Copy(text) => self.copy(&text)?,
                Effect::Save(settings) => self.save(settings),
                Effect::Mouse(on) => {
                    self.mouse = on;
                    terminal::set_mouse(on)?;
                }
                Effect::Signal(signal) => {
                    self.signal.into_iter().for_each(|send| send(signal));
                }
                Effect::Redraw => self.draw_anew()?,
                Effect::Suspend => self.suspend()?,
                Effect::Quit => return Ok(Some(End::Left)),
            }
        }
        Ok(None)
    }

    fn draw(&mut self, app: &App) -> io::Result<()> {
        let look = app.look();
        execute!(stdout(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| {
            let cursor = app.draw(&mut Canvas::new(frame.buffer_mut(), look));
            if let Some(position) = cursor {
                frame.set_cursor_position(position);
            }
        })?;
        execute!(stdout(), EndSynchronizedUpdate)
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        if let Some(sequence) = copy_sequence(text) {
            let mut out = stdout();
            out.write_all(sequence.as_bytes())?;
            out.flush()?;
        }
        Ok(())
    }

    fn save(&mut self, settings: Settings) {
        let Some(path) = self.settings_path.clone() else {
            return;
        };
        self.workers.give(Job::new(Slot::Settings, move |worker| {
            if let Err(error) = settings.write(&path) {
                worker.send(Msg::Say(format!(
                    "{}: settings can't be remembered: {error}",
                    path.display()
                )));
            }
        }));
    }

    /// Gives the terminal back and stops, until the shell's `fg`.
    fn suspend(&mut self) -> io::Result<()> {
        terminal::give_back();
        emulate_default_handler(SIGTSTP)?;
        terminal::take(self.mouse)?;
        self.draw_anew()
    }

    /// Nothing of what was drawn is taken to be there. (`Terminal::clear` asks the terminal where its cursor is, and the answer would go to the
    /// thread that reads keys.)
    fn draw_anew(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal
            .resize(Rect::new(0, 0, size.width, size.height))
    }
}

enum Taken {
    Effects(Vec<Effect>),
    End(End),
}
