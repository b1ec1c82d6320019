//! Generates, from the API table, one hook and one exported symbol for each function, and the schema.file that every recording
//! starts with. See src/hook.rs for what a hook is.

mod captures;
mod emit;
mod more;
mod trampoline;

use std::env;
use std::fs;
use std::path::Path;

use cutape_cuda_api::Api;
use cutape_trace_format::schema::{Schema, schema_file};

fn main() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcuda.so.1");
    // Our own references to exported functions mean ours, whoever else exports the name.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    // Threads may be inside a hook, and rings are mapped: the library stays once it is loaded.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    let api = Api::get();
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let out = Path::new(&out);
    write(&out.join("hooks.rs"), emit::hooks(api).as_bytes());
    write(&out.join("exports.rs"), emit::exports(api).as_bytes());
    write(
        &out.join("straight.rs"),
        trampoline::straight(api).as_bytes(),
    );
    write(
        &out.join("launches.rs"),
        trampoline::launches(api).as_bytes(),
    );
    write(&out.join("numbers.rs"), trampoline::numbers(api).as_bytes());
    write(&out.join("names.rs"), emit::names(api).as_bytes());
    let schema = Schema {
        functions: (0..).zip(api.functions().iter().cloned()).collect(),
        types: api.types().to_vec(),
        export_tables: api.export_tables().to_vec(),
    };
    write(
        &out.join("schema.file"),
        &schema_file(&schema).expect("the API table fits a block"),
    );
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes)
        .unwrap_or_else(|error| panic!("could not write {}: {error}", path.display()));
}
