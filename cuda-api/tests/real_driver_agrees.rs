//! The table against NVIDIA's libraries 535.261.03: every exported name is in it, and `resolve` chooses what the driver chooses. Neither
//! needs a GPU.

mod nvidia_files;

use cutape_cuda_api::{Api, DefaultStream, Library};
use object::{Object as _, ObjectSymbol as _, SymbolKind};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;

/// Names and kinds of what a library exports.
fn exports(path: &Path) -> Vec<(String, SymbolKind)> {
    let data = std::fs::read(path).expect("the library is readable");
    let file = object::read::elf::ElfFile64::<object::Endianness>::parse(data.as_slice())
        .expect("it is ELF");
    let symbols = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && !symbol.is_local());
    symbols
        .map(|symbol| (symbol.name().expect("a name").to_owned(), symbol.kind()))
        .collect()
}

#[test]
fn every_name_that_nvidias_libraries_export_is_in_the_table() {
    let api = Api::get();
    for (file, prefix) in [
        (nvidia_files::LIBCUDA, "cu"),
        (nvidia_files::LIBNVIDIA_ML, "nvml"),
    ] {
        let Some(path) = nvidia_files::find(file) else {
            continue;
        };
        let exports = exports(&path);
        assert!(
            exports.len() > 300,
            "{file}: only {} symbols",
            exports.len()
        );
        let missing: Vec<&str> = exports
            .iter()
            .filter(|(name, kind)| match kind {
                SymbolKind::Text => api.function(name).is_none(),
                _ => !api.objects().iter().any(|object| object.name == *name),
            })
            .map(|(name, _)| name.as_str())
            .filter(|name| name.starts_with(prefix))
            .collect();
        assert!(
            missing.is_empty(),
            "{file} exports what the table lacks: {missing:?}"
        );
    }
}

/// The committed lists were read from libraries once, so this holds without any library on the machine.
#[test]
fn every_name_of_the_committed_export_lists_is_in_the_table() {
    let api = Api::get();
    let mut names = 0;
    for line in include_str!("../table/exports.api")
        .lines()
        .filter(|line| !line.starts_with(['#', ' ']))
    {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["library", ..] => {}
            [name] => {
                assert!(api.function(name).is_some(), "{name}");
                names += 1;
            }
            [name, size] => {
                let object = api
                    .objects()
                    .iter()
                    .find(|object| object.name == *name)
                    .unwrap_or_else(|| panic!("{name}"));
                assert!(object.size >= size.parse().expect("a size"), "{name}");
            }
            _ => panic!("{line}"),
        }
    }
    assert!(names > 1800, "only {names} names");
}

/// Names in libcudart 13.5 that no header declares.
const UNDOCUMENTED_LOOK_UPS: [&str; 3] = [
    "cuSubgridCreate",
    "cuSubgridWorkerGridCreate",
    "cuSubgridWorksetCreate",
];

