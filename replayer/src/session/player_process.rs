//! The player's process: started, listened to, and ended.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use crate::report::PlayerUsage;
use crate::wire::board::Board;

/// Of what the driver prints, so much is kept.
const PRINTED_BYTES: usize = 16 << 10;

/// How the playing process is started. The number of a descriptor comes as the last argument; the program must hand it to
/// [`worker::run`](crate::worker::run) before it does anything else.
#[derive(Clone, Debug)]
pub struct PlayerCommand {
    /// The program: usually the running one.
    pub program: PathBuf,
    /// Its arguments before the number.
    pub arguments: Vec<OsString>,
}

/// A running player.
#[derive(Debug)]
pub struct PlayerProcess {
    child: Child,
    printed: Vec<JoinHandle<Vec<u8>>>,
    status: Option<ExitStatus>,
}

impl PlayerProcess {
    /// Starts a player that plays what comes on the board.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(
        command: &PlayerCommand,
        environment: &[(String, String)],
        board: &Board,
    ) -> io::Result<Self> {
        let descriptor = board
            .memory()
            .descriptor()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            .arg(descriptor.to_string())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        let printed = streams
            .into_iter()
            .flatten()
            .map(|stream| std::thread::spawn(move || keep_some(stream)))
            .collect();
        Ok(Self {
            child,
            printed,
            status: None,
        })
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// What it has used so far; nothing where the system doesn't tell, because it has ended.
    pub fn usage(&self) -> PlayerUsage {
        PlayerUsage {
            cpu_ns: processor_ns(self.child.id() as i32),
            resident_bytes: largest_resident_bytes(&self.child.id().to_string()),
        }
    }

    /// Ends it, with what it started. What the driver has printed.
    pub fn end(&mut self) -> String {
        let group = self.child.id() as i32;
        // SAFETY: the child leads a group of its own, and was either not waited for, so that the number is its own, or has just ended.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut text = String::new();
        for thread in self.printed.drain(..) {
            let bytes = thread.join().unwrap_or_default();
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        text
    }
}

/// Processor time of a process so far, 0 meaning this one; 0 if the system doesn't tell.
pub fn processor_ns(process: i32) -> u64 {
    let mut clock = 0;
    // SAFETY: writes the number of a clock into `clock`.
    if unsafe { libc::clock_getcpuclockid(process, &raw mut clock) } != 0 {
        return 0;
    }
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes a time into `time`.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return 0;
    }
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Largest resident memory so far of the process that /proc has under that name, `self` among others; 0 if the kernel doesn't tell.
pub fn largest_resident_bytes(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// Reads a stream to its end and keeps its beginning.
fn keep_some(mut stream: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return kept,
            Ok(count) => {
                let room = PRINTED_BYTES.saturating_sub(kept.len());
                kept.extend_from_slice(&buffer[..count.min(room)]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return kept,
        }
    }
}

/// How a process ended, for people: `SIGSEGV`, `exit code 3`.
pub fn ending_text(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => signal_name(signal),
        (_, Some(code)) => format!("exit code {code}"),
        _ => "an unknown end".to_owned(),
    }
}

fn signal_name(signal: i32) -> String {
    let names = [
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    names
        .iter()
        .find(|(number, _)| *number == signal)
        .map_or_else(
            || format!("signal {signal}"),
            |(_, name)| (*name).to_owned(),
        )
}
