//! Where this machine gets Debian from, with the component non-free instead of its own: read from apt's source files at run time, so that
//! no archive's address is written down here.

use std::fs;
use std::path::{Path, PathBuf};

/// apt's two forms of source lists, each with what was found in that form.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DebianSources {
    /// For a file `*.sources`.
    pub stanzas: String,
    /// For a file `*.list`.
    pub lines: String,
}

/// The machine's Debian sources for the release that it runs. `etc` is `/etc`.
pub fn read(etc: &Path) -> Result<DebianSources, String> {
    let os_release = fs::read_to_string(etc.join("os-release")).unwrap_or_default();
    let value = |key: &str| {
        let line = os_release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let (Some("debian"), Some(codename)) = (value("ID").as_deref(), value("VERSION_CODENAME"))
    else {
        return Err("expected a Debian system (ID=debian and VERSION_CODENAME in os-release), found another".to_owned());
    };
    let mut found = DebianSources::default();
    for path in source_files(etc) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        match path
            .extension()
            .is_some_and(|extension| extension == "sources")
        {
            true => found.stanzas += &stanzas(&text, &codename),
            false => found.lines += &lines(&text, &codename),
        }
    }
    if found == DebianSources::default() {
        return Err(format!(
            "expected sources of Debian {codename} in apt's lists, found none"
        ));
    }
    Ok(found)
}

/// `sources.list`, then `sources.list.d` in order of names.
fn source_files(etc: &Path) -> Vec<PathBuf> {
    let parts = fs::read_dir(etc.join("apt/sources.list.d"))
        .into_iter()
        .flatten();
    let mut parts: Vec<_> = parts
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|e| e == "list" || e == "sources")
        })
        .collect();
    parts.sort();
    parts.insert(0, etc.join("apt/sources.list"));
    parts
}

/// Whether a suite is Debian's own release or its updates, and a component list is Debian's.
fn is_debian<'a>(
    suites: impl Iterator<Item = &'a str>,
    mut components: impl Iterator<Item = &'a str>,
    codename: &str,
) -> bool {
    let own = |suite: &str| {
        let rest = suite.strip_prefix(codename);
        rest.is_some_and(|rest| ["", "-updates", "-security", "/updates"].contains(&rest))
    };
    suites.into_iter().all(own) && components.any(|component| component == "main")
}

/// The deb822 form: fields in stanzas, a field going on in indented lines.
fn stanzas(text: &str, codename: &str) -> String {
    let uncommented: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let mut kept = String::new();
    for stanza in uncommented.split(|line| line.trim().is_empty()) {
        let field = |name: &str| field_words(stanza, name);
        let enabled = field("enabled").first() != Some(&"no");
        let binary = field("types").contains(&"deb");
        let suites = field("suites");
        let debian = !suites.is_empty()
            && is_debian(
                suites.into_iter(),
                field("components").into_iter(),
                codename,
            );
        if enabled && binary && debian {
            kept += &with_non_free(stanza);
        }
    }
    kept
}

/// Name and first line of a field; `None` for a line that goes on a field.
fn field_start(line: &str) -> Option<(String, &str)> {
    let (name, value) = line
        .split_once(':')
        .filter(|_| !line.starts_with([' ', '\t']))?;
    Some((name.to_ascii_lowercase(), value))
}

fn field_words<'a>(stanza: &[&'a str], name: &str) -> Vec<&'a str> {
    let mut inside = false;
    let mut words = Vec::new();
    for line in stanza {
        let value = match field_start(line) {
            Some((start, value)) => {
                inside = start == name;
                value
            }
            None => line,
        };
        if inside {
            words.extend(value.split_whitespace());
        }
    }
    words
}

/// The stanza with the component non-free only, and for binary packages only.
fn with_non_free(stanza: &[&str]) -> String {
    let mut replaced = false;
    let mut text = String::new();
    for line in stanza {
        if let Some((name, _)) = field_start(line) {
            replaced = name == "components" || name == "types";
        }
        if !replaced {
            text += line;
            text.push('\n');
        }
    }
    text + "Types: deb\nComponents: non-free\n\n"
}

/// The one-line form: `deb [options] address suite component...`.
fn lines(text: &str, codename: &str) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let Some(rest) = line
            .split('#')
            .next()
            .unwrap_or("")
            .trim()
            .strip_prefix("deb ")
        else {
            continue;
        };
        let (options, rest) = match rest
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((options, rest)) => (format!("[{options}] "), rest),
            None => (String::new(), rest),
        };
        let words: Vec<_> = rest.split_whitespace().collect();
        let [address, suite, components @ ..] = &words[..] else {
            continue;
        };
        if is_debian([*suite].into_iter(), components.iter().copied(), codename) {
            kept += &format!("deb {options}{address} {suite} non-free\n");
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_of_this_release_get_non_free_and_others_are_left_out() {
        let text = "# a comment\nTypes: deb deb-src\nURIs: mirror\nSuites: bookworm\n bookworm-updates\nComponents: main\n contrib\nSigned-By: key\n\n\
                    Types: deb\nURIs: elsewhere\nSuites: nodistro\nComponents: main\n\n\
                    Types: deb\nURIs: off\nSuites: bookworm\nComponents: main\nEnabled: no\n";
        assert_eq!(
            stanzas(text, "bookworm"),
            "URIs: mirror\nSuites: bookworm\n bookworm-updates\nSigned-By: key\nTypes: deb\nComponents: non-free\n\n"
        );
    }

    #[test]
    fn lines_of_this_release_get_non_free_and_others_are_left_out() {
        let text = "deb [signed-by=key arch=amd64] mirror bookworm-security main contrib # here\ndeb-src mirror bookworm main\n\
                    # deb mirror bookworm main\ndeb other trixie main\ndeb tools bookworm stable\ndeb mirror bookworm main\n";
        assert_eq!(
            lines(text, "bookworm"),
            "deb [signed-by=key arch=amd64] mirror bookworm-security non-free\ndeb mirror bookworm non-free\n"
        );
    }

    #[test]
    fn another_distribution_is_named_as_the_reason() {
        let error = read(Path::new("/nonexistent")).unwrap_err();
        assert!(error.contains("expected a Debian system"), "{error}");
    }
}
