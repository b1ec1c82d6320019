//! Joins the generated tables with the hand-written overlay, checks the result, and leaves it in OUT_DIR for the library to include.
//! A mistake in any of the table files stops the build here, with file and line; what the library reads at run time has been read here.

use cutape_api_model::{
    Library, Table, TableError, TypeKind, apply_overlay, parse_table, set_default_roles,
    set_opaque_bytes, write_table,
};
use std::collections::HashMap;
use std::path::Path;
use std::{env, fs, process};

fn main() {
    println!("cargo::rerun-if-changed=table");
    if let Err(error) = join_tables() {
        println!("cargo::error={error}");
        process::exit(1);
    }
}

fn join_tables() -> Result<(), String> {
    let mut tables = [
        read_table("table/cuda.api", Library::Cuda)?,
        read_table("table/nvml.api", Library::Nvml)?,
    ];
    for table in &mut tables {
        set_opaque_bytes(table);
        let Table {
            functions, types, ..
        } = table;
        for signature in functions
            .iter_mut()
            .filter_map(|function| function.signature.as_mut())
        {
            set_default_roles(&mut signature.params, types);
        }
    }
    apply_overlay(
        "cuda-api/table/overlay.api",
        &read("table/overlay.api")?,
        &mut tables,
    )
    .map_err(|error| error.to_string())?;
    check_error_texts(&tables)?;
    let out = env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    for (table, name) in tables.iter().zip(["cuda.api", "nvml.api"]) {
        let text = write_table(table);
        let read_back =
            parse_table(name, &text).map_err(|error| format!("the joined table: {error}"))?;
        if read_back != *table {
            return Err(format!(
                "{name}: the joined table reads back differently from what was written"
            ));
        }
        let path = Path::new(&out).join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(name).map_err(|error| format!("cuda-api/{name}: {error}"))
}

fn read_table(name: &str, library: Library) -> Result<Table, String> {
    let table = parse_table(&format!("cuda-api/{name}"), &read(name)?)
        .map_err(|error| error.to_string())?;
    if table.library != library {
        return Err(format!(
            "cuda-api/{name}: expected the table of {library:?}, found that of {:?}",
            table.library
        ));
    }
    Ok(table)
}

/// Every error code of the tables has a text, every text an error code.
fn check_error_texts(tables: &[Table]) -> Result<(), String> {
    const FILE: &str = "cuda-api/table/errors.api";
    let text = read("table/errors.api")?;
    let mut lines: HashMap<&str, usize> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| (line.split(' ').next().unwrap_or(""), index + 1))
        .collect();
    for (table, type_name) in tables.iter().zip(["CUresult", "nvmlReturn_t"]) {
        let values = table
            .types
            .iter()
            .find(|type_def| type_def.name == type_name)
            .map(|type_def| &type_def.kind);
        let Some(TypeKind::Enum { values, .. }) = values else {
            return Err(format!("the table has no enumeration {type_name}"));
        };
        for (name, _) in values {
            lines
                .remove(name.as_str())
                .ok_or_else(|| format!("{FILE}: expected a line for {name}, found none"))?;
        }
    }
    match lines.into_iter().next() {
        None => Ok(()),
        Some((name, line)) => Err(TableError::new(
            FILE,
            line,
            "an error name of the tables",
            format!("`{name}`"),
        )
        .to_string()),
    }
}
