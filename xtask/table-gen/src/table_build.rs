//! From options to files: reads headers and lists, joins them, writes the tables.

use crate::declarations::Declarations;
use crate::error::GenError;
use crate::exports::{ExportLists, parse_lists, read_library, write_lists};
use crate::inputs::Options;
use crate::merge::{HeaderTable, Merged, merge};
use crate::preprocess::{
    CUDA_DEFINES, CUDA_INCLUDES, HeaderSet, NVML_DEFINES, NVML_INCLUDES, preprocess,
};
use crate::sources::Sources;
use crate::versions::{SymbolName, symbol_versions};
use cutape_api_model::{
    Function, Library, Object, Table, TableError, Type, TypeDef, TypeKind, write_table,
};
use lang_c::driver::{Config, parse_preprocessed};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// CUDA versions of the headers that the table is made from.
const CUDA_12: u32 = 12090;
const CUDA_13: u32 = 13050;

/// Does what the options ask for. Returns what a person should look at.
///
/// # Errors
/// A missing or wrong input; with `--check`, a committed file that differs.
pub fn run(options: &Options) -> Result<Vec<String>, GenError> {
    let sources_path = options.table.join("sources.api");
    let sources = Sources::parse(&sources_path.display().to_string(), &read(&sources_path)?)?;
    let exports_path = options.table.join("exports.api");
    let mut exports = match exports_path.exists() {
        true => parse_lists(&exports_path.display().to_string(), &read(&exports_path)?)?,
        false => ExportLists::new(),
    };
    for given in &options.exports {
        let (key, list) = given_library(given)?;
        exports.insert(key, list);
    }

    let folders = options.header_folders()?;
    let cuda_set = |folder| HeaderSet {
        folder,
        includes: CUDA_INCLUDES,
        defines: CUDA_DEFINES,
        macro_enums: &sources.macro_enums,
    };
    let nvml_set = HeaderSet {
        folder: &folders.nvml,
        includes: NVML_INCLUDES,
        defines: NVML_DEFINES,
        macro_enums: &sources.macro_enums,
    };
    let cuda = [
        header_table(&cuda_set(&folders.cuda12), CUDA_12)?,
        header_table(&cuda_set(&folders.cuda13), CUDA_13)?,
    ];
    let nvml = [header_table(&nvml_set, CUDA_12)?];

    let mut notes = Vec::new();
    let files = [
        (
            "cuda.api",
            library_text(&cuda, Library::Cuda, &sources, &exports, &mut notes)?,
        ),
        (
            "nvml.api",
            library_text(&nvml, Library::Nvml, &sources, &exports, &mut notes)?,
        ),
        (
            "exports.api",
            format!("{EXPORTS_HEAD}{}", write_lists(&exports)),
        ),
    ];
    for (name, text) in files {
        let path = options.table.join(name);
        if !options.check {
            fs::write(&path, text).map_err(GenError::io(&path))?;
        } else if read(&path)? != text {
            return Err(GenError::OutOfDate { path });
        }
    }
    Ok(notes)
}

const EXPORTS_HEAD: &str = "# Names that NVIDIA's libraries export. Written by `cargo xtask table --exports LIBRARY:RELEASE:FILE`.\n";

fn table_head(library: Library) -> &'static str {
    match library {
        Library::Cuda => {
            "# The CUDA driver API. Written by `cargo xtask table` from cuda.h and its companions; don't edit: see overlay.api.\n"
        }
        Library::Nvml => {
            "# NVML. Written by `cargo xtask table` from nvml.h; don't edit: see overlay.api.\n"
        }
    }
}

fn read(path: &Path) -> Result<String, GenError> {
    fs::read_to_string(path).map_err(GenError::io(path))
}

fn given_library(given: &str) -> Result<((String, String), crate::exports::Exports), GenError> {
    let parts: Vec<&str> = given.splitn(3, ':').collect();
    let [library @ ("cuda" | "nvml"), release, file] = parts.as_slice() else {
        return Err(TableError::new(
            "--exports",
            1,
            "cuda:RELEASE:FILE or nvml:RELEASE:FILE",
            format!("`{given}`"),
        )
        .into());
    };
    Ok((
        ((*library).to_owned(), (*release).to_owned()),
        read_library(Path::new(file))?,
    ))
}

