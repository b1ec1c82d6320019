//! The viewer's state and what messages do to it. Nothing here reads, writes or waits: what has to be done outside comes back as effects.

use std::sync::Arc;

use cutape_analysis::filter::Filter;
use ratatui::layout::{Position, Rect};

use crate::calls::Calls;
use crate::canvas::{Canvas, Look, Matcher};
use crate::chooser::{self, Choice, Chooser};
use crate::command::{Action, Command, Copied, Direction, Takes};
use crate::comparison::{ComparisonScreen, Other};
use crate::desk::Desk;
use crate::diagnosis::DiagnosisScreen;
use crate::facts::Facts;
use crate::filter_prompt::{FilterPrompt, Typed};
use crate::frame;
use crate::indexing::index_job;
use crate::key::Key;
use crate::keymap::{Keymap, Pressed};
use crate::leaving::{self, Leave};
use crate::listing::Listing;
use crate::msg::{Effect, Msg};
use crate::objects::ObjectList;
use crate::output::OutputScreen;
use crate::program::{self, ProgramState};
use crate::prompt::{Answer, Memory, Prompt};
use crate::screen::{Screen, ScreenId};
use crate::settings::{MOST_LARGER, Settings};
use crate::stats::Stats;
use crate::theme::{THEMES, Theme};
use crate::timeline::Timeline;
use crate::workers::Slot;

/// What lies over the screen and has the keyboard.
#[derive(Debug)]
pub(crate) enum Overlay {
    /// Help or palette.
    Chooser(Chooser),
    /// A question at the bottom.
    Prompt(Prompt),
    /// A filter that is being typed.
    Filter(FilterPrompt),
    /// What becomes of the program when the viewer is left.
    Leaving,
}

/// The viewer.
#[derive(Debug)]
pub struct App {
    pub(crate) desk: Desk,
    pub(crate) screen: ScreenId,
    pub(crate) calls: Calls,
    pub(crate) objects: ObjectList,
    pub(crate) stats: Stats,
    pub(crate) diagnosis: DiagnosisScreen,
    pub(crate) comparison: ComparisonScreen,
    pub(crate) timeline: Timeline,
    pub(crate) output: OutputScreen,
    pub(crate) keymap: Keymap,
    pub(crate) overlay: Option<Overlay>,
    memory: Memory,
}

impl App {
    /// A viewer of a trace, before anything was read.
    pub fn new(facts: Facts, settings: Settings, size: (u16, u16)) -> Self {
        let mut app = Self {
            desk: Desk::new(facts, settings, size),
            screen: ScreenId::default(),
            calls: Calls::default(),
            objects: ObjectList::default(),
            stats: Stats::default(),
            diagnosis: DiagnosisScreen::default(),
            comparison: ComparisonScreen::default(),
            timeline: Timeline::default(),
            output: OutputScreen::default(),
            keymap: Keymap::new(),
            overlay: None,
            memory: Memory::default(),
        };
        app.desk.work(index_job());
        app.arrange();
        app
    }

    /// Without colours, whatever the settings say.
    pub fn without_colours(mut self) -> Self {
        self.desk.mono = true;
        self
    }

    /// Whether the cursor stays on the last call of a recording that is going on.
    pub fn set_follow(&mut self, on: bool) {
        self.desk.follows = on && self.desk.facts.live;
    }

    /// A program runs beside the viewer.
    pub fn set_program(&mut self, name: String, pid: u32) {
        self.desk.program = Some(ProgramState {
            name,
            pid,
            ..ProgramState::default()
        });
    }

    /// Lists the calls that match a filter.
    pub fn set_filter(&mut self, filter: Filter) {
        self.desk.filter = Some(filter);
        self.desk.choose_calls();
    }

    /// Shows the trace beside something else.
    pub fn compare(&mut self, other: Other) {
        self.comparison.compare_with(other);
        self.screen = ScreenId::Comparison;
        self.arrange();
    }

    /// Says something at the bottom.
    pub fn complain(&mut self, text: String) {
        self.desk.complain(text);
    }

