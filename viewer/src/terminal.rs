//! The terminal: taken for the viewer, and given back whatever happens.

use std::io::{self, Write, stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::workers::THREAD_NAME;

/// The terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes the terminal: own screen, every key, pasted text as such.
///
/// # Errors
/// There is none, or it is gone.
pub fn take(mouse: bool) -> io::Result<()> {
    give_back_on_panic();
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
    if mouse {
        execute!(stdout(), EnableMouseCapture)?;
    }
    Ok(())
}

/// Gives the terminal back as it was. Does nothing if it isn't ours.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // A terminal that is gone needs nothing back.
    let _ = execute!(
        stdout(),
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
    let _ = stdout().flush();
}

/// Turns reports of the mouse on or off.
///
/// # Errors
/// The terminal is gone.
pub fn set_mouse(on: bool) -> io::Result<()> {
    if on {
        execute!(stdout(), EnableMouseCapture)
    } else {
        execute!(stdout(), DisableMouseCapture)
    }
}

/// A panic's message must not be written to the viewer's screen, which is about to go. Panics of workers are caught and told there.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            let is_worker = thread::current()
                .name()
                .is_some_and(|name| name.starts_with(THREAD_NAME));
            if !is_worker {
                give_back();
                usual(what);
            }
        }));
    });
}

/// Holds the terminal.
#[derive(Debug)]
pub struct Held(());

impl Held {
    /// Takes the terminal until this is dropped.
    ///
    /// # Errors
    /// There is none.
    pub fn take(mouse: bool) -> io::Result<Self> {
        let held = Self(());
        take(mouse)?;
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        give_back();
    }
}