fn header_table(set: &HeaderSet<'_>, version: u32) -> Result<HeaderTable, GenError> {
    let source = preprocess(set)?;
    let parsed = parse_preprocessed(&Config::with_gcc(), source).map_err(|error| {
        let line = error
            .source
            .lines()
            .nth(error.line.saturating_sub(1))
            .unwrap_or("")
            .trim();
        GenError::Syntax {
            folder: set.folder.to_owned(),
            message: format!("{error}, in: {line}"),
        }
    })?;
    let mut declarations = Declarations::collect(&parsed.unit)?;
    declarations
        .functions
        .retain(|name, _| name.starts_with("cu") || name.starts_with("nvml"));
    let symbols = symbol_versions(&mut declarations)?;
    Ok(HeaderTable {
        version,
        declarations,
        symbols,
    })
}

fn library_text(
    headers: &[HeaderTable],
    library: Library,
    sources: &Sources,
    exports: &ExportLists,
    notes: &mut Vec<String>,
) -> Result<String, GenError> {
    let mut merged = merge(headers, library)?;
    notes.append(&mut merged.notes);
    apply_sources(&mut merged, sources);
    let key = if library == Library::Cuda {
        "cuda"
    } else {
        "nvml"
    };
    let lists = exports
        .iter()
        .filter(|((name, _), _)| name == key)
        .map(|(_, list)| list);
    let mut objects = BTreeMap::new();
    for list in lists {
        for name in &list.functions {
            merged
                .functions
                .entry(name.clone())
                .or_insert_with(|| name_only(name, library));
        }
        for (name, size) in &list.objects {
            let known: &mut u32 = objects.entry(name.clone()).or_default();
            *known = (*known).max(*size);
        }
    }
    let table = Table {
        library,
        headers: headers.iter().map(|table| table.version).collect(),
        types: api_types(&merged),
        functions: merged.functions.into_values().collect(),
        objects: objects
            .into_iter()
            .map(|(name, size)| Object {
                name,
                library,
                size,
            })
            .collect(),
    };
    Ok(format!("{}{}", table_head(library), write_table(&table)))
}

fn name_only(name: &str, library: Library) -> Function {
    Function {
        name: name.to_owned(),
        library,
        base: name.to_owned(),
        family: String::new(),
        since: 0,
        headers: Vec::new(),
        default_stream: SymbolName::parse(name).default_stream(),
        signature: None,
        effects: Vec::new(),
    }
}

fn apply_sources(merged: &mut Merged, sources: &Sources) {
    for type_def in merged.types.values_mut() {
        let is_flag_macros = sources
            .macro_enums
            .iter()
            .any(|group| group.flags && group.name == type_def.name);
        if let TypeKind::Enum { flags, .. } = &mut type_def.kind {
            *flags = is_flag_macros || sources.bits.contains(&type_def.name);
        }
        if sources.handles.contains(&type_def.name) {
            type_def.kind = TypeKind::Handle;
        }
    }
    for function in merged.functions.values_mut() {
        if let Some(since) = sources.versions.get(&function.name) {
            function.since = *since;
        }
    }
}

/// The types of the API and whatever they and the prototypes refer to; not those of C's own headers.
fn api_types(merged: &Merged) -> Vec<TypeDef> {
    let mut wanted = BTreeSet::new();
    for signature in merged
        .functions
        .values()
        .filter_map(|function| function.signature.as_ref())
    {
        let types = signature
            .params
            .iter()
            .map(|param| &param.ty)
            .chain([&signature.returns]);
        types.for_each(|ty| want(ty, &merged.types, &mut wanted));
    }
    for (name, type_def) in &merged.types {
        let is_api_name = ["CU", "cu", "nvml"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if is_api_name && type_def.kind != TypeKind::Opaque {
            want(&Type::Named(name.clone()), &merged.types, &mut wanted);
        }
    }
    wanted
        .into_iter()
        .filter_map(|name| merged.types.get(&name).cloned())
        .collect()
}

fn want(ty: &Type, types: &BTreeMap<String, TypeDef>, wanted: &mut BTreeSet<String>) {
    match ty {
        Type::Pointer { to, .. } => want(to, types, wanted),
        Type::Array { of, .. } => want(of, types, wanted),
        Type::Named(name) => {
            if let Some(type_def) = types.get(name)
                && wanted.insert(name.clone())
            {
                match &type_def.kind {
                    TypeKind::Alias(target) => want(target, types, wanted),
                    TypeKind::Struct(fields) | TypeKind::Union(fields) => {
                        fields
                            .iter()
                            .for_each(|field| want(&field.ty, types, wanted));
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
