//! The rows of the table of commands.

use crate::list_window::Motion;
use crate::screen::ScreenId;

use super::Action::{Find, Jump, Match, Move, Pane, Resize, Show};
use super::Direction::{Backward, Forward};
use super::{Action, Command, Copied, Kind, Scope, Takes, Wanted};

/// A row of the table that works everywhere and needs nothing.
const fn row(
    name: &'static str,
    keys: &'static [&'static str],
    title: &'static str,
    action: Action,
) -> Command {
    Command {
        name,
        keys,
        title,
        group: "",
        scope: Scope::Everywhere,
        takes: Takes::Nothing,
        action,
    }
}

impl Command {
    const fn on(mut self, screens: &'static [ScreenId]) -> Self {
        self.scope = Scope::On(screens);
        self
    }

    const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }
}

const CALLS: &[ScreenId] = &[ScreenId::Calls];
const VALUES: &[ScreenId] = &[ScreenId::Calls, ScreenId::Objects];
const TIMELINE: &[ScreenId] = &[ScreenId::Timeline];

const MOVING: &[Command] = &[
    row(
        "down",
        &["j", "Down", "ctrl-n"],
        "one line down",
        Move(Motion::Down),
    ),
    row(
        "up",
        &["k", "Up", "ctrl-p"],
        "one line up",
        Move(Motion::Up),
    ),
    row(
        "page-down",
        &["Space", "PageDown", "ctrl-f"],
        "one screen down",
        Move(Motion::PageDown),
    ),
    row(
        "page-up",
        &["b", "PageUp", "ctrl-b"],
        "one screen up",
        Move(Motion::PageUp),
    ),
    row(
        "half-down",
        &["d", "ctrl-d"],
        "half a screen down",
        Move(Motion::HalfDown),
    ),
    row(
        "half-up",
        &["ctrl-u"],
        "half a screen up",
        Move(Motion::HalfUp),
    ),
    row(
        "first",
        &["g g", "Home"],
        "to the first line",
        Move(Motion::First),
    ),
    row(
        "last",
        &["G", "End"],
        "to the last line",
        Move(Motion::Last),
    ),
    row(
        "left",
        &["h", "Left"],
        "a column or level to the left",
        Action::Left,
    ),
    row(
        "right",
        &["l", "Right"],
        "a column or level to the right",
        Action::Right,
    ),
    row(
        "open",
        &["Enter"],
        "open what is under the cursor",
        Action::Open,
    ),
    row(
        "centre",
        &["z z"],
        "put the cursor's line into the middle",
        Action::Centre,
    ),
    row(
        "zoom-in",
        &["w", "+"],
        "a shorter stretch of time",
        Action::Zoom(Forward),
    )
    .on(TIMELINE),
    row(
        "zoom-out",
        &["s", "-"],
        "a longer stretch of time; Esc shows all",
        Action::Zoom(Backward),
    )
    .on(TIMELINE),
    row(
        "earlier",
        &["a"],
        "an earlier stretch of time",
        Action::Pan(Backward),
    )
    .on(TIMELINE),
    row(
        "later",
        &["d"],
        "a later stretch of time",
        Action::Pan(Forward),
    )
    .on(TIMELINE),
    row(
        "go",
        &[],
        "go to a call by its number; a number alone does it, too",
        Action::GoTo,
    )
    .takes(Takes::Text("number")),
];

const FINDING: &[Command] = &[
    row(
        "error",
        &["e"],
        "to the next call that failed",
        Find(Kind::Error, Forward),
    ),
    row(
        "error-back",
        &["E"],
        "to the previous call that failed",
        Find(Kind::Error, Backward),
    ),
    row(
        "warning",
        &["w"],
        "to the next benign failure or call in flight",
        Find(Kind::Warning, Forward),
    ),
    row(
        "warning-back",
        &["W"],
        "to the previous one",
        Find(Kind::Warning, Backward),
    ),
    row(
        "same-handle",
        &["o"],
        "to the next call with the same handle or pointer",
        Find(Kind::SameHandle, Forward),
    )
    .on(CALLS),
    row(
        "same-handle-back",
        &["O"],
        "to the previous one",
        Find(Kind::SameHandle, Backward),
    )
    .on(CALLS),
    row(
        "creator",
        &["g d"],
        "to the call that made the object under the cursor",
        Action::Creator,
    )
    .on(CALLS),
    row(
        "slow",
        &["s"],
        "to the next call slower than 99 of 100",
        Find(Kind::Slow, Forward),
    ),
    row(
        "slow-back",
        &["S"],
        "to the previous one",
        Find(Kind::Slow, Backward),
    ),
    row(
        "thread",
        &["t"],
        "to the next call of this thread",
        Find(Kind::SameThread, Forward),
    ),
    row(
        "thread-back",
        &["T"],
        "to the previous one",
        Find(Kind::SameThread, Backward),
    ),
    row(
        "same",
        &["*"],
        "to the next call of this function",
        Find(Kind::SameFunction, Forward),
    ),
    row(
        "same-back",
        &["#"],
        "to the previous one",
        Find(Kind::SameFunction, Backward),
    ),
    row("search", &["/"], "search the calls as text", Action::Search).takes(Takes::Text("text")),
    row("next", &["n"], "to the next match", Match(Forward)),
    row("previous", &["N"], "to the previous match", Match(Backward)),
];

