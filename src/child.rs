//! Running a command as strace and perf do: its streams are its own, terminal signals are for it, and we end as it ended.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::message;

/// Process id that signals are passed on to, or that of a group, negative; 0 while there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// Signals that somebody sends to us and means for the command.
const PASSED_ON: [i32; 4] = [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];
/// Signals that the terminal sends to the command as well as to us.
const FROM_TERMINAL: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

/// What a command is started with.
pub struct Streams {
    /// Standard input.
    pub input: Stdio,
    /// Standard output.
    pub output: Stdio,
    /// Standard error.
    pub errors: Stdio,
    /// It gets a session of its own: the terminal is not its own, and what is typed there does not reach it.
    pub own_session: bool,
}

impl Streams {
    /// Ours.
    fn inherited() -> Self {
        Self {
            input: Stdio::inherit(),
            output: Stdio::inherit(),
            errors: Stdio::inherit(),
            own_session: false,
        }
    }
}

/// Runs `command` with its arguments to its end.
///
/// # Errors
/// It can't be started.
pub fn run(command: &[OsString], environment: &[(OsString, OsString)]) -> io::Result<ExitStatus> {
    let (running, _signals) = start(command, environment, Streams::inherited())?;
    running.wait()
}

/// Starts `command` with its arguments. Signals that are meant for it are passed on as long as the second part of the answer is there.
///
/// # Errors
/// It can't be started.
pub fn start(
    command: &[OsString],
    environment: &[(OsString, OsString)],
    streams: Streams,
) -> io::Result<(Running, Dispositions)> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::NotFound)?;
    let own_session = streams.own_session;
    let mut child = Command::new(program);
    child
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(streams.input)
        .stdout(streams.output)
        .stderr(streams.errors);
    let before = Dispositions::take_over(own_session);
    let restore = before.0.clone();
    // SAFETY: between fork and exec only sigaction and setsid are called, which are async-signal-safe.
    unsafe {
        child.pre_exec(move || {
            put_back(&restore);
            if own_session {
                libc::setsid();
            }
            Ok(())
        });
    }
    let child = child.spawn()?;
    let pid = child.id() as i32;
    CHILD.store(if own_session { -pid } else { pid }, Ordering::SeqCst);
    Ok((Running { child }, before))
}

/// A command that was started.
pub struct Running {
    child: Child,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Somebody else has waited for it.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait();
        CHILD.store(0, Ordering::SeqCst);
        status
    }
}

/// Says why the command could not be started, with the exit code that shells give for it.
pub fn could_not_start(program: &OsStr, error: &io::Error) -> ExitCode {
    let name = program.to_string_lossy();
    if error.kind() == io::ErrorKind::NotFound {
        message::fail(message::NOT_FOUND, format!("{name}: command not found"))
    } else {
        message::fail(message::CANNOT_RUN, format!("{name} can't be run: {error}"))
    }
}

/// Ends as the command ended: with its exit code, or by the signal that killed it.
pub fn end_as(status: ExitStatus) -> ExitCode {
    match status.signal() {
        Some(signal) => end_by_signal(signal),
        None => ExitCode::from(status.code().unwrap_or(1) as u8),
    }
}

/// Ends by a signal, so that whoever waits for us sees it.
pub fn end_by_signal(signal: i32) -> ExitCode {
    // SAFETY: plain system calls. The core, if any, has been dumped by the command; ours would only hide it.
    unsafe {
        let no_core = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
    ExitCode::from(128u8.saturating_add(signal as u8))
}

/// Sends the command a signal, if it still runs.
pub extern "C" fn pass_on(signal: i32) {
    let child = CHILD.load(Ordering::SeqCst);
    if child != 0 {
        // SAFETY: kill is async-signal-safe; the child has not been waited for while its id stands here.
        unsafe { libc::kill(child, signal) };
    }
}

/// What signals did before the command ran; they do so again when this is dropped.
pub struct Dispositions(Vec<(i32, libc::sigaction)>);

impl Dispositions {
    /// A command in a session of its own gets nothing from the terminal.
    fn take_over(own_session: bool) -> Self {
        let handler = pass_on as extern "C" fn(i32) as libc::sighandler_t;
        let from_terminal = if own_session { handler } else { libc::SIG_IGN };
        let passed = PASSED_ON.map(|signal| (signal, handler));
        let from_terminal = FROM_TERMINAL.map(|signal| (signal, from_terminal));
        Self(
            passed
                .into_iter()
                .chain(from_terminal)
                .map(|(signal, action)| (signal, set(signal, action)))
                .collect(),
        )
    }
}

impl Drop for Dispositions {
    fn drop(&mut self) {
        put_back(&self.0);
    }
}

fn put_back(actions: &[(i32, libc::sigaction)]) {
    for (signal, action) in actions {
        // SAFETY: the action is what sigaction gave for this signal.
        unsafe { libc::sigaction(*signal, action, std::ptr::null_mut()) };
    }
}

fn set(signal: i32, handler: libc::sighandler_t) -> libc::sigaction {
    // SAFETY: both structures are ours; all zeros is a valid sigaction.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        let mut before: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, &raw const action, &raw mut before);
        before
    }
}
