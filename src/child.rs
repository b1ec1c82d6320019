//! Running a command as strace and perf do: its streams are its own, terminal signals are for it, and we end as it ended.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};

use crate::message;

/// Process id that signals are passed on to; 0 while there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// Signals that somebody sends to us and means for the command.
const PASSED_ON: [i32; 4] = [libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2];
/// Signals that the terminal sends to the command as well as to us.
const FROM_TERMINAL: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

/// Runs `command` with its arguments to its end.
///
/// # Errors
/// It can't be started.
pub fn run(command: &[OsString], environment: &[(OsString, OsString)]) -> io::Result<ExitStatus> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut child = Command::new(program);
    child
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    let before = Dispositions::take_over();
    let started = {
        let restore = before.clone();
        // SAFETY: between fork and exec only sigaction is called, which is async-signal-safe.
        unsafe {
            use std::os::unix::process::CommandExt;
            child.pre_exec(move || {
                restore.put_back();
                Ok(())
            });
        }
        child.spawn()
    };
    let status = started.and_then(|mut child| {
        CHILD.store(child.id() as i32, Ordering::SeqCst);
        let status = child.wait();
        CHILD.store(0, Ordering::SeqCst);
        status
    });
    before.put_back();
    status
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

extern "C" fn pass_on(signal: i32) {
    let child = CHILD.load(Ordering::SeqCst);
    if child > 0 {
        // SAFETY: kill is async-signal-safe; the child has not been waited for while its id stands here.
        unsafe { libc::kill(child, signal) };
    }
}

/// What signals did before the command ran.
#[derive(Clone)]
struct Dispositions(Vec<(i32, libc::sigaction)>);

impl Dispositions {
    fn take_over() -> Self {
        let handler = pass_on as extern "C" fn(i32) as libc::sighandler_t;
        let passed = PASSED_ON.map(|signal| (signal, handler));
        let ignored = FROM_TERMINAL.map(|signal| (signal, libc::SIG_IGN));
        Self(
            passed
                .into_iter()
                .chain(ignored)
                .map(|(signal, action)| (signal, set(signal, action)))
                .collect(),
        )
    }

    fn put_back(&self) {
        for (signal, action) in &self.0 {
            // SAFETY: the action is what sigaction gave for this signal.
            unsafe { libc::sigaction(*signal, action, std::ptr::null_mut()) };
        }
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
