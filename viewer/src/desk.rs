//! What all screens share: the trace's facts, the call that is looked at, which calls are listed, marks, settings; and what they ask for.

use std::sync::Arc;

use cutape_analysis::doctor::Diagnosis;
use cutape_analysis::filter::Filter;
use cutape_analysis::index::Index;
use cutape_analysis::objects::Objects;
use ratatui::layout::Rect;

use crate::canvas::{Look, Matcher};
use crate::facts::{Facts, grouped};
use crate::filtering::{Chosen, filter_job};
use crate::jumps::{Jumps, Marks};
use crate::listing::Listing;
use crate::msg::Effect;
use crate::program::ProgramState;
use crate::screen::ScreenId;
use crate::settings::Settings;
use crate::theme::Role;
use crate::verdict::Verdicts;
use crate::workers::{Job, Slot};

/// How far a long job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub what: &'static str,
    /// Parts done.
    pub done: u64,
    /// Parts there are.
    pub all: u64,
}

/// A message at the bottom, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The text.
    pub text: String,
    /// How it looks.
    pub role: Role,
}

/// What all screens share.
#[derive(Debug, Default)]
pub struct Desk {
    /// The trace as a whole.
    pub facts: Arc<Facts>,
    /// Rows of the calls that are indexed.
    pub index: Arc<Index>,
    /// All calls are indexed.
    pub indexed: bool,
    /// Calls that could not be read when the trace was indexed.
    pub unreadable: u64,
    /// Which calls failed; `None` until that is known.
    pub verdicts: Option<Arc<Verdicts>>,
    /// The objects of the trace; `None` until they are known.
    pub objects: Option<Arc<Objects>>,
    /// What went wrong, and why; `None` until that is known.
    pub diagnosis: Option<Arc<Diagnosis>>,
    /// Which calls are listed.
    pub listing: Listing,
    /// Rises when other calls are listed, and not when there are more of them.
    pub listing_edition: u32,
    /// The filter that chose the calls that are listed now.
    listed_by: Option<String>,
    /// The filter, if not all calls are wanted.
    pub filter: Option<Filter>,
    /// Filters before this one, and the call that was looked at.
    filters_before: Vec<(Option<Filter>, u64)>,
    /// The filter is at work.
    pub is_filtering: bool,
    /// How long it took, milliseconds.
    pub chosen_ms: Option<u64>,
    /// Number of calls that it chose from.
    pub chosen_of: u64,
    /// The call to look at once there are calls listed.
    sought: Option<u64>,
    /// The number of the call that is looked at; 0 while there is none.
    pub current: u64,
    /// The cursor stays on the last call while there are new ones.
    pub follows: bool,
    /// Calls there were when following was stopped.
    pub seen: u64,
    /// Marked calls.
    pub marks: Marks,
    /// Where one has been.
    pub jumps: Jumps,
    /// Begin of the call to look at once the trace is indexed again.
    pub sought_ns: Option<u64>,
    /// What is searched for.
    pub search: Option<Matcher>,
    /// What is remembered from one time to the next.
    pub settings: Settings,
    /// Colours are wanted at all.
    pub mono: bool,
    /// The message at the bottom.
    pub notice: Option<Notice>,
    /// What a long job that was asked for is doing.
    pub progress: Option<Progress>,
    /// The program that runs beside the viewer, if it was started so.
    pub program: Option<ProgramState>,
    /// The screen's columns and rows.
    pub size: Rect,
    effects: Vec<Effect>,
    to_show: Option<ScreenId>,
}

impl Desk {
    /// The desk of a trace of which nothing was read.
    pub fn new(facts: Facts, settings: Settings, size: (u16, u16)) -> Self {
        Self {
            listing: Listing::All(facts.calls),
            facts: Arc::new(facts),
            settings,
            size: Rect::new(0, 0, size.0, size.1),
            ..Self::default()
        }
    }

    /// How everything looks.
    pub fn look(&self) -> Look {
        Look {
            theme: if self.mono {
                crate::theme::Theme::Mono
            } else {
                self.settings.theme
            },
            ascii: self.settings.ascii,
        }
    }

    /// Number of calls known of.
    pub fn calls(&self) -> u64 {
        self.facts.calls.max(self.index.len())
    }

    /// The filter, if not all calls are wanted.
    pub fn filter_text(&self) -> Option<&str> {
        self.filter.as_ref().map(Filter::text)
    }

    /// Lists the calls that match a filter, or all. What was listed before can be had again.
    pub fn set_filter(&mut self, filter: Option<Filter>) {
        self.filters_before.push((self.filter.take(), self.current));
        self.filter = filter;
        self.choose_calls();
    }