/// The runtime library keeps the names that it asks cuGetProcAddress or dlsym for as plain strings.
#[test]
fn every_name_that_the_cuda_runtime_looks_up_is_in_the_table() {
    let api = Api::get();
    let functions = api.library_functions(Library::Cuda).iter();
    let known: BTreeSet<&str> = functions
        .flat_map(|function| [function.base.as_str(), function.name.as_str()])
        .collect();
    for (file, at_least) in [
        (nvidia_files::LIBCUDART_12, 400),
        (nvidia_files::LIBCUDART_13, 450),
    ] {
        let Some(path) = nvidia_files::find(file) else {
            continue;
        };
        let data = std::fs::read(path).expect("the library is readable");
        let names: BTreeSet<&str> = data
            .split(|byte| *byte == 0)
            .filter_map(|text| std::str::from_utf8(text).ok())
            .filter(|text| {
                text.len() > 4
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
            .filter(|text| {
                text.strip_prefix("cu")
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
            })
            .collect();
        assert!(names.len() > at_least, "{file}: only {} names", names.len());
        let unknown: Vec<&&str> = names
            .iter()
            .filter(|name| !known.contains(**name) && !UNDOCUMENTED_LOOK_UPS.contains(name))
            .collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

type GetProcAddress =
    unsafe extern "C" fn(*const c_char, *mut *mut c_void, c_int, u64, *mut c_int) -> c_int;

/// A library opened for the rest of the process.
struct Driver {
    handle: *mut c_void,
    get_proc_address: GetProcAddress,
}

impl Driver {
    fn open(path: &Path) -> Self {
        let path = CString::new(path.to_str().expect("a path in UTF-8")).expect("no NUL in it");
        // SAFETY: the path is NUL-terminated; NVIDIA's library may be loaded in any process and has no requirement on the caller.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{path:?} can't be loaded");
        let address = symbol(handle, c"cuGetProcAddress_v2");
        assert!(!address.is_null());
        // SAFETY: the symbol of that name is a function with this prototype (cuda.h, since 12.0).
        let get_proc_address =
            unsafe { std::mem::transmute::<*mut c_void, GetProcAddress>(address) };
        Self {
            handle,
            get_proc_address,
        }
    }

    /// The CUDA version that the driver calls its own; it says so without a GPU, too.
    fn version(&self) -> u32 {
        let address = symbol(self.handle, c"cuDriverGetVersion");
        assert!(!address.is_null());
        // SAFETY: the symbol of that name is a function with this prototype (cuda.h, since 2.2).
        let get_version = unsafe {
            std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_int) -> c_int>(address)
        };
        let mut version = 0;
        // SAFETY: the out pointer leads to a live local of the right type.
        let code = unsafe { get_version(&raw mut version) };
        assert_eq!(code, 0, "cuDriverGetVersion");
        u32::try_from(version).expect("a version is positive")
    }

    /// What the driver's own cuGetProcAddress answers: an address, or null.
    fn ask(&self, base: &CStr, version: u32, flags: u64) -> *mut c_void {
        let mut address = std::ptr::null_mut();
        let mut status = -1;
        let version = c_int::try_from(version).expect("a CUDA version");
        // SAFETY: the name is NUL-terminated, and both out pointers lead to live locals of the right type.
        let code = unsafe {
            (self.get_proc_address)(
                base.as_ptr(),
                &raw mut address,
                version,
                flags,
                &raw mut status,
            )
        };
        assert_eq!(code, 0, "{base:?} {version} {flags}");
        address
    }
}

fn symbol(handle: *mut c_void, name: &CStr) -> *mut c_void {
    // SAFETY: the handle comes from dlopen and is never closed; the name is NUL-terminated.
    unsafe { libc::dlsym(handle, name.as_ptr()) }
}

#[test]
fn resolve_agrees_with_the_drivers_own_answers() {
    let Some(path) = nvidia_files::find(nvidia_files::LIBCUDA) else {
        return;
    };
    let (api, driver) = (Api::get(), Driver::open(&path));
    let functions = api.library_functions(Library::Cuda);
    let bases: BTreeSet<&str> = functions
        .iter()
        .flat_map(|function| [function.base.as_str(), function.name.as_str()])
        .collect();
    // All versions up to the driver's own (12.2) that introduced something, and one between each two.
    let newest = driver.version();
    let introduced: BTreeSet<u32> = functions
        .iter()
        .map(|function| function.since)
        .filter(|since| (2000..=newest).contains(since))
        .collect();
    let versions: Vec<u32> = introduced
        .iter()
        .flat_map(|version| [*version - 1, *version])
        .chain([newest])
        .collect();
    let (mut asked, mut found) = (0, 0);
    for base in bases {
        let c_base = CString::new(base).expect("no NUL in a name");
        for &version in &versions {
            for (flags, stream) in [
                (0, DefaultStream::Legacy),
                (1, DefaultStream::Legacy),
                (2, DefaultStream::PerThread),
            ] {
                let answer = driver.ask(&c_base, version, flags);
                let chosen = api
                    .resolve(base, version, stream)
                    .map(|id| api.at(id).name.clone());
                let expected = chosen.as_deref().map_or(std::ptr::null_mut(), |name| {
                    symbol(driver.handle, &CString::new(name).expect("a name"))
                });
                assert_eq!(
                    answer, expected,
                    "{base}, version {version}, flags {flags}: the table chooses {chosen:?}"
                );
                asked += 1;
                found += u32::from(!answer.is_null());
            }
        }
    }
    eprintln!("driver {newest}: {asked} questions, {found} answered with an address");
    assert!(found > 10_000, "only {found} of {asked}");
}
