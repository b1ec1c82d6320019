//! `cargo test` builds the command but not the libraries that lie beside it: cargo puts a cdylib there only when asked for its package.

use std::path::Path;
use std::process::Command;
use std::sync::Once;

/// Builds the interposer and the simulated driver, with the profile and into the folder of the command under test. Cargo finds in a
/// moment that they are up to date, and makes test programs that ask at once wait for each other.
pub fn build() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let profile_folder = Path::new(env!("CARGO_BIN_EXE_cutape")).parent().unwrap();
        let profile = match profile_folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--profile", profile])
            .args(["-p", "cutape-interposer", "-p", "cutape-sim-driver"])
            .arg("--target-dir")
            .arg(profile_folder.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(
            status.success(),
            "the libraries could not be built: {status}"
        );
    });
}
