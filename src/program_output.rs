//! What a program writes while the viewer has the terminal: given to the viewer at once, and kept for the terminal until the viewer gives
//! that back.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::Sender;
use cutape_viewer::program::News;

use crate::pseudo_terminal::PseudoTerminal;

/// Bytes kept for the terminal; of more, the last ones.
const MOST_KEPT: usize = 1 << 20;
/// Bytes read at a time.
const CHUNK: usize = 16 << 10;

/// Where output goes.
struct Outlet {
    terminal: File,
    /// What was written and is not on the terminal yet; `None` when output goes there at once.
    kept: Option<VecDeque<u8>>,
    /// Older bytes that are no longer kept.
    forgotten: u64,
}

impl Outlet {
    fn take(&mut self, bytes: &[u8]) {
        match &mut self.kept {
            Some(kept) => {
                kept.extend(bytes);
                let over = kept.len().saturating_sub(MOST_KEPT);
                kept.drain(..over);
                self.forgotten += over as u64;
            }
            // A terminal that is gone takes nothing, and nobody misses it.
            None => _ = self.terminal.write_all(bytes),
        }
    }

    fn pass_through(&mut self) {
        let Some(mut kept) = self.kept.take() else {
            return;
        };
        if self.forgotten > 0 {
            let _ = writeln!(
                self.terminal,
                "cutape: {} bytes that the program wrote before are not kept",
                self.forgotten
            );
        }
        let _ = self.terminal.write_all(kept.make_contiguous());
    }
}

/// What a program writes.
pub struct ProgramOutput {
    outlet: Arc<Mutex<Outlet>>,
    /// Says that the program has ended.
    end: File,
    reader: JoinHandle<()>,
}

impl ProgramOutput {
    /// Reads what comes out of a pseudo terminal. `terminal` is where it goes in the end.
    ///
    /// # Errors
    /// The system has no thread or no descriptor left.
    pub fn start(from: PseudoTerminal, terminal: File, news: Sender<News>) -> io::Result<Self> {
        let outlet = Arc::new(Mutex::new(Outlet {
            terminal,
            kept: Some(VecDeque::new()),
            forgotten: 0,
        }));
        let end = event()?;
        let (to, ended) = (Arc::clone(&outlet), end.try_clone()?);
        let reader = thread::Builder::new()
            .name("cutape-output".to_owned())
            .spawn(move || read(from, &ended, &to, &news))?;
        Ok(Self {
            outlet,
            end,
            reader,
        })
    }

    /// The terminal is there again: it gets what was kept, and from now on all at once.
    pub fn pass_through(&self) {
        lock(&self.outlet).pass_through();
    }

    /// The program has ended: waits until all that it wrote has been passed on.
    pub fn finish(mut self) {
        if self.end.write_all(&1u64.to_ne_bytes()).is_ok() {
            let _ = self.reader.join();
        }
        lock(&self.outlet).pass_through();
    }
}

fn lock(outlet: &Mutex<Outlet>) -> MutexGuard<'_, Outlet> {
    outlet.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event() -> io::Result<File> {
    // SAFETY: eventfd takes a number and flags, and the descriptor that it gives is nobody else's.
    unsafe {
        match libc::eventfd(0, libc::EFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(File::from(OwnedFd::from_raw_fd(descriptor))),
        }
    }
}

/// Our own end of the slave stays open meanwhile: a program may close its streams and a child of it write on.
fn read(from: PseudoTerminal, ended: &File, outlet: &Mutex<Outlet>, news: &Sender<News>) {
    let mut master = from.master;
    let mut bytes = vec![0; CHUNK];
    while let Some(true) = await_either(&master, ended) {
        let read = match master.read(&mut bytes) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        lock(outlet).take(&bytes[..read]);
        // The viewer may be gone.
        let _ = news.send(News::Output(bytes[..read].to_vec()));
    }
}

/// Waits until there is something to read, or the program has ended. Whether there is something to read; `None` if that can't be told.
fn await_either(master: &File, ended: &File) -> Option<bool> {
    let poll_of = |file: &File| libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    loop {
        let mut polls = [poll_of(master), poll_of(ended)];
        // SAFETY: two pollfds that are ours, of descriptors that are open.
        let found = unsafe { libc::poll(polls.as_mut_ptr(), 2, -1) };
        if found < 0 {
            match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => continue,
                _ => return None,
            }
        }
        return Some(polls[0].revents & libc::POLLIN != 0);
    }
}