    /// What was asked for and not yet taken: after [`App::new`], the index and the first lines.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.desk.take_effects()
    }

    /// Takes a message in; gives what is to be done.
    pub fn update(&mut self, message: Msg) -> Vec<Effect> {
        match message {
            Msg::Key(key) => self.press(key),
            Msg::Paste(text) => self.paste(&text),
            Msg::Scroll(lines) if self.overlay.is_none() => {
                let (screen, desk) = self.shown_mut();
                screen.scroll(lines, desk);
            }
            Msg::Click(column, row) if self.overlay.is_none() => {
                let (screen, desk) = self.shown_mut();
                screen.click(column, row, desk);
            }
            Msg::Scroll(_) | Msg::Click(..) | Msg::Tick => {}
            Msg::Resized(columns, rows) => self.desk.size = Rect::new(0, 0, columns, rows),
            Msg::Returned => self.desk.ask(Effect::Redraw),
            Msg::Facts(facts) => self.desk.facts = facts,
            Msg::Ended(facts) => self.start_anew(facts),
            Msg::Indexed { index, complete } => self.take_index(index, complete),
            Msg::Judged(verdicts) => {
                self.desk.verdicts = Some(verdicts);
                self.outdate();
            }
            Msg::Objects(objects) => {
                self.desk.objects = Some(objects);
                self.outdate();
            }
            Msg::Progress {
                what, done, all, ..
            } => {
                self.desk.progress = Some(crate::desk::Progress { what, done, all });
            }
            Msg::JobFailed { slot, why } => {
                self.desk.complain(format!(
                    "a defect of cutape, please report it: {slot:?}: {why}"
                ));
            }
            Msg::Copy { what, text } => {
                self.desk.say(format!("copied the {what}"));
                self.desk.ask(Effect::Copy(text));
            }
            Msg::Filtered(chosen) => self.desk.take_chosen(chosen),
            Msg::Say(text) => self.desk.complain(text),
            Msg::Calls(message) => self.calls.update(message, &mut self.desk),
            Msg::ObjectList(message) => self.objects.update(message),
            Msg::Stats(message) => self.stats.update(message),
            Msg::Comparison(message) => self.comparison.update(message, &mut self.desk),
            Msg::Diagnosed(diagnosis) => {
                self.desk.diagnosis = Some(diagnosis);
                self.outdate();
            }
            Msg::Timeline(message) => self.timeline.update(message),
            Msg::Program(news) => self.output.update(news, &mut self.desk),
        }
        if let Some(screen) = self.desk.take_screen() {
            self.screen = screen;
        }
        self.arrange();
        self.desk.take_effects()
    }

    /// The number of the call that is looked at; 0 while there is none.
    pub fn current(&self) -> u64 {
        self.desk.current
    }

    /// How everything looks.
    pub fn look(&self) -> Look {
        self.desk.look()
    }

    /// Whether something is about to come that belongs on the screen.
    pub fn awaits_lines(&self) -> bool {
        self.calls.awaits_lines(&self.desk)
    }

    /// Draws everything; gives the place of the terminal's cursor, if it is to be seen.
    pub fn draw(&self, canvas: &mut Canvas<'_>) -> Option<Position> {
        frame::draw(self, canvas)
    }

    /// The screen that is shown.
    pub(crate) fn shown(&self) -> &dyn Screen {
        match self.screen {
            ScreenId::Calls => &self.calls,
            ScreenId::Objects => &self.objects,
            ScreenId::Stats => &self.stats,
            ScreenId::Diagnosis => &self.diagnosis,
            ScreenId::Comparison => &self.comparison,
            ScreenId::Timeline => &self.timeline,
            ScreenId::Output => &self.output,
        }
    }

    /// The screen that is shown, and what it shares.
    fn shown_mut(&mut self) -> (&mut dyn Screen, &mut Desk) {
        let screen: &mut dyn Screen = match self.screen {
            ScreenId::Calls => &mut self.calls,
            ScreenId::Objects => &mut self.objects,
            ScreenId::Stats => &mut self.stats,
            ScreenId::Diagnosis => &mut self.diagnosis,
            ScreenId::Comparison => &mut self.comparison,
            ScreenId::Timeline => &mut self.timeline,
            ScreenId::Output => &mut self.output,
        };
        (screen, &mut self.desk)
    }

    /// More is known of the trace: all screens make anew what they made from it.
    fn outdate(&mut self) {
        self.calls.outdate();
        self.objects.outdate();
        self.stats.outdate();
        self.diagnosis.outdate();
        self.comparison.outdate();
        self.timeline.outdate();
    }

    fn arrange(&mut self) {
        let body = frame::body(self.desk.size);
        let (screen, desk) = self.shown_mut();
        screen.arrange(body, desk);
        if let Some(Overlay::Chooser(chooser)) = &mut self.overlay {
            chooser.arrange(self.desk.size);
        }
    }

    fn take_index(&mut self, index: Arc<cutape_analysis::index::Index>, complete: bool) {
        let more = index.len() > self.desk.calls();
        self.desk.index = index;
        self.desk.indexed = complete;
        self.desk.count_unreadable();
        if more && matches!(self.desk.listing, Listing::All(_)) {
            self.desk.listing = Listing::All(self.desk.calls());
        }
        if more && self.desk.follows {
            self.desk.go_to_end();
        }
        if self.desk.filter.is_some() && (complete || more && !self.desk.is_filtering) {
            self.desk.choose_calls();
        }
        if complete && let Some(ns) = self.desk.sought_ns.take() {
            self.desk.current = self.desk.index.seq_at(ns);
        }
        if complete {
            // Lines made before have no gap to the call before.
            self.outdate();
        }
    }

    /// The recording has become a trace. The call that was looked at is found again by its begin.
    fn start_anew(&mut self, facts: Arc<Facts>) {
        let was_live = self.desk.facts.live;
        let here = self.desk.index.row(self.desk.current);
        self.desk.sought_ns = here.filter(|_| !self.desk.follows).map(|row| row.begin_ns);
        self.desk.listing = Listing::All(facts.calls);
        self.desk.listing_edition += 1;
        self.desk.facts = facts;
        self.desk.verdicts = None;
        // It ends once, also where its folder becomes a file only afterwards.
        if was_live {
            self.desk.say(match &self.desk.program {
                Some(ProgramState {
                    name,
                    end: Some(end),
                    ..
                }) => format!("{name} has ended: {end}"),
                _ => "the recording has ended".to_owned(),
            });
        }
        self.outdate();
        self.desk.work(index_job());
    }

    fn press(&mut self, key: Key) {
        self.desk.notice = None;
        match self.overlay.take() {
            Some(Overlay::Chooser(chooser)) => self.press_chooser(chooser, key),
            Some(Overlay::Prompt(prompt)) => self.press_prompt(prompt, key),
            Some(Overlay::Filter(prompt)) => self.press_filter(prompt, key),
            Some(Overlay::Leaving) => self.press_leaving(key),
            None => match self.keymap.press(key, self.screen) {
                Pressed::Command(command, letter) => self.run(command, letter.map(String::from)),
                Pressed::Pending => {}
                Pressed::Nothing => self
                    .desk
                    .complain(format!("{key} is no key here: ? shows all")),
            },
        }
    }

    fn press_chooser(&mut self, mut chooser: Chooser, key: Key) {
        match chooser.press(key) {
            Choice::Open => self.overlay = Some(Overlay::Chooser(chooser)),
            Choice::Closed => {}
            Choice::Number(seq) => self.desk.jump(seq),
            Choice::Command(command, rest) => self.run(command, rest),
            Choice::Unknown(name) => {
                self.desk.complain(format!(
                    "{name}: expected a command or the number of a call; ? shows all"
                ));
            }
        }
    }

    fn press_prompt(&mut self, mut prompt: Prompt, key: Key) {
        match prompt.press(key, &self.memory) {
            Answer::Open => self.overlay = Some(Overlay::Prompt(prompt)),
            Answer::Cancelled => {}
            Answer::Given(text) => {
                self.memory.add(prompt.action, &text);
                self.act_with(prompt.action, &text);
            }
        }
    }

    fn press_filter(&mut self, mut prompt: FilterPrompt, key: Key) {
        match prompt.press(key, &self.memory) {
            Typed::Open => self.overlay = Some(Overlay::Filter(prompt)),
            Typed::Cancelled => {}
            Typed::Nothing if self.desk.filter.is_none() => {}
            Typed::Nothing => self.desk.set_filter(None),
            Typed::Filter(filter) => {
                self.memory.add(Action::Filter, filter.text());
                self.desk.set_filter(Some(filter));
            }
        }
    }

    fn program_runs(&self) -> bool {
        self.desk.program.as_ref().is_some_and(ProgramState::runs)
    }

    fn press_leaving(&mut self, key: Key) {
        match leaving::press(key) {
            // The question is settled when the program ends meanwhile.
            Leave::Open if self.program_runs() => self.overlay = Some(Overlay::Leaving),
            Leave::Open | Leave::Stay => {}
            Leave::Running => self.desk.ask(Effect::Quit),
            Leave::Ending(signal) => {
                self.desk.ask(Effect::Signal(signal));
                self.desk.ask(Effect::Quit);
            }
        }
    }

    fn paste(&mut self, text: &str) {
        match &mut self.overlay {
            Some(Overlay::Chooser(chooser)) => chooser.paste(text),
            Some(Overlay::Prompt(prompt)) => prompt.paste(text),
            Some(Overlay::Filter(prompt)) => prompt.paste(text),
            Some(Overlay::Leaving) => {}
            None => self
                .desk
                .complain("nothing takes text here: / searches, : runs commands"),
        }
    }

    /// Runs a command with what was typed behind it.
    fn run(&mut self, command: Command, rest: Option<String>) {
        match (command.takes, rest) {
            (Takes::Nothing, _) => self.act(command.action),
            (Takes::Text(_), None) if command.action == Action::Filter => {
                let text = self.desk.filter_text().unwrap_or_default();
                self.overlay = Some(Overlay::Filter(FilterPrompt::new(text)));
            }
            (Takes::Text(what), None) => {
                self.overlay = Some(Overlay::Prompt(Prompt::new(command.action, what, "")));
            }
            (Takes::Text(_), Some(text)) => self.act_with(command.action, &text),
            (Takes::Letter, rest) => {
                let mut letters = rest.iter().flat_map(|text| text.chars());
                match (letters.next(), letters.next()) {
                    (Some(letter), None) => self.act_with_letter(command.action, letter),
                    _ => self
                        .desk
                        .complain(format!("{}: expected one letter", command.name)),
                }
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Quit if self.program_runs() => self.overlay = Some(Overlay::Leaving),
            Action::Interrupt if self.program_runs() => {
                program::send(&mut self.desk, program::INTERRUPT);
            }
            Action::Quit | Action::Interrupt => self.desk.ask(Effect::Quit),
            Action::Suspend => self.desk.ask(Effect::Suspend),
            Action::Redraw => self.desk.ask(Effect::Redraw),
            Action::Help => self.choose(chooser::Kind::Help),
            Action::Palette => self.choose(chooser::Kind::Palette),
            Action::Show(screen) => self.screen = screen,
            Action::Jump(direction) => self.jump(direction),
            Action::Copy(Copied::Command) => self.copy_command(),
            Action::Follow => self.follow(),
            Action::UndoFilter => self.desk.undo_filter(),
            Action::TogglePanes => {
                self.set(|settings| settings.panes_hidden = !settings.panes_hidden)
            }
            Action::Resize(direction) => {
                let lines = if direction == Direction::Forward {
                    1
                } else {
                    -1
                };
                self.set(|settings| {
                    let larger = settings.panes_larger + lines;
                    settings.panes_larger = larger.clamp(-MOST_LARGER, MOST_LARGER);
                });
            }
            Action::ToggleAscii => {
                self.set(|settings| settings.ascii = !settings.ascii);
                self.outdate();
            }
            Action::ToggleMouse => {
                self.set(|settings| settings.mouse = !settings.mouse);
                self.desk.ask(Effect::Mouse(self.desk.settings.mouse));
                let state = if self.desk.settings.mouse {
                    "on"
                } else {
                    "off"
                };
                self.desk.say(format!("mouse {state}"));
            }
            #[cfg(debug_assertions)]
            Action::Panic => panic!("asked to panic"),
            action => {
                let (screen, desk) = self.shown_mut();
                if !screen.act(action, desk) {
                    self.act_anywhere(action);
                }
            }
        }
    }

    /// What works on every screen that does not do it in its own way.
    fn act_anywhere(&mut self, action: Action) {
        match action {
            Action::Cancel => self.cancel(),
            // Which call is looked at is the same on all screens.
            Action::Find(..) | Action::Match(_) => {
                self.calls.act(action, &mut self.desk);
            }
            _ => {}
        }
    }

    fn act_with(&mut self, action: Action, text: &str) {
        let text = text.trim();
        match action {
            Action::Search => match Matcher::new(text) {
                Some(matcher) => {
                    self.desk.search = Some(matcher);
                    self.act(Action::Match(Direction::Forward));
                }
                None => self.cancel(),
            },
            Action::Filter => match Filter::parse(text) {
                Ok(filter) => self.desk.set_filter(Some(filter)),
                Err(error) => self.desk.complain(format!("filter: {}", error.message())),
            },
            Action::Compare => self.compare(Other::Path(text.into())),
            Action::Signal => match program::signal_named(text) {
                Some(signal) => program::send(&mut self.desk, signal),
                None => {
                    let names = program::SIGNALS.map(|(name, _)| name).join(", ");
                    self.desk.complain(format!(
                        "signal: expected {names} or a number, found {text:?}"
                    ));
                }
            },
            Action::GoTo => match text.replace(',', "").parse() {
                Ok(seq) => self.desk.jump(seq),
                Err(_) => self
                    .desk
                    .complain(format!("go: expected the number of a call, found {text:?}")),
            },
            Action::Theme => match Theme::named(text) {
                Some(theme) => self.set(|settings| settings.theme = theme),
                None => {
                    let names = THEMES.map(|(name, _)| name).join(", ");
                    self.desk
                        .complain(format!("theme: expected one of {names}, found {text:?}"));
                }
            },
            action => self.act(action),
        }
    }

    fn act_with_letter(&mut self, action: Action, letter: char) {
        match action {
            Action::SetMark if letter == '\'' => self
                .desk
                .complain("' is where you came from: take a letter"),
            Action::SetMark if self.desk.current > 0 => {
                self.desk.marks.set(letter, self.desk.current);
                self.desk
                    .say(format!("mark {letter} is call {}", self.desk.current));
            }
            Action::GoToMark if letter == '\'' => self.jump(Direction::Backward),
            Action::GoToMark => match self.desk.marks.get(letter) {
                Some(seq) => self.desk.jump(seq),
                None => self
                    .desk
                    .complain(format!("there is no mark {letter}: m{letter} sets it")),
            },
            _ => {}
        }
    }

    fn choose(&mut self, kind: chooser::Kind) {
        self.overlay = Some(Overlay::Chooser(Chooser::new(
            kind,
            self.screen,
            self.desk.size,
        )));
    }

    fn jump(&mut self, direction: Direction) {
        let to = match direction {
            Direction::Backward => self.desk.jumps.back(self.desk.current),
            Direction::Forward => self.desk.jumps.forth(),
        };
        match to {
            Some(seq) => self.desk.look_at(seq),
            None => self.desk.complain("there was no jump in that direction"),
        }
    }

    fn follow(&mut self) {
        self.desk.follows = !self.desk.follows;
        self.desk.seen = self.desk.calls();
        match (self.desk.follows, self.desk.facts.live) {
            (true, true) => self.desk.go_to_end(),
            (true, false) => {
                self.desk.go_to_end();
                self.desk.follows = false;
                self.desk
                    .complain("this recording has ended: there will be no new calls");
            }
            (false, _) => self.desk.say("following stopped: F goes on"),
        }
    }

    fn copy_command(&mut self) {
        let text = crate::print_command::print_command(&self.desk);
        self.desk.say(format!("copied {text}"));
        self.desk.ask(Effect::Copy(text));
    }

    fn set(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.desk.settings);
        self.desk.ask(Effect::Save(self.desk.settings));
    }

    /// Stops what is going on, and forgets the search.
    fn cancel(&mut self) {
        self.desk.ask(Effect::Stop(Slot::Find));
        self.desk.progress = None;
        self.desk.search = None;
    }
}
