//! A pseudo terminal: what a program that is watched in the viewer writes to. To the program it is a terminal, so that lines come when they
//! are written, and not when a buffer is full.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Both ends.
pub struct PseudoTerminal {
    /// Where what the program writes comes out.
    pub master: File,
    /// The terminal that the program has.
    pub slave: OwnedFd,
}

impl PseudoTerminal {
    /// Opens one that is as large as the terminal `like`. What is written comes out as it is.
    ///
    /// # Errors
    /// The system has none left.
    pub fn open(like: BorrowedFd<'_>) -> io::Result<Self> {
        let (mut master, mut slave): (RawFd, RawFd) = (-1, -1);
        let size = size_of(like);
        // SAFETY: the descriptors and the size are ours; no name and no settings are wanted.
        let result = unsafe {
            libc::openpty(
                &raw mut master,
                &raw mut slave,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &raw const size as *mut _,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: openpty gave us both, and nobody else has them.
        let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        for descriptor in [master.as_raw_fd(), slave.as_raw_fd()] {
            // SAFETY: the descriptor is open; the program gets copies of the slave alone.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        write_as_is(&slave);
        Ok(Self { master, slave })
    }
}

/// Columns and rows of a terminal; zeros, which mean unknown, where it doesn't say.
fn size_of(terminal: BorrowedFd<'_>) -> libc::winsize {
    // SAFETY: all zeros is a valid size, which the call fills in or leaves.
    unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size);
        size
    }
}

/// No carriage returns are put before line feeds, and nothing comes back as an echo.
fn write_as_is(slave: &OwnedFd) {
    // SAFETY: all zeros is a valid termios, which tcgetattr fills in; where it can't, nothing is set.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        if libc::tcgetattr(slave.as_raw_fd(), &raw mut settings) == 0 {
            settings.c_oflag &= !libc::OPOST;
            settings.c_lflag &= !libc::ECHO;
            libc::tcsetattr(slave.as_raw_fd(), libc::TCSANOW, &raw const settings);
        }
    }
}
