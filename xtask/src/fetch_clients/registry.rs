//! Downloads package files by the ordinary client of each registry: pip, npm, apt.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cutape_test_clients::manifest::{Archive, Registry};
use cutape_test_clients::python;

use super::command::run;
use super::debian_sources;

/// Puts one archive's file into a folder.
pub trait Download {
    /// Downloads `archive` into the empty folder `into` and gives the file's path, or says why it can't be had.
    fn download(
        &self,
        registry: Registry,
        archive: &Archive,
        into: &Path,
    ) -> Result<PathBuf, String>;
}

/// The real registries.
pub struct Registries {
    /// Where apt keeps what it needs; made when the first Debian package is asked for.
    apt_folder: PathBuf,
    apt_ready: OnceCell<Result<(), String>>,
}

impl Registries {
    /// Works in the given staging folder.
    pub fn new(staging: &Path) -> Self {
        Self {
            apt_folder: staging.join("apt"),
            apt_ready: OnceCell::new(),
        }
    }

    fn by_pip(archive: &Archive, into: &Path) -> Result<(), String> {
        let mut pip = Command::new(python::interpreter());
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-cache-dir",
        ]);
        pip.args(["--no-deps", "--only-binary=:all:", "--dest"])
            .arg(into);
        pip.arg(format!("{}=={}", archive.package, archive.version));
        run(&mut pip).map(drop).map_err(|error| {
            // pip says "from versions: none" in both cases.
            format!(
                "the package index is out of reach or has no such file for this Python: {error}"
            )
        })
    }

    fn by_npm(archive: &Archive, into: &Path) -> Result<(), String> {
        let mut npm = Command::new("npm");
        npm.args(["pack", "--silent", "--pack-destination"])
            .arg(into);
        npm.arg(format!("{}@{}", archive.package, archive.version));
        run(npm.current_dir(into)).map(drop)
    }

    fn by_apt(&self, archive: &Archive, into: &Path) -> Result<(), String> {
        self.apt_ready.get_or_init(|| self.update_apt()).clone()?;
        let mut download = self.apt("apt-get");
        download
            .arg("download")
            .arg(format!("{}={}", archive.package, archive.version));
        run(download.current_dir(into)).map(drop).map_err(|error| {
            let offered = self.offered_versions(&archive.package);
            format!("{error} (versions that this machine's Debian offers: {offered})")
        })
    }

    /// Makes an apt of our own, with lists and cache in the staging folder; the system's is only read for its sources and keys.
    fn update_apt(&self) -> Result<(), String> {
        let sources = debian_sources::read(Path::new("/etc"))?;
        let folder = self.apt_folder.join("sources");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::create_dir_all(self.apt_folder.join("lists/partial")))
            .and_then(|()| fs::create_dir_all(self.apt_folder.join("cache/archives/partial")))
            .and_then(|()| write("debian.sources", &sources.stanzas))
            .and_then(|()| write("debian.list", &sources.lines))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        run(self.apt("apt-get").args(["-q", "update"])).map(drop)
    }

    fn offered_versions(&self, package: &str) -> String {
        let listed = run(self.apt("apt-cache").args(["madison", package])).unwrap_or_default();
        let mut versions: Vec<_> = listed
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .map(str::trim)
            .collect();
        versions.dedup();
        match versions.is_empty() {
            true => "none".to_owned(),
            false => versions.join(", "),
        }
    }

    fn apt(&self, program: &str) -> Command {
        let mut apt = Command::new(program);
        for (option, value) in [
            ("Dir::Etc::SourceList", Path::new("/dev/null")),
            ("Dir::Etc::SourceParts", &self.apt_folder.join("sources")),
            ("Dir::State::Lists", &self.apt_folder.join("lists")),
            ("Dir::Cache", &self.apt_folder.join("cache")),
            // apt would give up root for a user who can't enter the cache folder; there is nothing here to be root for.
            ("APT::Sandbox::User", Path::new("root")),
            ("Acquire::Languages", Path::new("none")),
            // Without this, apt-get update succeeds when it could reach nothing.
            ("APT::Update::Error-Mode", Path::new("any")),
            ("Acquire::Retries", Path::new("2")),
            // Metadata for software centres, asked for by a system's own apt configuration.
            (
                "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled",
                Path::new("false"),
            ),
        ] {
            apt.arg("-o").arg(format!("{option}={}", value.display()));
        }
        apt
    }
}

impl Download for Registries {
    fn download(
        &self,
        registry: Registry,
        archive: &Archive,
        into: &Path,
    ) -> Result<PathBuf, String> {
        match registry {
            Registry::Pypi => Self::by_pip(archive, into),
            Registry::Npm => Self::by_npm(archive, into),
            Registry::Debian => self.by_apt(archive, into),
        }?;
        let entries = fs::read_dir(into).map_err(|error| format!("{}: {error}", into.display()))?;
        let files: Vec<_> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
        match &files[..] {
            [file] => Ok(file.clone()),
            _ => Err(format!(
                "expected one file from the registry, found {}",
                files.len()
            )),
        }
    }
}
