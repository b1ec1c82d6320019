//! The viewer beside the program that is being recorded: `cutape record --view`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, stderr, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::thread;

use crossbeam_channel::{Sender, bounded};
use cutape_viewer::opened::Source;
use cutape_viewer::program::{News, Program};
use cutape_viewer::run::{Options, view};

use crate::child::{self, Dispositions, Running, Streams};
use crate::clock;
use crate::message;
use crate::program_output::ProgramOutput;
use crate::pseudo_terminal::PseudoTerminal;
use crate::recording::{Ended, RecordingFolder};
use crate::viewing;

/// Pieces of output on their way to the viewer; when there are more, the program waits, as it waits for a slow terminal.
const MOST_NEWS: usize = 64;

/// Whether there is a terminal for the viewer. One of the program's streams may go elsewhere.
pub fn is_possible() -> bool {
    (stdout().is_terminal() || stderr().is_terminal()) && !viewing::is_dumb()
}

/// A program that runs, and what it takes to watch it.
pub struct Beside {
    name: String,
    running: Running,
    signals: Dispositions,
    pseudo_terminal: PseudoTerminal,
    terminal: File,
}

impl Beside {
    /// Starts a command in a session of its own. It has no part in the terminal: what would have been written there goes to a pseudo terminal,
    /// and standard input is empty if it would have been the terminal.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(command: &[OsString], environment: &[(OsString, OsString)]) -> io::Result<Self> {
        let terminal = terminal()?;
        let pseudo_terminal = PseudoTerminal::open(terminal.as_fd())?;
        let stream = |is_terminal: bool, own: io::Result<OwnedFd>| -> io::Result<Stdio> {
            Ok(match is_terminal {
                true => pseudo_terminal.slave.try_clone()?.into(),
                false => own?.into(),
            })
        };
        let streams = Streams {
            input: match stdin().is_terminal() {
                true => Stdio::null(),
                false => Stdio::inherit(),
            },
            output: stream(
                stdout().is_terminal(),
                stdout().as_fd().try_clone_to_owned(),
            )?,
            errors: stream(
                stderr().is_terminal(),
                stderr().as_fd().try_clone_to_owned(),
            )?,
            own_session: true,
        };
        let (running, signals) = child::start(command, environment, streams)?;
        let name = command.first().map(Path::new);
        let name = name.and_then(Path::file_name).unwrap_or_default();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            running,
            signals,
            pseudo_terminal,
            terminal,
        })
    }

    /// Shows the recording until the user leaves, and waits for the end of the program.
    ///
    /// # Errors
    /// The system has no thread or no descriptor left.
    pub fn show(self, folder: RecordingFolder, path: &Path) -> io::Result<Ended> {
        let (tell, news) = bounded(MOST_NEWS);
        let program = Program {
            name: self.name,
            pid: self.running.pid(),
            news,
            signal: child::pass_on,
        };
        let output = ProgramOutput::start(self.pseudo_terminal, self.terminal, tell.clone())?;
        let running = self.running;
        let recorder = thread::Builder::new()
            .name("cutape-recorder".to_owned())
            .spawn(move || record(running, folder, &tell))?;
        let shown = show(path, program);
        output.pass_through();
        if let Err(why) = shown {
            message::say(format!("--view: {why}; the recording goes on"));
        }
        let ended = recorder
            .join()
            .map_err(|_| io::Error::other("a defect of cutape: the recorder panicked"))?;
        output.finish();
        // Until here, signals were for the program.
        drop(self.signals);
        ended
    }
}

fn show(path: &Path, program: Program) -> Result<(), String> {
    let source = Source::open(path, true).map_err(|error| error.to_string())?;
    let options = Options {
        follow: true,
        program: Some(program),
        ..viewing::options()
    };
    // The viewer draws on standard output; that the program's goes elsewhere is settled.
    if !stdout().is_terminal() {
        // SAFETY: both descriptors are open; standard output stays open, as another file.
        unsafe { libc::dup2(stderr().as_raw_fd(), stdout().as_raw_fd()) };
    }
    view(source, &options).map_err(|error| format!("the terminal can't be used: {error}"))?;
    Ok(())
}

/// Waits for the program's end and makes one file of the recording, whatever the viewer does meanwhile.
fn record(running: Running, mut folder: RecordingFolder, tell: &Sender<News>) -> io::Result<Ended> {
    let status = running.wait()?;
    let noted = folder.note_end(status, clock::monotonic_ns());
    // A viewer that was left takes no more news.
    let _ = tell.send(News::Ended(end_of(status)));
    let mut troubles: Vec<String> = noted.err().into_iter().collect();
    troubles.extend(folder.seal(&mut |_, _| {}).err());
    Ok(Ended { status, troubles })
}

/// How it ended, for people.
fn end_of(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "its end is unknown".to_owned(),
    }
}

/// The terminal that the viewer draws on.
fn terminal() -> io::Result<File> {
    let own = match stdout().is_terminal() {
        true => stdout().as_fd().try_clone_to_owned(),
        false => stderr().as_fd().try_clone_to_owned(),
    };
    own.map(File::from)
}
