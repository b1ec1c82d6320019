//! Programs under test: started, waited for with a limit, and compared.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// No program of these tests needs nearly as long; one that does hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A program that has ended, with all that it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub end: End,
    pub stdout: String,
    pub stderr: String,
}

/// A program that was started.
pub struct Running(Child);

/// Starts a program in a process group of its own, its output kept.
pub fn start(command: &mut Command) -> Running {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    Running(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

/// Runs a program to its end.
pub fn finish(command: &mut Command) -> Finished {
    start(command).finish()
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the process is our child and was not waited for, so the id is its own.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0);
    }

    /// Whether it has ended by itself; a test that waits for something must not wait for a program that is gone.
    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits for its end. A program that hangs is killed with its group, and fails the test.
    pub fn finish(self) -> Finished {
        let group = self.pid();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(self.0.wait_with_output()));
        match receiver.recv_timeout(LIMIT) {
            Ok(output) => Finished::from(output.unwrap()),
            Err(_) => {
                // SAFETY: the group was made by `start`, and its leader was not waited for.
                unsafe { libc::kill(-group, libc::SIGKILL) };
                panic!("a program still runs after {LIMIT:?}");
            }
        }
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let end = match output.status.code() {
            Some(code) => End::Code(code),
            None => End::Signal(output.status.signal().unwrap()),
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            end,
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Finished {
    /// Lines of ours on standard error.
    pub fn messages(&self) -> Vec<&str> {
        self.stderr
            .lines()
            .filter(|line| line.starts_with("cutape: "))
            .collect()
    }

    /// The messages that say that the recording ended early.
    pub fn complaints(&self) -> Vec<&str> {
        self.messages()
            .into_iter()
            .filter(|line| line.contains("recording is off"))
            .collect()
    }

    /// What the program itself wrote to standard error.
    pub fn own_stderr(&self) -> String {
        let own = self
            .stderr
            .lines()
            .filter(|line| !line.starts_with("cutape: "));
        own.flat_map(|line| [line, "\n"]).collect()
    }

    /// Fails unless the program printed and ended as it did in the run without cutape.
    pub fn assert_same_as(&self, alone: &Self) {
        assert_eq!(
            (self.end, &self.stdout, self.own_stderr()),
            (alone.end, &alone.stdout, alone.own_stderr()),
            "with and without recording; standard error with it: {}",
            self.stderr
        );
    }
}
