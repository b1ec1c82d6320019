//! The terminal user interface over traces.
//!
//! ```text
//! keys, signals ─┐                          ┌─> workers ──┐
//!                ├─> Msg -> App::update -> effects        ├─> Msg
//! workers ───────┘                          └─> terminal  ┘
//!                            App::draw -> picture
//! ```
//!
//! [`app::App`] is all the state there is. [`app::App::update`] takes a message in and gives effects; it does no input, no output and no
//! decoding, so input never waits. What has to be read, decoded or counted is a [`workers::Job`], whose answer is a message. [`run::view`]
//! is the loop around it.
//!
//! # Adding a screen
//!
//! A screen is a folder of its own, as [`calls`] is, with a type that is a [`screen::Screen`]:
//!
//! - `arrange` is called after every message while it is shown: it measures its parts (drawing must not change state) and asks for what is
//!   missing to draw them, by `desk.work(Job::new(slot, |worker| ...))`. A job reads [`opened::Opened`] (trace, index, verdicts), looks at
//!   `worker.is_stopped()` now and then, and answers by `worker.send(Msg::NAME(...))`.
//! - `act` does what a command says. Movements and the like are the same actions on all screens ([`command::Action`]).
//! - `draw` draws on a [`canvas::Canvas`] by roles ([`theme::Role`]) and signs ([`glyphs::Glyphs`]), never by colours.
//! - What screens share is the [`desk::Desk`]: above all `current`, the call that is looked at, and `listing`, the calls that match the filter.
//!   `desk.jump(seq)` looks at another call and remembers where that was; `Action::Show(ScreenId::Calls)` shows it in the list.
//!
//! To put it in: its name into [`screen::ScreenId`] and [`screen::SCREENS`]; its message into [`msg::Msg`]; its jobs' slots into
//! [`workers::Slot`]; a field and three lines into [`app::App`] (`shown`, `shown_mut`, `outdate`, and its message in `update`); a row that shows
//! it, and rows for what only it can do, into the table in [`command`].

pub mod app;
pub mod calls;
pub mod canvas;
mod chooser;
mod clipboard;
pub mod command;
pub mod comparison;
pub mod desk;
pub mod diagnosis;
mod document;
pub mod facts;
mod filter_prompt;
pub mod filtering;
mod frame;
pub mod glyphs;
mod indexing;
mod input;
mod jumps;
mod kept_calls;
pub mod key;
mod keymap;
mod learning;
mod leaving;
mod line_edit;
pub mod list_window;
pub mod listing;
mod live;
pub mod msg;
mod naming;
pub mod objects;
pub mod opened;
mod output;
mod print_command;
pub mod program;
mod prompt;
pub mod replay_report;
pub mod run;
pub mod screen;
pub mod settings;
pub mod stats;
mod table;
mod terminal;
pub mod theme;
pub mod timeline;
pub mod verdict;
pub mod workers;
mod wrap;
