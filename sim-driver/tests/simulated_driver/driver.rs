//! The simulated driver as a program meets it: loaded with `dlopen`, in a process of its own where its state matters.

use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Set in the child in which a test's body runs.
const IN_CHILD: &str = "CUTAPE_SIM_TEST_CHILD";

/// The library that was built together with this test.
pub fn library_path() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let deps = test.parent().expect("the folder of this test");
    let beside = deps.join("libcutape_sim.so");
    let path = if beside.is_file() {
        beside
    } else {
        deps.parent().expect("its parent").join("libcutape_sim.so")
    };
    assert!(
        path.is_file(),
        "the simulated driver was not built: expected {}",
        path.display()
    );
    path
}

/// The loaded library.
pub struct Library(*mut c_void);

impl Library {
    /// Loads it into this process.
    pub fn load() -> Self {
        let path = CString::new(library_path().to_str().expect("a path in UTF-8"))
            .expect("a path without NUL");
        // SAFETY: loads the library under test, whose constructors do nothing.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(
            !handle.is_null(),
            "{} could not be loaded",
            library_path().display()
        );
        Self(handle)
    }

    /// The address of a symbol.
    pub fn symbol(&self, name: &str) -> Option<*mut c_void> {
        let name = CString::new(name).expect("a name without NUL");
        // SAFETY: the handle is that of a loaded library.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        (!address.is_null()).then_some(address)
    }

    /// Calls a function with words as arguments: enough for numbers, handles and pointers.
    pub fn call<const N: usize>(&self, name: &str, words: [u64; N]) -> u32 {
        let address = self
            .symbol(name)
            .unwrap_or_else(|| panic!("{name} is not exported"));
        let mut all = [0; 12];
        all[..N].copy_from_slice(&words);
        let [a, b, c, d, e, f, g, h, i, j, k, l] = all;
        type Function =
            unsafe extern "C" fn(u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64) -> u32;
        // SAFETY: the x86-64 calling convention lets a function be called with more words than it takes; the test passes what the
        // function expects in the first ones.
        unsafe {
            std::mem::transmute::<*mut c_void, Function>(address)(
                a, b, c, d, e, f, g, h, i, j, k, l,
            )
        }
    }
}

// SAFETY: the handle of a loaded library may be used from any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// The address of a variable, as an argument.
pub fn to<T>(place: &mut T) -> u64 {
    std::ptr::from_mut(place) as u64
}

/// Runs the body of the test of that name, `file::test`, in a child process with the profile, and fails with the child's output.
pub fn in_child(test: &str, profile: &str, body: impl FnOnce(&Library)) {
    in_child_with(test, &[("CUTAPE_SIM_PROFILE", profile)], body);
}

/// The same, with any environment.
pub fn in_child_with(test: &str, environment: &[(&str, &str)], body: impl FnOnce(&Library)) {
    if is_child() {
        return body(&Library::load());
    }
    let output = child(test, environment);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let has_run = text.contains("1 passed");
    assert!(
        output.status.success() && has_run,
        "in the child ({}):\n{text}{errors}",
        output.status
    );
}

/// Whether this is the child in which a test's body runs.
pub fn is_child() -> bool {
    std::env::var_os(IN_CHILD).is_some()
}

/// Runs the test of that name in a child process to its end.
pub fn child(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(IN_CHILD, "1")
        .env_remove("CUDA_VISIBLE_DEVICES");
    command
        .envs(environment.iter().copied())
        .output()
        .expect("this test runs again")
}

/// A file with a profile of the test's own.
pub fn profile_file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.toml"));
    std::fs::write(&path, text).expect("a temporary file");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Initialises, and makes the primary context of device 0 current.
pub fn start(cuda: &Library) -> u64 {
    let mut context = 0u64;
    assert_eq!(cuda.call("cuInit", [0]), 0);
    assert_eq!(
        cuda.call("cuDevicePrimaryCtxRetain", [to(&mut context), 0]),
        0
    );
    assert_eq!(cuda.call("cuCtxSetCurrent", [context]), 0);
    context
}

/// Free and total bytes.
pub fn memory(cuda: &Library) -> (u32, u64, u64) {
    let (mut free, mut total) = (7u64, 7u64);
    let code = cuda.call("cuMemGetInfo_v2", [to(&mut free), to(&mut total)]);
    (code, free, total)
}
