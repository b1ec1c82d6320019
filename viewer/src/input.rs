//! Keys, pastes, the mouse and signals, as messages.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::Sender;
use crossterm::event::{self, Event, MouseButton, MouseEventKind};
use signal_hook::consts::signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::key::Key;
use crate::msg::Msg;
use crate::terminal;

/// How often the thread that reads keys looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// Lines for one step of the mouse wheel.
const WHEEL_LINES: i32 = 3;

/// What comes from outside.
#[derive(Debug)]
pub enum Input {
    /// Something for the viewer.
    Msg(Msg),
    /// A signal that asks the viewer to end, or to stop, or that says that it goes on.
    Signal(i32),
    /// The terminal is gone.
    Gone,
}

/// The threads that listen.
#[derive(Debug)]
pub struct Listening {
    stop: Arc<AtomicBool>,
    signals: Handle,
}

impl Listening {
    /// Starts to listen.
    ///
    /// # Errors
    /// The system has no thread left, or no signal handlers.
    pub fn start(inputs: &Sender<Input>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT])?;
        let handle = signals.handle();
        let to_viewer = inputs.clone();
        thread::Builder::new()
            .name("cutape-signals".to_owned())
            .spawn(move || {
                let mut asked_to_end = false;
                for signal in &mut signals {
                    let ends = !matches!(signal, SIGTSTP | SIGCONT);
                    if ends && asked_to_end {
                        // Asked before, and still here: the viewer hangs.
                        terminal::give_back();
                        let _ = emulate_default_handler(signal);
                    }
                    asked_to_end |= ends;
                    let _ = to_viewer.send(Input::Signal(signal));
                }
            })?;
        let (to_viewer, stopped) = (inputs.clone(), Arc::clone(&stop));
        thread::Builder::new()
            .name("cutape-keys".to_owned())
            .spawn(move || read_keys(&to_viewer, &stopped))?;
        Ok(Self {
            stop,
            signals: handle,
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.signals.close();
    }
}

fn read_keys(inputs: &Sender<Input>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let event = match event::poll(LOOK) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let input = match event {
            Ok(event) => message(event).map(Input::Msg),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(_) => {
                let _ = inputs.send(Input::Gone);
                return;
            }
        };
        if input.is_some_and(|input| inputs.send(input).is_err()) {
            return;
        }
    }
}

fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => Key::of(&key).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resized(columns, rows)),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollDown => Some(Msg::Scroll(WHEEL_LINES)),
            MouseEventKind::ScrollUp => Some(Msg::Scroll(-WHEEL_LINES)),
            MouseEventKind::Down(MouseButton::Left) => Some(Msg::Click(mouse.column, mouse.row)),
            _ => None,
        },
        Event::FocusGained | Event::FocusLost => None,
    }
}
