//! What tests run cutape on: small programs of ours in C, Go and Python ([`programs`]), and real software that `cargo xtask fetch-clients`
//! put into the user's cache ([`cache`], pinned in `clients.toml`, read by [`manifest`]).
//!
//! A test asks for what it needs and goes home when it is not there:
//!
//! ```no_run
//! let Some(driver) = cutape_test_clients::find_or_skip("libcuda1") else { return };
//! let client = cutape_test_clients::programs::c_program("linked").unwrap();
//! # let _ = (driver, client);
//! ```

pub mod cache;
pub mod counting;
pub mod manifest;
pub mod programs;
pub mod python;
pub mod real;

use std::path::PathBuf;

/// The folder of a real client, or `None` after a line on stderr that says what is missing and how to get it.
///
/// `wanted` is a client's name, or `name@version` (or the beginning of a version) where the manifest has several: `cuda-bindings@12`.
///
/// # Panics
/// When the manifest does not know `wanted`, or when it stands for more than one client: the test asks for something that can't be had.
pub fn find_or_skip(wanted: &str) -> Option<PathBuf> {
    let manifest = manifest::Manifest::committed();
    let matching: Vec<_> = manifest
        .clients
        .iter()
        .filter(|client| client.answers_to(wanted))
        .collect();
    let [client] = matching[..] else {
        panic!(
            "{wanted} stands for {} clients of clients.toml, expected one",
            matching.len()
        );
    };
    let found = cache::Cache::of_user()
        .map_err(|error| error.to_string())
        .and_then(|cache| {
            let python = python::version_for(client).map_err(|error| error.to_string())?;
            cache
                .find(client, python.as_ref())
                .ok_or_else(|| format!("{wanted} is not in the cache (cargo xtask fetch-clients)"))
        });
    match found {
        Ok(folder) => Some(folder),
        Err(why) => {
            skip(&why);
            None
        }
    }
}

/// Says on stderr that a test did not run, and why, in the one form that can be counted: a line `skipped: WHY`.
pub fn skip(why: &str) {
    use std::io::Write;
    // Not eprintln!: the test harness would swallow it, and a test that was skipped without a word looks like one that passed.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
