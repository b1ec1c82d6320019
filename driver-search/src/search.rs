//! The loader's search order, with files left out.

use std::ffi::{CStr, OsStr, OsString, c_void};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::{FileId, ld_cache};

/// What glibc searches last on x86-64, Debian's multiarch folders first as its builds do.
const DEFAULT_FOLDERS: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// A search through the loader's order.
#[derive(Debug, Default)]
pub struct Search {
    library_path: Option<OsString>,
    left_out: Vec<FileId>,
}

impl Search {
    /// A search with this value of `LD_LIBRARY_PATH`.
    pub fn new(library_path: Option<OsString>) -> Self {
        Self {
            library_path,
            left_out: Vec::new(),
        }
    }

    /// Passes over this file, whatever name leads to it.
    pub fn leaving_out(mut self, file: FileId) -> Self {
        self.left_out.push(file);
        self
    }

    /// The first file named `soname` in the loader's order that is not left out.
    pub fn find(&self, soname: &str) -> Option<PathBuf> {
        self.candidates(soname)
            .into_iter()
            .find(|path| self.is_wanted(path))
    }

    fn candidates(&self, soname: &str) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self
            .library_folders()
            .map(|folder| folder.join(soname))
            .collect();
        found.extend(ld_cache::lookup(Path::new("/etc/ld.so.cache"), soname));
        found.extend(
            DEFAULT_FOLDERS
                .iter()
                .map(|folder| Path::new(folder).join(soname)),
        );
        found
    }

    /// Both `:` and `;` separate folders, and an empty entry is the current folder (ld.so(8)).
    fn library_folders(&self) -> impl Iterator<Item = PathBuf> {
        let list = self
            .library_path
            .as_deref()
            .filter(|list| !list.is_empty())
            .map(OsStr::as_bytes);
        list.into_iter()
            .flat_map(|list| list.split(|&b| b == b':' || b == b';'))
            .map(|folder| {
                if folder.is_empty() {
                    PathBuf::from(".")
                } else {
                    PathBuf::from(OsStr::from_bytes(folder))
                }
            })
    }

    fn is_wanted(&self, path: &Path) -> bool {
        std::fs::metadata(path)
            .is_ok_and(|file| file.is_file() && !self.left_out.contains(&FileId::from(&file)))
    }
}

/// The path of the loaded file that `address` lies in, as the loader names it; the interposer finds itself with this.
pub fn loaded_file(address: usize) -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: dladdr accepts any address and fills `info` when it returns non-zero.
    let known = unsafe { libc::dladdr(address as *const c_void, &raw mut info) } != 0;
    if !known || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader keeps the file name as a C string for as long as the object is loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(PathBuf::from(OsString::from_vec(name.to_bytes().to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_library(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("cutape-search-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("libcuda.so.1"), name).unwrap();
        folder
    }

    fn joined(folders: &[&Path]) -> Option<OsString> {
        Some(std::env::join_paths(folders).unwrap())
    }

    #[test]
    fn the_first_folder_of_the_library_path_wins() {
        let (a, b) = (
            folder_with_library("first-a"),
            folder_with_library("first-b"),
        );
        assert_eq!(
            Search::new(joined(&[&a, &b])).find("libcuda.so.1"),
            Some(a.join("libcuda.so.1"))
        );
    }

    #[test]
    fn a_file_left_out_is_not_found_under_another_name() {
        let (own, real) = (folder_with_library("own"), folder_with_library("real"));
        let link = std::env::temp_dir().join(format!("cutape-search-{}-link", std::process::id()));
        std::fs::create_dir_all(&link).unwrap();
        let _ = std::os::unix::fs::symlink(own.join("libcuda.so.1"), link.join("libcuda.so.1"));
        let own_file = FileId::of(&own.join("libcuda.so.1")).unwrap();
        let search = Search::new(joined(&[&link, &own, &real])).leaving_out(own_file);
        assert_eq!(search.find("libcuda.so.1"), Some(real.join("libcuda.so.1")));
    }

    #[test]
    fn without_a_library_path_the_cache_and_default_folders_serve() {
        assert!(Search::new(None).find("libc.so.6").is_some());
        assert_eq!(
            Search::new(Some(OsString::new())).find("libcutape-there-is-no-such-library.so"),
            None
        );
    }

    #[test]
    fn loaded_file_names_this_test() {
        let here = loaded_file(loaded_file as *const () as usize).unwrap();
        assert_eq!(
            FileId::of(&here).unwrap(),
            FileId::of(&std::env::current_exe().unwrap()).unwrap()
        );
    }
}
