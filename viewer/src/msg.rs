//! What comes in (messages) and what goes out (effects). Between them is [`crate::app::App::update`], which does neither input nor output.

use std::sync::Arc;

use cutape_analysis::doctor::Diagnosis;
use cutape_analysis::index::Index;
use cutape_analysis::objects::Objects;

use crate::calls::CallsMsg;
use crate::comparison::ComparisonMsg;
use crate::facts::Facts;
use crate::filtering::Chosen;
use crate::key::Key;
use crate::objects::ObjectsMsg;
use crate::program::News;
use crate::settings::Settings;
use crate::stats::StatsMsg;
use crate::timeline::TimelineMsg;
use crate::verdict::Verdicts;
use crate::workers::{Job, Slot};

/// Something happened.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The mouse wheel turned: so many lines down.
    Scroll(i32),
    /// The left button was pressed at a column and row.
    Click(u16, u16),
    /// The screen has this many columns and rows.
    Resized(u16, u16),
    /// The terminal is ours again after it was not: nothing that was drawn is there.
    Returned,
    /// Time passes; comes only while something moves.
    Tick,
    /// What the trace is.
    Facts(Arc<Facts>),
    /// The recording that was followed has ended; call numbers may be others now.
    Ended(Arc<Facts>),
    /// The beginning of the trace is indexed, or all of it.
    Indexed {
        /// Rows.
        index: Arc<Index>,
        /// There will be no more.
        complete: bool,
    },
    /// It is known which calls failed.
    Judged(Arc<Verdicts>),
    /// The objects of the trace are known.
    Objects(Arc<Objects>),
    /// It is known what went wrong, and why.
    Diagnosed(Arc<Diagnosis>),
    /// For the comparison.
    Comparison(ComparisonMsg),
    /// How far a long job is.
    Progress {
        /// The job.
        slot: Slot,
        /// What it does.
        what: &'static str,
        /// Parts done.
        done: u64,
        /// Parts there are.
        all: u64,
    },
    /// A job ended by a panic: a defect of ours.
    JobFailed {
        /// The job.
        slot: Slot,
        /// What the panic said.
        why: String,
    },
    /// A text that is to be copied is there.
    Copy {
        /// What it is, for people.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// The calls that match the filter.
    Filtered(Chosen),
    /// Something to say at the bottom.
    Say(String),
    /// For the list of calls.
    Calls(CallsMsg),
    /// For the list of objects.
    ObjectList(ObjectsMsg),
    /// For the time line.
    Timeline(TimelineMsg),
    /// For the counts.
    Stats(StatsMsg),
    /// From the program beside the viewer.
    Program(News),
}

/// Something is to be done outside of the state.
#[derive(Debug)]
pub enum Effect {
    /// Work for a thread.
    Work(Job),
    /// The job in a slot is no longer wanted.
    Stop(Slot),
    /// Put a text into the clipboard of the terminal.
    Copy(String),
    /// Remember settings.
    Save(Settings),
    /// Turn the reports of the mouse on or off.
    Mouse(bool),
    /// Send the program beside the viewer a signal.
    Signal(i32),
    /// Draw everything anew.
    Redraw,
    /// Stop, as ^Z does.
    Suspend,
    /// End.
    Quit,
}
