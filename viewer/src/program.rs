//! The program that is being recorded, where the viewer was started beside it: `cutape record --view`.

use crossbeam_channel::Receiver;

use crate::desk::Desk;
use crate::facts::grouped;
use crate::msg::Effect;

/// Signals by the names that people use.
pub const SIGNALS: [(&str, i32); 8] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("TERM", 15),
    ("CONT", 18),
];
/// What Ctrl-C sends.
pub const INTERRUPT: i32 = 2;
/// What asks a program to end.
pub const TERMINATE: i32 = 15;
/// What ends it without asking.
pub const KILL: i32 = 9;

/// The program, as whoever started it knows it.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// What it does.
    pub news: Receiver<News>,
    /// Sends it a signal.
    pub signal: extern "C" fn(i32),
}

/// What became of the program.
#[derive(Debug)]
pub enum News {
    /// It wrote this.
    Output(Vec<u8>),
    /// It ended, and how.
    Ended(String),
}

/// The program, as the screens know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramState {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// How it ended; `None` while it runs.
    pub end: Option<String>,
    /// Lines that it wrote and that were not shown yet.
    pub unread: u64,
}

impl ProgramState {
    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        self.end.is_none()
    }

    /// What the name of the screen with its output has beside it: the number of new lines.
    pub fn unread_text(&self) -> String {
        match self.unread {
            0 => String::new(),
            lines => format!("+{} ", grouped(lines)),
        }
    }
}

/// The signal of a name or number: `INT`, `SIGINT`, `2`.
pub fn signal_named(text: &str) -> Option<i32> {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let known = SIGNALS.iter().find(|(known, _)| *known == name);
    known
        .map(|&(_, signal)| signal)
        .or_else(|| name.parse().ok().filter(|number| (1..=64).contains(number)))
}

/// Sends the program a signal, and says so.
pub fn send(desk: &mut Desk, signal: i32) {
    let Some(program) = desk.program.clone() else {
        return desk
            .complain("no program runs beside this viewer: `cutape record --view` starts one");
    };
    if let Some(end) = &program.end {
        return desk.complain(format!("{} has ended: {end}", program.name));
    }
    let known = SIGNALS.iter().find(|(_, number)| *number == signal);
    let name = known.map_or_else(|| signal.to_string(), |(name, _)| format!("SIG{name}"));
    desk.ask(Effect::Signal(signal));
    desk.say(format!("{name} sent to {} ({})", program.name, program.pid));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        let all = ["INT", "sigterm", "9", "SIGNONE", "0", "65", ""].map(signal_named);
        assert_eq!(all, [Some(2), Some(15), Some(9), None, None, None, None]);
    }
}
