//! One client from its registry into its place: download, compare, unpack, rename.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cutape_test_clients::cache::{Cache, MARKER, Presence, marker_text};
use cutape_test_clients::manifest::{Archive, Client};
use cutape_test_clients::python::PythonVersion;

use super::archive;
use super::registry::Download;
use super::staging::Staging;

/// How a client came to be in the cache.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there.
    AlreadyThere,
    /// It was fetched now.
    Fetched,
}

/// Why it is not in the cache.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It can't be had here: registry out of reach, no such version any more, no client program, another system.
    #[error("{0}")]
    Unavailable(String),
    /// The registry gave another file than the pinned one.
    #[error("{package}: expected SHA-256 {expected}, found {found}; nothing was unpacked")]
    WrongChecksum {
        /// Whose file.
        package: String,
        /// As pinned.
        expected: String,
        /// As downloaded.
        found: String,
    },
    /// Its place is taken by something that is not it.
    #[error("{path} holds something else than clients.toml pins: remove it and run this again", path = .0.display())]
    PlaceTaken(PathBuf),
    /// It can't be unpacked.
    #[error("{0}")]
    Unpack(String),
    /// The cache can't be written.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What went wrong with it.
        error: io::Error,
    },
}

/// Brings one client into the cache if it is not there yet.
pub fn install(
    cache: &Cache,
    staging: &Staging,
    registries: &impl Download,
    client: &Client,
    python: Option<&PythonVersion>,
) -> Result<Outcome, InstallError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(InstallError::Unavailable(
            "the pinned files are for x86-64 Linux only".to_owned(),
        ));
    }
    let place = cache.place(client, python);
    match cache.presence(client, python) {
        Presence::Complete => return Ok(Outcome::AlreadyThere),
        Presence::Different => return Err(InstallError::PlaceTaken(place)),
        Presence::Absent => {}
    }
    let Some(marker) = marker_text(client, python) else {
        let python = python.map_or("no Python".to_owned(), |version| {
            format!("Python {version}")
        });
        return Err(InstallError::Unavailable(format!(
            "not pinned for {python} (CUTAPE_PYTHON names another)"
        )));
    };
    let unpacked = new_folder(staging)?;
    for archive in &client.archives {
        let pinned = archive.pinned_sha256(python).unwrap_or_default();
        let downloads = new_folder(staging)?;
        let file = registries
            .download(client.registry, archive, &downloads)
            .map_err(InstallError::Unavailable)?;
        compare(archive, pinned, &file)?;
        archive::unpack(&file, &unpacked).map_err(InstallError::Unpack)?;
        fs::remove_dir_all(&downloads).map_err(at(&downloads))?;
    }
    fs::write(unpacked.join(MARKER), marker).map_err(at(&unpacked))?;
    put_in_place(&unpacked, &place, || cache.presence(client, python))
}

fn compare(archive: &Archive, pinned: &str, file: &Path) -> Result<(), InstallError> {
    let found = archive::sha256_of(file).map_err(at(file))?;
    match found == pinned {
        true => Ok(()),
        false => Err(InstallError::WrongChecksum {
            package: format!("{} {}", archive.package, archive.version),
            expected: pinned.to_owned(),
            found,
        }),
    }
}

/// A rename is all or nothing, and it refuses when another run was faster; that is as good.
fn put_in_place(
    unpacked: &Path,
    place: &Path,
    presence: impl Fn() -> Presence,
) -> Result<Outcome, InstallError> {
    match fs::rename(unpacked, place) {
        Ok(()) => Ok(Outcome::Fetched),
        Err(_) if presence() == Presence::Complete => Ok(Outcome::AlreadyThere),
        Err(error) => Err(at(place)(error)),
    }
}