const FILTERING: &[Command] = &[
    row(
        "filter",
        &["&"],
        "show only calls that match",
        Action::Filter,
    )
    .takes(Takes::Text("filter")),
    row(
        "only",
        &["="],
        "show only calls with the value, or object, under the cursor",
        Action::FilterValue(Wanted::Only),
    )
    .on(VALUES),
    row(
        "without",
        &["!"],
        "show only calls without the value, or object, under the cursor",
        Action::FilterValue(Wanted::Without),
    )
    .on(VALUES),
    row(
        "undo-filter",
        &["u"],
        "take the last change of the filter back",
        Action::UndoFilter,
    ),
];

const PLACES: &[Command] = &[
    row(
        "mark",
        &["m"],
        "mark this call with a letter",
        Action::SetMark,
    )
    .takes(Takes::Letter),
    row(
        "go-mark",
        &["'"],
        "go to a mark; '' is where you came from",
        Action::GoToMark,
    )
    .takes(Takes::Letter),
    row(
        "back",
        &["[", "ctrl-o"],
        "back to where you jumped from",
        Jump(Backward),
    ),
    row("forth", &["]"], "forth again", Jump(Forward)),
];

const COPYING: &[Command] = &[
    row(
        "copy",
        &["y y"],
        "copy the call as text",
        Action::Copy(Copied::Call),
    ),
    row(
        "copy-value",
        &["y v"],
        "copy the value under the cursor",
        Action::Copy(Copied::Value),
    )
    .on(CALLS),
    row(
        "copy-command",
        &["y c"],
        "copy the command that prints this",
        Action::Copy(Copied::Command),
    ),
];

const LOOKING: &[Command] = &[
    row("calls", &["1"], "all calls", Show(ScreenId::Calls)),
    row(
        "timeline",
        &["2"],
        "what happened when, by thread and stream",
        Show(ScreenId::Timeline),
    ),
    row(
        "objects",
        &["3"],
        "the driver's objects, and memory over time",
        Show(ScreenId::Objects),
    ),
    row(
        "stats",
        &["4"],
        "calls counted by function, thread or process",
        Show(ScreenId::Stats),
    ),
    row(
        "diagnosis",
        &["5"],
        "what went wrong and why",
        Show(ScreenId::Diagnosis),
    ),
    row(
        "diff",
        &["6"],
        "this trace beside a second one, or a report of its replay",
        Show(ScreenId::Comparison),
    ),
    row(
        "output",
        &["7"],
        "what the program that record --view runs wrote",
        Show(ScreenId::Output),
    ),
    row(
        "compare",
        &[],
        "open a second trace, or a report of cutape replay --json, and compare",
        Action::Compare,
    )
    .takes(Takes::Text("path")),
    row(
        "next-pane",
        &["Tab"],
        "keyboard to the next pane",
        Pane(Forward),
    ),
    row(
        "previous-pane",
        &["BackTab"],
        "keyboard to the previous pane",
        Pane(Backward),
    ),
    row(
        "panes",
        &["\\"],
        "show or hide the panes",
        Action::TogglePanes,
    ),
    row("larger", &["+"], "larger panes", Resize(Forward)),
    row("smaller", &["-"], "smaller panes", Resize(Backward)),
    row(
        "fold",
        &["z a"],
        "open or close this repeated sequence or part of the tree",
        Action::Fold,
    )
    .on(CALLS),
    row(
        "fold-all",
        &["z A"],
        "open or close all repeated sequences, or all of the tree",
        Action::FoldAll,
    )
    .on(CALLS),
    row(
        "follow",
        &["F"],
        "follow a live recording, or stop",
        Action::Follow,
    ),
    row(
        "theme",
        &[],
        "colours: ansi, dark, light or mono",
        Action::Theme,
    )
    .takes(Takes::Text("name")),
    row(
        "ascii",
        &[],
        "ASCII signs only, or all signs",
        Action::ToggleAscii,
    ),
    row("mouse", &[], "mouse on or off", Action::ToggleMouse),
];

const PROGRAM: &[Command] = &[
    row(
        "palette",
        &[":"],
        "run a command by its name",
        Action::Palette,
    ),
    row("help", &["?", "F1"], "all keys and commands", Action::Help),
    row(
        "cancel",
        &["Esc"],
        "close what is open, stop what is going on",
        Action::Cancel,
    ),
    row(
        "redraw",
        &["ctrl-l"],
        "draw the screen anew",
        Action::Redraw,
    ),
    row(
        "suspend",
        &["ctrl-z"],
        "back to the shell; fg returns",
        Action::Suspend,
    ),
    row(
        "interrupt",
        &["ctrl-c"],
        "interrupt the program that record --view runs; leave where none runs",
        Action::Interrupt,
    ),
    row(
        "signal",
        &[],
        "send the program that record --view runs a signal: INT, TERM, KILL",
        Action::Signal,
    )
    .takes(Takes::Text("name")),
    row(
        "quit",
        &["q"],
        "leave; beside a running program, ask what becomes of it",
        Action::Quit,
    ),
    #[cfg(debug_assertions)]
    row(
        "panic",
        &[],
        "panic (debug builds: for the test of the terminal)",
        Action::Panic,
    ),
];

/// Groups in the order of the help.
pub(super) const GROUPS: [(&str, &[Command]); 7] = [
    ("Moving", MOVING),
    ("Finding", FINDING),
    ("Filtering", FILTERING),
    ("Places", PLACES),
    ("Copying", COPYING),
    ("Looking", LOOKING),
    ("Program", PROGRAM),
];
