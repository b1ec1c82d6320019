//! Names with `*` for any run of letters.

use std::path::Path;

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
        fits(self.0.as_bytes(), name.as_bytes())
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

fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, _) => name.is_empty(),
        (Some((b'*', rest)), None) => fits(rest, name),
        (Some((b'*', rest)), Some((_, shorter))) => fits(rest, name) || fits(pattern, shorter),
        (Some((letter, rest)), Some((first, shorter))) => letter == first && fits(rest, shorter),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_star_stands_for_any_run_of_letters() {
        for (pattern, name) in [
            ("ollama", "ollama"),
            ("ollama*", "ollama"),
            ("*server", "llama-server"),
            ("l*a-s*r", "llama-server"),
            ("*", ""),
        ] {
            assert!(Pattern::new(pattern).fits(name), "{pattern} {name}");
        }
        for (pattern, name) in [("ollama", "ollama-runner"), ("*x", "ollama"), ("", "a")] {
            assert!(!Pattern::new(pattern).fits(name), "{pattern} {name}");
        }
    }

    #[test]
    fn this_process_is_known_by_its_file_name() {
        let test = std::env::current_exe().unwrap();
        let name = test.file_name().unwrap().to_string_lossy().into_owned();
        assert!(Pattern::new(&name).fits_this_process());
        assert!(!Pattern::new("another-program").fits_this_process());
    }
}
