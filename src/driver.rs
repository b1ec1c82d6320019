//! Which driver a program gets: `--driver PATH`, `--driver sim[:PROFILE]`, or the one it would get by itself.

use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cutape_driver_search::{FileId, Search};

use crate::front_mark::is_front;
use crate::installed;
use crate::simulator::Simulator;

/// The value of `--driver`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DriverChoice {
    /// A library file.
    File(PathBuf),
    /// The simulated driver, with a profile's name or file.
    Simulated(Option<String>),
}

impl FromStr for DriverChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sim") {
            Some("") => Ok(Self::Simulated(None)),
            Some(rest) if rest.starts_with(':') && rest.len() > 1 => {
                Ok(Self::Simulated(Some(rest[1..].to_owned())))
            }
            _ if text.is_empty() => {
                Err("expected a path, sim or sim:PROFILE, found nothing".to_owned())
            }
            _ => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

/// The real libraries behind a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// The CUDA driver library, an absolute path.
    pub cuda: PathBuf,
    /// The NVML library that goes with it, if there is one.
    pub nvml: Option<PathBuf>,
    /// Variables that the libraries need.
    pub environment: Vec<(&'static str, String)>,
    /// Functions that the libraries export and that programs must not find: what a simulated driver's profile leaves out.
    pub hidden: Vec<String>,
}

impl Driver {
    /// Finds the libraries.
    ///
    /// # Errors
    /// There is none, or the file given is not there; what was expected and what to do.
    pub fn find(choice: Option<&DriverChoice>) -> Result<Self, String> {
        match choice {
            Some(DriverChoice::File(path)) => Self::from_file(path),
            Some(DriverChoice::Simulated(profile)) => Self::simulated(profile.as_deref()),
            None => Self::from_loader(),
        }
    }

    fn from_file(path: &Path) -> Result<Self, String> {
        let cuda = path.canonicalize().map_err(|error| {
            format!("expected --driver to name a driver library (such as libcuda.so.1), found that {} can't be opened: {error}", path.display())
        })?;
        if cuda.is_dir() {
            return Err(format!(
                "expected --driver to name a library file, found the folder {}; try --driver {}",
                path.display(),
                path.join("libcuda.so.1").display()
            ));
        }
        // The link's folder, not its target's: that is where libraries that belong together lie.
        let beside = path.with_file_name("libnvidia-ml.so.1");
        let nvml = beside
            .is_file()
            .then(|| beside.canonicalize().ok())
            .flatten()
            .or_else(|| searched("libnvidia-ml.so.1"));
        Ok(Self {
            cuda,
            nvml,
            environment: Vec::new(),
            hidden: Vec::new(),
        })
    }

    /// The simulated driver serves as both libraries.
    fn simulated(profile: Option<&str>) -> Result<Self, String> {
        let library = installed::find(installed::SIMULATOR)?;
        let profile = profile.map(absolute_if_file);
        let hidden = Simulator::load(&library)?.check_profile(profile.as_deref())?;
        let environment = profile
            .map(|profile| ("CUTAPE_SIM_PROFILE", profile))
            .into_iter()
            .collect();
        Ok(Self {
            nvml: Some(library.clone()),
            cuda: library,
            environment,
            hidden,
        })
    }

    /// The driver behind a recording that this command itself is part of: the one that programs started from here get.
    fn of_outer_recording() -> Option<Result<Self, String>> {
        let library_path = env::var_os("LD_LIBRARY_PATH")?;
        let is_recorded = env::split_paths(&library_path).any(|folder| is_front(&folder));
        let cuda = variable("CUTAPE_DRIVER").filter(|_| is_recorded)?;
        if cuda.ends_with(installed::SIMULATOR) {
            let profile = env::var("CUTAPE_SIM_PROFILE").ok();
            return Some(Self::simulated(profile.as_deref()));
        }
        Some(Ok(Self {
            cuda,
            nvml: variable("CUTAPE_NVML"),
            environment: Vec::new(),
            hidden: Vec::new(),
        }))
    }

    fn from_loader() -> Result<Self, String> {
        if let Some(outer) = Self::of_outer_recording() {
            return outer;
        }
        let cuda = searched("libcuda.so.1").ok_or(
            "there is no libcuda.so.1 in the loader's order (LD_LIBRARY_PATH, ld.so.cache, default folders); \
             --driver PATH names a driver library, --driver sim simulates a GPU",
        )?;
        Ok(Self {
            cuda,
            nvml: searched("libnvidia-ml.so.1"),
            environment: Vec::new(),
            hidden: Vec::new(),
        })
    }
}

/// The value of a variable that is set and not empty.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// A profile given as a file must be found from whatever folder the program runs in.
fn absolute_if_file(profile: &str) -> String {
    let is_path = profile.contains('/') || profile.ends_with(".toml");
    let absolute = is_path
        .then(|| Path::new(profile).canonicalize().ok())
        .flatten();
    absolute.map_or_else(
        || profile.to_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}

/// The library that the loader would find, fronts of ours passed over: a recording may be started inside another one.
fn searched(soname: &str) -> Option<PathBuf> {
    let ours = env::var_os("LD_LIBRARY_PATH")
        .into_iter()
        .flat_map(|list| env::split_paths(&list).collect::<Vec<_>>())
        .filter(|folder| is_front(folder))
        .filter_map(|folder| FileId::of(&folder.join(soname)).ok());
    let search = ours.fold(
        Search::new(env::var_os("LD_LIBRARY_PATH")),
        Search::leaving_out,
    );
    search.find(soname)?.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sim_with_and_without_a_profile_and_paths() {
        assert_eq!("sim".parse(), Ok(DriverChoice::Simulated(None)));
        assert_eq!(
            "sim:shim-fixed".parse(),
            Ok(DriverChoice::Simulated(Some("shim-fixed".to_owned())))
        );
        assert_eq!("./sim".parse(), Ok(DriverChoice::File("./sim".into())));
        assert_eq!(
            "simulator.so".parse(),
            Ok(DriverChoice::File("simulator.so".into()))
        );
        assert!("".parse::<DriverChoice>().is_err());
    }

    #[test]
    fn a_driver_that_is_not_there_is_named() {
        let missing = DriverChoice::File("/nowhere/libcuda.so.1".into());
        let error = Driver::find(Some(&missing)).unwrap_err();
        assert!(error.contains("/nowhere/libcuda.so.1"), "{error}");
        let folder = DriverChoice::File("/usr".into());
        assert!(
            Driver::find(Some(&folder))
                .unwrap_err()
                .contains("--driver /usr/libcuda.so.1")
        );
    }
}