fn new_folder(staging: &Staging) -> Result<PathBuf, InstallError> {
    staging.new_folder().map_err(at(staging.folder()))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |error| InstallError::File { path, error }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use cutape_test_clients::manifest::{Manifest, Registry};

    use super::*;

    /// A registry that gives out one .tgz whose only file says `text`, after doing something else.
    struct OneFile<'a> {
        text: &'a str,
        first: &'a dyn Fn(),
    }

    impl Download for OneFile<'_> {
        fn download(&self, _: Registry, _: &Archive, into: &Path) -> Result<PathBuf, String> {
            (self.first)();
            let folder = into.join("package");
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("file"), self.text).unwrap();
            let file = into.join("thing.tgz");
            let tar = "tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - package | gzip -n > thing.tgz";
            assert!(
                Command::new("sh")
                    .args(["-c", tar])
                    .current_dir(into)
                    .status()
                    .unwrap()
                    .success()
            );
            Ok(file)
        }
    }

    struct OutOfReach;

    impl Download for OutOfReach {
        fn download(&self, _: Registry, _: &Archive, _: &Path) -> Result<PathBuf, String> {
            Err("no route to host".to_owned())
        }
    }

    struct Bench {
        folder: tempfile::TempDir,
        cache: Cache,
        client: Client,
    }

    impl Bench {
        /// A cache in a folder of its own, and a client that pins what [`OneFile`] gives for the text `right`.
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let right = OneFile {
                text: "right",
                first: &|| (),
            };
            let sum = Self::sum_of(&right, folder.path());
            let text = format!(
                "[[client]]\nname = \"thing\"\nversion = \"1\"\nregistry = \"npm\"\ngroup = \"default\"\ngives = \"a file\"\n\
                 archives = [{{ package = \"thing\", version = \"1\", sha256 = \"{sum}\" }}]\n"
            );
            let client = Manifest::parse(&text).unwrap().clients.remove(0);
            let cache = Cache::at(folder.path().join("cache"));
            Self {
                folder,
                cache,
                client,
            }
        }

        fn sum_of(registry: &OneFile<'_>, folder: &Path) -> String {
            let into = folder.join("sum");
            fs::create_dir(&into).unwrap();
            let archive: &Archive = &Manifest::committed().clients[0].archives[0];
            archive::sha256_of(&registry.download(Registry::Npm, archive, &into).unwrap()).unwrap()
        }

        fn install(&self, registry: &impl Download) -> Result<Outcome, InstallError> {
            let staging = Staging::new(self.cache.root()).unwrap();
            install(&self.cache, &staging, registry, &self.client, None)
        }

        /// What is in the cache, by name.
        fn contents(&self) -> Vec<String> {
            let entries = fs::read_dir(self.cache.root()).unwrap();
            let mut names: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_client_is_unpacked_once_and_then_found() {
        let bench = Bench::new();
        let right = OneFile {
            text: "right",
            first: &|| (),
        };
        assert_eq!(bench.install(&right).unwrap(), Outcome::Fetched);
        let found = bench.cache.find(&bench.client, None).unwrap();
        assert_eq!(fs::read_to_string(found.join("file")).unwrap(), "right");
        assert_eq!(bench.install(&OutOfReach).unwrap(), Outcome::AlreadyThere);
        assert_eq!(bench.contents(), ["thing-1"]);
    }

    #[test]
    fn another_file_than_the_pinned_one_is_refused_with_both_checksums() {
        let bench = Bench::new();
        let error = bench
            .install(&OneFile {
                text: "wrong",
                first: &|| (),
            })
            .unwrap_err();
        let text = error.to_string();
        let pinned = bench.client.archives[0].sha256.as_deref().unwrap();
        assert!(text.starts_with("thing 1: expected SHA-256 "), "{text}");
        assert!(text.contains(pinned) && text.contains(", found "), "{text}");
        assert!(bench.contents().is_empty(), "{:?}", bench.contents());
    }

    #[test]
    fn a_registry_out_of_reach_leaves_nothing_behind() {
        let bench = Bench::new();
        let error = bench.install(&OutOfReach).unwrap_err();
        assert!(
            matches!(&error, InstallError::Unavailable(why) if why == "no route to host"),
            "{error}"
        );
        assert!(bench.contents().is_empty(), "{:?}", bench.contents());
    }

    #[test]
    fn the_slower_of_two_runs_takes_what_the_faster_one_put_there() {
        let bench = Bench::new();
        let faster = || {
            let registry = OneFile {
                text: "right",
                first: &|| (),
            };
            let staging = Staging::new(&bench.cache.root().join("elsewhere")).unwrap();
            assert_eq!(
                install(&bench.cache, &staging, &registry, &bench.client, None).unwrap(),
                Outcome::Fetched
            );
        };
        let slower = OneFile {
            text: "right",
            first: &faster,
        };
        assert_eq!(bench.install(&slower).unwrap(), Outcome::AlreadyThere);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_is_not_a_client_is_kept() {
        let bench = Bench::new();
        // No process can have this number: it is above the kernel's limit of 4,194,304.
        let abandoned = bench.cache.root().join(".staging-4194305/0");
        fs::create_dir_all(&abandoned).unwrap();
        let place = bench.cache.place(&bench.client, None);
        fs::create_dir_all(&place).unwrap();
        let error = bench
            .install(&OneFile {
                text: "right",
                first: &|| (),
            })
            .unwrap_err();
        assert!(
            matches!(&error, InstallError::PlaceTaken(taken) if *taken == place),
            "{error}"
        );
        assert_eq!(bench.contents(), ["thing-1"]);
        drop(bench.folder);
    }
}
