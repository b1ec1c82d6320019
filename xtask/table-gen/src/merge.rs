//! Joins what two headers declare into one. The newer header wins where a name or an enumerator changed its spelling; what would
//! change the binary interface of an exported symbol is an error.

use crate::canonical::{canonical_signature, same_types};
use crate::declarations::Declarations;
use crate::error::GenError;
use crate::versions::SymbolVersion;
use cutape_api_model::{Field, Function, Library, Signature, TypeDef, TypeKind, write_type};
use std::collections::BTreeMap;

/// The declarations of one header set, with the versions of its symbols.
pub struct HeaderTable {
    /// CUDA version of the headers.
    pub version: u32,
    /// What they declare.
    pub declarations: Declarations,
    /// Versions by symbol.
    pub symbols: BTreeMap<String, SymbolVersion>,
}

/// Types and functions of all headers; `tables` from the oldest to the newest.
pub struct Merged {
    /// By name.
    pub types: BTreeMap<String, TypeDef>,
    /// By name.
    pub functions: BTreeMap<String, Function>,
    /// What had to be decided between headers, in words, for the person who regenerates the table.
    pub notes: Vec<String>,
}

/// Joins the headers.
///
/// # Errors
/// An exported symbol whose parameters have another layout in another header.
pub fn merge(tables: &[HeaderTable], library: Library) -> Result<Merged, GenError> {
    let mut merged = Merged {
        types: BTreeMap::new(),
        functions: BTreeMap::new(),
        notes: Vec::new(),
    };
    for (index, table) in tables.iter().enumerate() {
        for (name, signature) in &table.declarations.functions {
            if let Some(older) = tables[..index]
                .iter()
                .rev()
                .find(|older| older.declarations.functions.contains_key(name))
            {
                check_same_interface(name, older, table)?;
            }
            add_function(&mut merged, table, name, signature, library);
        }
        for type_def in table.declarations.types.values() {
            merged.add_type(type_def, table.version);
        }
    }
    Ok(merged)
}

fn add_function(
    merged: &mut Merged,
    table: &HeaderTable,
    name: &str,
    signature: &Signature,
    library: Library,
) {
    let symbol = &table.symbols[name];
    let headers = merged
        .functions
        .get(name)
        .map_or(Vec::new(), |known| known.headers.clone());
    let known_since = merged.functions.get(name).map_or(0, |known| known.since);
    let mut function = Function {
        name: name.to_owned(),
        library,
        base: symbol.base.clone(),
        family: String::new(),
        since: if symbol.since == 0 {
            known_since
        } else {
            symbol.since
        },
        headers,
        default_stream: symbol.default_stream,
        signature: Some(signature.clone()),
        effects: Vec::new(),
    };
    function.headers.push(table.version);
    if known_since != 0 && function.since != known_since {
        merged.notes.push(format!(
            "{name}: since {known_since} in the older header, {} in {}",
            function.since, table.version
        ));
    }
    merged.functions.insert(name.to_owned(), function);
}

/// The same symbol must take the same types, whatever they are called.
fn check_same_interface(
    name: &str,
    older: &HeaderTable,
    newer: &HeaderTable,
) -> Result<(), GenError> {
    let canonical = |table: &HeaderTable| {
        canonical_signature(
            &table.declarations.functions[name],
            &table.declarations.types,
        )
    };
    let (old, new) = (canonical(older), canonical(newer));
    if same_types(&old, &new) {
        return Ok(());
    }
    Err(GenError::Disagreement {
        name: name.to_owned(),
        older_version: older.version,
        older: prototype(&old),
        newer_version: newer.version,
        newer: prototype(&new),
    })
}

fn prototype(signature: &Signature) -> String {
    let params: Vec<String> = signature
        .params
        .iter()
        .map(|param| format!("{} {}", param.name, write_type(&param.ty)))
        .collect();
    format!(
        "({}) -> {}",
        params.join(", "),
        write_type(&signature.returns)
    )
}

impl Merged {
    fn add_type(&mut self, newer: &TypeDef, version: u32) {
        let Some(older) = self.types.get_mut(&newer.name) else {
            self.types.insert(newer.name.clone(), newer.clone());
            return;
        };
        let mut joined = newer.clone();
        match (&older.kind, &mut joined.kind) {
            (
                TypeKind::Enum {
                    values: old_values, ..
                },
                TypeKind::Enum { values, .. },
            ) => {
                for (name, value) in old_values {
                    match values.iter().find(|(known, _)| known == name) {
                        None => values.push((name.clone(), *value)),
                        Some((_, new_value)) if new_value != value => {
                            self.notes.push(format!(
                                "{}: {name} was {value}, is {new_value} in {version}",
                                newer.name
                            ));
                        }
                        Some(_) => {}
                    }
                }
            }
            (TypeKind::Opaque, _) => {}
            (_, TypeKind::Opaque) => joined = older.clone(),
            (
                TypeKind::Struct(old_fields) | TypeKind::Union(old_fields),
                TypeKind::Struct(fields) | TypeKind::Union(fields),
            ) => {
                if (older.size, older.align) != (newer.size, newer.align) {
                    self.notes.push(format!(
                        "{}: {} bytes aligned to {}, {} aligned to {} in {version}",
                        newer.name, older.size, older.align, newer.size, newer.align
                    ));
                }
                for old in old_fields
                    .iter()
                    .filter(|old| !fields.iter().any(|field| same_place(old, field)))
                {
                    self.notes.push(format!(
                        "{}: field {} at {} is gone or elsewhere in {version}",
                        newer.name, old.name, old.offset
                    ));
                }
            }
            (old, new) if old != new => self.notes.push(format!(
                "{}: was {old:?}, is {new:?} in {version}",
                newer.name
            )),
            _ => {}
        }
        *older = joined;
    }
}

fn same_place(old: &Field, new: &Field) -> bool {
    old.name == new.name && old.offset == new.offset && old.bits == new.bits
}
