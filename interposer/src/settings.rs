//! What the environment tells the interposer. `cutape record` sets these variables, `cutape env` prints them.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::Failure;

/// The recording's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `CUTAPE_OUT`: folder of the recording.
    pub folder: PathBuf,
    /// `CUTAPE_ON_FULL`: what to do with a call when the thread's ring is full.
    pub on_full: OnFull,
    /// `CUTAPE_MAX_SIZE`: recording stops when the blocks of all processes reach this many bytes.
    pub max_bytes: Option<u64>,
    /// `CUTAPE_PAYLOAD`: what is kept besides arguments and results.
    pub payload: PayloadMode,
    /// `CUTAPE_STACKS`: which calls have their stacks kept.
    pub stacks: StackMode,
}

/// Which calls have their stacks kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackMode {
    /// None.
    None,
    /// Those that failed, and those of functions that a filter means: [`crate::call_stack::is_chosen`].
    Kept,
}

/// What is kept besides arguments and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadMode {
    /// Nothing.
    None,
    /// Module images and arguments of kernels.
    Modules,
    /// The host's side of copies, too.
    Full,
}

/// What happens to a call when the thread's ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// The caller waits until the flusher has made room: nothing is lost.
    Wait,
    /// The call is counted and not recorded.
    Drop,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable that is missing or makes no sense, with what was expected.
    pub fn from_environment() -> Result<Self, Failure> {
        let folder = env::var_os("CUTAPE_OUT").filter(|value| !value.is_empty()).ok_or_else(|| {
            Failure::Setting("CUTAPE_OUT is not set; it names the folder to record into (`cutape env` prints what to set)".to_owned())
        })?;
        let folder = PathBuf::from(folder);
        if !folder.is_absolute() {
            return Err(Failure::Setting(format!(
                "CUTAPE_OUT is {:?}, expected an absolute path, because programs change their folder",
                folder
            )));
        }
        let on_full = match text("CUTAPE_ON_FULL")?.as_deref() {
            None | Some("wait") => OnFull::Wait,
            Some("drop") => OnFull::Drop,
            Some(other) => return Err(unexpected("CUTAPE_ON_FULL", other, "wait or drop")),
        };
        let max_bytes = match text("CUTAPE_MAX_SIZE")? {
            None => None,
            Some(value) => Some(
                value
                    .parse()
                    .map_err(|_| unexpected("CUTAPE_MAX_SIZE", &value, "a number of bytes"))?,
            ),
        };
        let payload = match text("CUTAPE_PAYLOAD")?.as_deref() {
            None | Some("modules") => PayloadMode::Modules,
            Some("none") => PayloadMode::None,
            Some("full") => PayloadMode::Full,
            Some(other) => {
                return Err(unexpected("CUTAPE_PAYLOAD", other, "none, modules or full"));
            }
        };
        let stacks = match text("CUTAPE_STACKS")?.as_deref() {
            Some("none") => StackMode::None,
            // A filter is for sealing; CUTAPE_STACKED says which functions it may mean.
            None | Some(_) => StackMode::Kept,
        };
        Ok(Self {
            payload,
            stacks,
            folder,
            on_full,
            max_bytes,
        })
    }
}

fn text(name: &str) -> Result<Option<String>, Failure> {
    match env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(OsString::into_string)
    {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(value)) => Err(unexpected(name, &value.to_string_lossy(), "text")),
    }
}

fn unexpected(name: &str, found: &str, expected: &str) -> Failure {
    Failure::Setting(format!("{name} is {found:?}, expected {expected}"))
}
