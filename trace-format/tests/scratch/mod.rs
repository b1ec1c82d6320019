//! A folder for one test, removed when the test is over.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// The folder.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a folder that no other test has.
    pub fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("cutape-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a writable folder for temporary files");
        Self(folder)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
