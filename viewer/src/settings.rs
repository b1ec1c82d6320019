//! What is remembered from one time to the next: `$XDG_CONFIG_HOME/cutape/view.toml`. A file that can't be read is said and never in the way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::theme::{THEMES, Theme};

/// What can be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Colours.
    pub theme: Theme,
    /// Signs of ASCII only.
    pub ascii: bool,
    /// The mouse scrolls and selects.
    pub mouse: bool,
    /// The panes around lists are hidden.
    pub panes_hidden: bool,
    /// Lines that panes have more, or fewer, than they would have by themselves.
    pub panes_larger: i8,
}

/// Panes grow and shrink by at most so many lines.
pub const MOST_LARGER: i8 = 20;

/// The file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    theme: String,
    ascii: bool,
    mouse: bool,
    panes_hidden: bool,
    panes_larger: i8,
}

/// Where the settings are, from the environment's words.
pub fn settings_path(config_home: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    let base = match config_home.filter(|path| path.is_absolute()) {
        Some(path) => path.to_owned(),
        None => home.filter(|path| path.is_absolute())?.join(".config"),
    };
    Some(base.join("cutape").join("view.toml"))
}

impl Settings {
    /// Reads the file; without one, or with one that can't be used, the settings are the usual ones, and the text says why.
    pub fn read(path: &Path) -> (Self, Option<String>) {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return (Self::default(), None);
            }
            Err(error) => return Self::refuse(path, &error.to_string()),
        };
        match Self::parse(&text) {
            Ok(settings) => (settings, None),
            Err(why) => Self::refuse(path, &why),
        }
    }

    fn refuse(path: &Path, why: &str) -> (Self, Option<String>) {
        let why = why.split('\n').next().unwrap_or_default();
        let text = format!("{}: {why}; the usual settings are used", path.display());
        (Self::default(), Some(text))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let document: Document =
            toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let theme = match document.theme.as_str() {
            "" => Theme::default(),
            name => Theme::named(name).ok_or_else(|| {
                let names = THEMES.map(|(name, _)| name).join(", ");
                format!("theme: expected one of {names}, found {name:?}")
            })?,
        };
        Ok(Self {
            theme,
            ascii: document.ascii,
            mouse: document.mouse,
            panes_hidden: document.panes_hidden,
            panes_larger: document.panes_larger.clamp(-MOST_LARGER, MOST_LARGER),
        })
    }

    /// Writes the file, whole or not at all. One that could not be read is kept beside it as `view.toml.broken`.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let document = Document {
            theme: self.theme.name().to_owned(),
            ascii: self.ascii,
            mouse: self.mouse,
            panes_hidden: self.panes_hidden,
            panes_larger: self.panes_larger,
        };
        let text = toml::to_string(&document).map_err(io::Error::other)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        if let (_, Some(_)) = Self::read(path) {
            fs::rename(path, path.with_extension("toml.broken"))?;
        }
        let temporary = path.with_extension(format!("toml.{}", std::process::id()));
        fs::write(&temporary, text)?;
        fs::rename(&temporary, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = format!("cutape-settings-{}-{name}", std::process::id());
            Self(std::env::temp_dir().join(folder))
        }

        fn file(&self) -> PathBuf {
            self.0.join("cutape/view.toml")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let scratch = Scratch::new("again");
        let settings = Settings {
            theme: Theme::Dark,
            ascii: true,
            panes_larger: -3,
            ..Settings::default()
        };
        assert_eq!(Settings::read(&scratch.file()), (Settings::default(), None));
        settings.write(&scratch.file()).expect("writes");
        assert_eq!(Settings::read(&scratch.file()), (settings, None));
    }

    #[test]
    fn a_broken_file_is_said_and_kept_and_does_not_block() {
        let scratch = Scratch::new("broken");
        for broken in [
            "theme = ",
            "theme = \"neon\"",
            "colour = 3",
            "ascii = \"yes\"",
        ] {
            fs::create_dir_all(scratch.file().parent().expect("a folder")).expect("creates");
            fs::write(scratch.file(), broken).expect("writes");
            let (settings, why) = Settings::read(&scratch.file());
            assert_eq!(settings, Settings::default());
            let why = why.expect("a reason");
            assert!(why.contains("view.toml") && !why.contains('\n'), "{why}");
            settings.write(&scratch.file()).expect("writes");
            let kept = fs::read_to_string(scratch.0.join("cutape/view.toml.broken"));
            assert_eq!(kept.expect("kept"), broken);
        }
    }

    #[test]
    fn the_place_follows_xdg() {
        let path = |config: Option<&str>, home: Option<&str>| {
            settings_path(config.map(Path::new), home.map(Path::new))
        };
        let is = |text: &str| Some(PathBuf::from(text));
        assert_eq!(path(Some("/c"), Some("/h")), is("/c/cutape/view.toml"));
        assert_eq!(
            path(Some("relative"), Some("/h")),
            is("/h/.config/cutape/view.toml")
        );
        assert_eq!(path(None, None), None);
    }
}
