//! Compile-time checks that the structures written by hand lie in memory as the table says.

use std::fmt::Write;

use cutape_cuda_api::{Api, Field, TypeKind};

use crate::check::definition;

/// One line of checks for each `#[repr(C)]` structure of a source text that lies in the given module.
pub fn asserts(api: &Api, module: &str, text: &str) -> String {
    let mut out = String::new();
    for (name, fields) in structures(text) {
        // A structure that C leaves unnamed has a name of its own here, and is checked by its parent's size.
        let Some(definition) = definition(api, &name) else {
            continue;
        };
        let TypeKind::Struct(known) = &definition.kind else {
            panic!("{name} is no structure in the table")
        };
        let mut checks = format!(
            "assert!(size_of::<{module}::{name}>() == {}); ",
            definition.size
        );
        for field in fields {
            let plain = field.trim_start_matches("r#");
            let offset = offset_of(api, known, plain).unwrap_or_else(|| {
                panic!("{module}::{name} has a field {plain} that the table lacks")
            });
            write!(
                checks,
                "assert!(std::mem::offset_of!({module}::{name}, {field}) == {offset}); "
            )
            .expect("a string");
        }
        writeln!(out, "const _: () = {{ {checks}}};").expect("a string");
    }
    out
}

/// Where a field lies; it may be part of an unnamed member (which the table calls `member1`, `member2`, ...).
fn offset_of(api: &Api, fields: &[Field], name: &str) -> Option<u32> {
    if let Some(field) = fields.iter().find(|field| field.name == name) {
        return Some(field.offset);
    }
    fields
        .iter()
        .filter(|field| field.name.is_empty() || field.name.starts_with("member"))
        .find_map(|field| {
            let definition = api.definition(&field.ty)?;
            let (TypeKind::Struct(inner) | TypeKind::Union(inner)) = &definition.kind else {
                return None;
            };
            Some(field.offset + offset_of(api, inner, name)?)
        })
}

/// Names of the `#[repr(C)]` structures with their fields.
fn structures(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_inside = false;
    let mut is_c = false;
    for line in text.lines() {
        if line == "#[repr(C)]" {
            is_c = true;
        } else if let Some(name) = line
            .strip_prefix("pub struct ")
            .and_then(|rest| rest.strip_suffix(" {"))
        {
            is_inside = std::mem::take(&mut is_c);
            if is_inside {
                found.push((name.to_owned(), Vec::new()));
            }
        } else if line == "}" {
            is_inside = false;
        } else if let Some((field, _)) = line
            .strip_prefix("    pub ")
            .and_then(|rest| rest.split_once(':'))
            && let Some((_, fields)) = found.last_mut().filter(|_| is_inside)
        {
            fields.push(field.to_owned());
        }
    }
    found
}
