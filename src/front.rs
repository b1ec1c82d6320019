//! The folder that goes to the head of `LD_LIBRARY_PATH`, so that a program finds our libraries under the driver's names.
//!
//! For a recording it holds a copy of the interposer that exports exactly what the real libraries export: a program that asks for a
//! function its driver lacks must not find one. Fronts lie in the user's cache folder under a name made from their content, so they
//! serve all recordings, and programs that outlive theirs.

use std::collections::HashSet;
use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use cutape_driver_search::elf::Library;

use crate::driver::Driver;
use crate::front_mark::{self, is_front};
use crate::installed;

/// Names under which programs ask for the driver; the second is for those that know no version.
const CUDA_NAMES: [&str; 2] = ["libcuda.so.1", "libcuda.so"];
const NVML_NAMES: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];

/// A front for a recording.
pub struct RecordingFront {
    /// The folder.
    pub folder: PathBuf,
    /// Functions that the real libraries export and the interposer does not: programs don't find them.
    pub missing: Vec<String>,
    /// Functions of the CUDA driver library that programs find, each with its offset in the file.
    pub exports: Vec<(String, u64)>,
}

/// Makes the front for a recording on `driver`, unless it is there.
///
/// # Errors
/// The libraries can't be read, or no folder can be written.
pub fn for_recording(driver: &Driver) -> Result<RecordingFront, String> {
    let interposer = Library::read(&installed::find(installed::INTERPOSER)?)
        .map_err(|error| error.to_string())?;
    let real = real_libraries(driver)?;
    if !real[0].exports().any(is_driver_function) {
        return Err(format!(
            "expected a CUDA driver library (such as libcuda.so.1), found that {} exports no function of the driver API",
            driver.cuda.display()
        ));
    }
    let mut names: HashSet<&str> = real.iter().flat_map(Library::exports).collect();
    for hidden in &driver.hidden {
        names.remove(hidden.as_str());
    }
    let missing = real
        .iter()
        .flat_map(|library| interposer.lacks(library))
        .filter(|name| is_api_name(name))
        .map(str::to_owned)
        .collect();
    let exports = real[0]
        .offsets()
        .filter(|(name, _)| name.starts_with("cu") && names.contains(name))
        .map(|(name, offset)| (name.to_owned(), offset))
        .collect();
    // Anything that is not of the API is the interposer's own.
    let bytes = interposer.without(|name| names.contains(name) || !is_api_name(name));
    let links = links(driver);
    let folder = place(&format!(
        "record-{:08x}-{:08x}",
        crc32fast::hash(&bytes),
        crc32fast::hash(links.join(" ").as_bytes())
    ))?;
    fill(&folder, |draft| {
        write_library(&draft.join(CUDA_NAMES[0]), &bytes)?;
        links
            .iter()
            .try_for_each(|link| symlink(CUDA_NAMES[0], draft.join(link)))
    })?;
    Ok(RecordingFront {
        folder,
        missing,
        exports,
    })
}

/// Makes the front that puts the simulated driver in the drivers' places, without the functions that its profile leaves out.
///
/// # Errors
/// As for [`for_recording`].
pub fn for_simulation(driver: &Driver) -> Result<PathBuf, String> {
    let library = Library::read(&driver.cuda).map_err(|error| error.to_string())?;
    let bytes = library.without(|name| !driver.hidden.iter().any(|hidden| hidden == name));
    let folder = place(&format!("sim-{:08x}", crc32fast::hash(&bytes)))?;
    fill(&folder, |draft| {
        write_library(&draft.join(CUDA_NAMES[0]), &bytes)?;
        [CUDA_NAMES[1], NVML_NAMES[0], NVML_NAMES[1]]
            .iter()
            .try_for_each(|link| symlink(CUDA_NAMES[0], draft.join(link)))
    })?;
    Ok(folder)
}

