//! A terminal for the viewer: a pseudo terminal whose screen is kept by an emulator.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Nothing in these tests takes nearly as long, on however busy a machine.
const LIMIT: Duration = Duration::from_secs(90);

/// A program in a terminal.
pub struct Terminal {
    child: Child,
    master: File,
    /// Kept, so that the settings can be read when the program has ended.
    slave: OwnedFd,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Settings of the terminal before the program was started.
    before: Settings,
}

/// What a program may change of a terminal and has to put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
}

impl Terminal {
    /// Starts a program in a terminal of that size.
    pub fn start(command: &mut Command, (columns, rows): (u16, u16)) -> Self {
        let (master, slave) = open(columns, rows);
        let before = settings(&slave);
        let end = || Stdio::from(slave.try_clone().unwrap());
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: setsid and ioctl are async-signal-safe; descriptor 0 is the terminal by then.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().unwrap();
        let (sender, output) = channel();
        let mut reader = master.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(bytes @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..bytes].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            master,
            slave,
            output,
            screen: vt100::Parser::new(rows, columns, 0),
            before,
        }
    }

    /// Types text: keys as a terminal sends them.
    pub fn type_text(&mut self, text: &str) -> &mut Self {
        self.master.write_all(text.as_bytes()).unwrap();
        self
    }

    /// What is on the screen.
    pub fn picture(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until something is on the screen.
    pub fn wait_for(&mut self, text: &str) -> &mut Self {
        self.wait_until(text, |terminal| terminal.picture().contains(text))
    }

    /// Waits until the screen is as it should be.
    pub fn wait_until(&mut self, what: &str, mut is_so: impl FnMut(&Self) -> bool) -> &mut Self {
        let deadline = Instant::now() + LIMIT;
        while !is_so(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(why) => panic!("{what}: {why}; on the screen:\n{}", self.picture()),
            }
        }
        self
    }

    /// Changes the size of the terminal.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        set_size(&self.master, columns, rows);
        self.screen.screen_mut().set_size(rows, columns);
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the process is our child and was not waited for, so the id is its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Waits until the program is stopped.
    pub fn wait_stopped(&mut self) {
        let mut status = 0;
        // SAFETY: waits for our child to stop; one that ended instead would be reported, and fail the test below.
        unsafe { libc::waitpid(self.child.id() as i32, &raw mut status, libc::WUNTRACED) };
        assert!(
            libc::WIFSTOPPED(status),
            "the viewer has ended: {status:#x}\n{}",
            self.picture()
        );
    }

    /// Waits for the end of the program; its output is all on the screen then.
    pub fn finish(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        self.take_output();
        status
    }

    /// Puts what has been written onto the screen: all of it, if the program has ended or is stopped.
    pub fn take_output(&mut self) {
        // What was written before is delivered before this mark.
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(300)) {
            self.screen.process(&bytes);
        }
    }

    /// Whether the program's own screen is gone.
    pub fn is_given_back(&self) -> bool {
        !self.screen.screen().alternate_screen()
    }

    /// Fails unless the terminal is as the program found it.
    pub fn assert_restored(&self) {
        let screen = self.screen.screen();
        assert!(
            !screen.alternate_screen(),
            "the viewer's screen is still shown"
        );
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert!(!screen.bracketed_paste(), "pastes are still marked");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(
            settings(&self.slave),
            self.before,
            "the terminal's settings"
        );
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The signal that ended a program.
pub fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}

fn open(columns: u16, rows: u16) -> (File, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    let size = size_of_window(columns, rows);
    // SAFETY: the two descriptors and the size are ours; no name and no settings are wanted.
    let result = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw const size as *mut _,
        )
    };
    assert_eq!(result, 0, "a pseudo terminal");
    for descriptor in [master, slave] {
        // SAFETY: the descriptor was opened above; programs started by other tests must not hold it open.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: openpty gave us both, and nobody else has them.
    unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
}

fn size_of_window(columns: u16, rows: u16) -> libc::winsize {
    libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn set_size(master: &File, columns: u16, rows: u16) {
    let size = size_of_window(columns, rows);
    // SAFETY: the size is ours, and the descriptor a pseudo terminal's.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(result, 0);
}

fn settings(terminal: &OwnedFd) -> Settings {
    // SAFETY: all zeros is a valid termios, which tcgetattr fills in.
    let attributes = unsafe {
        let mut attributes: libc::termios = std::mem::zeroed();
        assert_eq!(
            libc::tcgetattr(terminal.as_raw_fd(), &raw mut attributes),
            0
        );
        attributes
    };
    Settings {
        input: attributes.c_iflag,
        output: attributes.c_oflag,
        control: attributes.c_cflag,
        local: attributes.c_lflag,
    }
}
