//! Names with `*` for any run of letters.

use std::path::Path;

use cutape_call_choice::pattern::fits;

/// A pattern such as `ollama*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern that a profile spells.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether a name fits.
    pub fn fits(&self, name: &str) -> bool {
        fits(&self.0, name)
    }

    /// Whether this process's program fits: the file that runs, or the name that it was started by (a script's interpreter may be
    /// started by the script's name).
    pub fn fits_this_process(&self) -> bool {
        let file_name = |path: &Path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        };
        let program = std::env::current_exe()
            .ok()
            .and_then(|path| file_name(&path));
        let started_as = std::env::args_os()
            .next()
            .and_then(|name| file_name(Path::new(&name)));
        [program, started_as]
            .iter()
            .flatten()
            .any(|name| self.fits(name))
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn this_process_is_known_by_its_file_name() {
        let test = std::env::current_exe().unwrap();
        let name = test.file_name().unwrap().to_string_lossy().into_owned();
        assert!(Pattern::new(&name).fits_this_process());
        assert!(!Pattern::new("another-program").fits_this_process());
    }
}
