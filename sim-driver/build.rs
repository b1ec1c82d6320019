//! Joins what the sources implement with what the API table lists: exported entry points, the table of names for
//! `cuGetProcAddress`, error and attribute names. A signature or layout that differs from the table stops the build.

#[path = "build/check.rs"]
mod check;
#[path = "build/implementations.rs"]
mod implementations;
#[path = "build/layouts.rs"]
mod layouts;
#[path = "build/profiles.rs"]
mod profiles;
#[path = "build/write.rs"]
mod write;

use std::path::PathBuf;

use cutape_cuda_api::Api;

fn main() {
    let sources =
        PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("src");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=build.rs");
    let api = Api::get();
    let implemented = implementations::find(&sources);
    check::check(api, &implemented);
    let abi = ["abi.rs", "abi/array.rs", "abi/graph.rs"]
        .map(|file| std::fs::read_to_string(sources.join(file)).expect(file))
        .concat();
    let nvml_abi = std::fs::read_to_string(sources.join("nvml/abi.rs")).expect("src/nvml/abi.rs");
    let mut text = write::surface(api, &implemented);
    text += &layouts::asserts(api, "crate::abi", &abi);
    text += &layouts::asserts(api, "crate::nvml::abi", &nvml_abi);
    write_out("surface.rs", &text);
    write_out(
        "shipped.rs",
        &profiles::list(&sources.with_file_name("profiles")),
    );
    // The library outlives dlclose: threads of its own may still run in it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Its own functions are its own, also where a library that was loaded earlier exports the same names, as the interposer does:
    // otherwise cuGetProcAddress would hand out the interposer's.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");
}

fn write_out(name: &str, text: &str) {
    let path = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join(name);
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
