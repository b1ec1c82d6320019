//! What the commands that open the viewer have in common: whether the terminal is good for it, and where settings are.

use std::path::{Path, PathBuf};

use cutape_viewer::run::Options;
use cutape_viewer::settings::settings_path;

/// Whether the terminal can't move its cursor.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty())
}

/// What the environment says to the viewer.
pub fn options() -> Options {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = |name: &str| set(name).map(PathBuf::from);
    Options {
        settings_path: settings_path(
            folder("XDG_CONFIG_HOME").as_deref(),
            folder("HOME").as_deref().map(Path::new),
        ),
        mono: set("NO_COLOR").is_some(),
        ..Options::default()
    }
}