/// `LD_LIBRARY_PATH` with `front` at its head, other fronts left out.
pub fn library_path(front: &Path) -> Result<std::ffi::OsString, String> {
    let before = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let others = env::split_paths(&before).filter(|folder| !is_front(folder) && !before.is_empty());
    env::join_paths(std::iter::once(front.to_owned()).chain(others))
        .map_err(|_| format!("the folder {} can't stand in LD_LIBRARY_PATH, because of a colon in it; set XDG_CACHE_HOME elsewhere", front.display()))
}

fn real_libraries(driver: &Driver) -> Result<Vec<Library>, String> {
    let paths = std::iter::once(&driver.cuda)
        .chain(driver.nvml.iter().filter(|nvml| **nvml != driver.cuda));
    paths
        .map(|path| Library::read(path).map_err(|error| error.to_string()))
        .collect()
}

fn is_api_name(name: &str) -> bool {
    (name.starts_with("cu") && !name.starts_with("cutape")) || name.starts_with("nvml")
}

/// Whether it is a name of the CUDA driver API, such as `cuInit`.
fn is_driver_function(name: &str) -> bool {
    let rest = name.strip_prefix("cu");
    rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// Names beside `libcuda.so.1` under which the real libraries can be asked for.
fn links(driver: &Driver) -> Vec<&'static str> {
    let simulated = driver.nvml.as_ref() == Some(&driver.cuda);
    let beside = |library: &Path, name: &str| simulated || library.with_file_name(name).exists();
    let mut links = Vec::new();
    if beside(&driver.cuda, CUDA_NAMES[1]) {
        links.push(CUDA_NAMES[1]);
    }
    if let Some(nvml) = &driver.nvml {
        links.push(NVML_NAMES[0]);
        if beside(nvml, NVML_NAMES[1]) {
            links.push(NVML_NAMES[1]);
        }
    }
    links
}

fn write_library(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, bytes)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// The front's folder in the user's cache, or for a user without a home in the system's temporary folder.
fn place(name: &str) -> Result<PathBuf, String> {
    let absolute = |variable| {
        env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache =
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    // SAFETY: geteuid only returns a number.
    let user = unsafe { libc::geteuid() };
    let temporary = env::temp_dir().join(format!("cutape-{user}"));
    let candidates = cache
        .map(|cache| cache.join("cutape"))
        .into_iter()
        .chain([temporary]);
    let mut reasons = Vec::new();
    for parent in candidates.map(|candidate| candidate.join("fronts")) {
        match DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&parent)
            .and_then(|()| writable_by_us_only(&parent, user))
        {
            Ok(()) => return Ok(parent.join(name)),
            Err(error) => reasons.push(format!("{}: {error}", parent.display())),
        }
    }
    Err(format!(
        "no folder for the libraries can be made ({}); set XDG_CACHE_HOME to one that can",
        reasons.join("; ")
    ))
}

/// Programs load what lies there, so it must be nobody else's.
fn writable_by_us_only(folder: &Path, user: u32) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(folder)?;
    if metadata.uid() != user || metadata.mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "others can write there",
        ));
    }
    // A probe, because a read-only file system shows nothing in the mode.
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(probe)
}

/// Makes the folder whole or not at all, also when two commands make it at once.
fn fill(folder: &Path, write: impl Fn(&Path) -> io::Result<()>) -> Result<(), String> {
    if is_front(folder) {
        return Ok(());
    }
    let draft = folder.with_extension(format!("draft-{}", std::process::id()));
    let make = || -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(&draft)?;
        write(&draft)?;
        front_mark::put(&draft)?;
        fs::rename(&draft, folder)
    };
    let made = make();
    if made.is_err() {
        let _ = fs::remove_dir_all(&draft);
    }
    match made {
        Err(_) if is_front(folder) => Ok(()),
        made => {
            made.map_err(|error| format!("could not make the folder {}: {error}", folder.display()))
        }
    }
}