    /// Takes the last change of the filter back.
    pub fn undo_filter(&mut self) {
        match self.filters_before.pop() {
            Some((filter, current)) => {
                self.filter = filter;
                self.sought = Some(current);
                self.choose_calls();
            }
            None => self.complain("there was no filter before"),
        }
    }

    /// Adds a condition to the filter.
    pub fn narrow(&mut self, condition: &str) {
        let text = match self.filter_text() {
            Some(text) if text.contains(" or ") || text.contains("||") => {
                format!("({text}) and {condition}")
            }
            Some(text) => format!("{text} and {condition}"),
            None => condition.to_owned(),
        };
        match Filter::parse(&text) {
            Ok(filter) => self.set_filter(Some(filter)),
            Err(error) => self.complain(format!("{text}: {}", error.message())),
        }
    }

    /// Asks for the calls that match the filter, among those that are indexed.
    pub fn choose_calls(&mut self) {
        match &self.filter {
            Some(filter) => {
                self.is_filtering = true;
                self.work(filter_job(filter.clone()));
            }
            None => {
                self.is_filtering = false;
                self.chosen_ms = None;
                self.ask(Effect::Stop(Slot::Filter));
                self.progress = None;
                self.list(Listing::All(self.calls()), None);
                self.look_near();
            }
        }
    }

    /// Takes in what a filter chose.
    pub fn take_chosen(&mut self, chosen: Chosen) {
        if self.filter_text() != Some(&chosen.text) {
            return;
        }
        self.is_filtering = false;
        self.progress = None;
        self.chosen_ms = Some(chosen.took_ms);
        self.chosen_of = chosen.selection.calls();
        self.list(Listing::Chosen(chosen.selection), Some(chosen.text));
        self.look_near();
    }

    fn list(&mut self, listing: Listing, listed_by: Option<String>) {
        if self.listed_by != listed_by {
            self.listing_edition += 1;
        }
        self.listed_by = listed_by;
        self.listing = listing;
    }

    /// Looks at the listed call nearest to where one was.
    fn look_near(&mut self) {
        let wanted = self.sought.take().unwrap_or(self.current);
        if self.listing.is_empty() {
            // To be found again when there are calls.
            self.sought = Some(wanted);
            self.current = 0;
            return;
        }
        let last = self.listing.len() - 1;
        let (position, _) = self.listing.position(wanted);
        self.current = self.listing.seq(position.min(last)).unwrap_or(0);
    }

    /// Counts the calls that the index has no row for, and says so when there are any.
    pub fn count_unreadable(&mut self) {
        let holes = self.index.holes();
        let before = self.unreadable;
        self.unreadable = holes.map(|hole| hole.end - hole.start).sum();
        if self.unreadable > before {
            let calls = grouped(self.unreadable);
            self.complain(format!(
                "{calls} calls can't be read: the trace is damaged; `cutape verify` says where"
            ));
        }
    }

    /// Calls that were made and are not here, as far as is known.
    pub fn lost(&self) -> u64 {
        self.facts.lost().saturating_add(self.unreadable)
    }

    /// Asks for something.
    pub fn ask(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Asks for work.
    pub fn work(&mut self, job: Job) {
        self.ask(Effect::Work(job));
    }

    /// Asks for another screen.
    pub fn show(&mut self, screen: ScreenId) {
        self.to_show = Some(screen);
    }

    /// The screen that was asked for since the last time.
    pub(crate) fn take_screen(&mut self) -> Option<ScreenId> {
        self.to_show.take()
    }

    /// What was asked for since the last time.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Says something at the bottom.
    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            role: Role::Text,
        });
    }

    /// Says that something did not work.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            role: Role::Warning,
        });
    }

    /// Looks at another call and remembers where this was.
    pub fn jump(&mut self, seq: u64) {
        if seq != self.current && self.current != 0 {
            self.jumps.note(self.current);
        }
        self.look_at(seq);
    }

    /// Looks at the last call.
    pub fn go_to_end(&mut self) {
        let last = self.listing.len().saturating_sub(1);
        self.current = self.listing.seq(last).unwrap_or(0);
    }

    /// Looks at another call, or at the listed one nearest to it.
    pub fn look_at(&mut self, seq: u64) {
        let (position, listed) = self.listing.position(seq);
        let last = self.listing.len().saturating_sub(1);
        self.current = self.listing.seq(position.min(last)).unwrap_or(0);
        if !listed && !self.listing.is_empty() {
            let what = if (1..=self.calls()).contains(&seq) {
                format!("call {} does not match the filter", grouped(seq))
            } else {
                format!("there is no call {}", grouped(seq))
            };
            self.complain(format!("{what}; this is the nearest one"));
        }
    }
}
