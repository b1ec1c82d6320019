//! Writes a table as [`crate::parse_table`] reads it.

use crate::field_role::write_field_roles;
use crate::model::{DefaultStream, Effect, Field, Function, Library, Param, TypeDef, TypeKind};
use crate::role_text::RoleText;
use crate::table_read::Table;
use crate::type_text::write_type;
use std::fmt::Write;

/// The table's text, without any leading comment.
pub fn write_table(table: &Table) -> String {
    let mut text = String::new();
    let library = match table.library {
        Library::Cuda => "cuda",
        Library::Nvml => "nvml",
    };
    let _ = writeln!(text, "library {library}");
    text.push_str("headers");
    push_versions(&mut text, &table.headers);
    text.push('\n');
    for type_def in &table.types {
        push_type_def(&mut text, type_def);
    }
    for function in &table.functions {
        push_function(&mut text, function);
    }
    for object in &table.objects {
        let _ = writeln!(text, "object {} {}", object.name, object.size);
    }
    text
}

fn push_versions(text: &mut String, versions: &[u32]) {
    for version in versions {
        let _ = write!(text, " {version}");
    }
}

fn push_type_def(text: &mut String, type_def: &TypeDef) {
    let TypeDef {
        name,
        size,
        align,
        kind,
    } = type_def;
    let _ = match kind {
        TypeKind::Handle => writeln!(text, "handle {name}"),
        TypeKind::DevicePointer => writeln!(text, "devptr {name} {size}"),
        TypeKind::Alias(ty) => writeln!(text, "alias {name} {} {size} {align}", write_type(ty)),
        TypeKind::Callback => writeln!(text, "callback {name}"),
        TypeKind::Enum { flags, .. } => {
            let keyword = if *flags { "flags" } else { "enum" };
            if *size == 4 {
                writeln!(text, "{keyword} {name}")
            } else {
                writeln!(text, "{keyword} {name} {size}")
            }
        }
        TypeKind::Struct(_) => writeln!(text, "struct {name} {size} {align}"),
        TypeKind::Union(_) => writeln!(text, "union {name} {size} {align}"),
        TypeKind::Opaque => writeln!(text, "opaque {name}"),
    };
    match kind {
        TypeKind::Enum { values, .. } => {
            for (name, value) in values {
                let _ = writeln!(text, " {name} {value}");
            }
        }
        TypeKind::Struct(fields) | TypeKind::Union(fields) => {
            for field in fields {
                push_field(text, field);
            }
        }
        _ => {}
    }
}

fn push_field(text: &mut String, field: &Field) {
    let _ = write!(text, " {}", field.offset);
    if let Some((first, count)) = field.bits {
        let _ = write!(text, ":{first}+{count}");
    }
    let name = if field.name.is_empty() {
        "-"
    } else {
        &field.name
    };
    let roles = write_field_roles(field);
    let _ = writeln!(text, " {name} {}{roles}", write_type(&field.ty));
}

fn push_function(text: &mut String, function: &Function) {
    let Some(signature) = &function.signature else {
        let _ = writeln!(text, "symbol {}", function.name);
        return;
    };
    let _ = write!(text, "fn {}", function.name);
    if function.base != function.name {
        let _ = write!(text, " of {}", function.base);
    }
    if function.since != 0 {
        let _ = write!(text, " since {}", function.since);
    }
    if !function.headers.is_empty() {
        text.push_str(" in");
        push_versions(text, &function.headers);
    }
    if function.default_stream == DefaultStream::PerThread {
        text.push_str(" per-thread");
    }
    let _ = writeln!(text, " -> {}", write_type(&signature.returns));
    for param in &signature.params {
        let role = RoleText::write(param, &signature.params);
        let blank = if role.is_empty() { "" } else { " " };
        let _ = writeln!(
            text,
            " {} {}{blank}{role}",
            param.name,
            write_type(&param.ty)
        );
    }
    for effect in &function.effects {
        let _ = writeln!(text, " ! {}", write_effect(*effect, &signature.params));
    }
}

fn write_effect(effect: Effect, params: &[Param]) -> String {
    let of = |word: &str, place: u16| {
        format!(
            "{word} {}",
            params
                .get(usize::from(place))
                .map_or("?", |param| param.name.as_str())
        )
    };
    match effect {
        Effect::Creates(place) => of("creates", place),
        Effect::Destroys(place) => of("destroys", place),
        Effect::SetsCurrent(place) => of("sets-current", place),
        Effect::Enqueues(place) => of("enqueues", place),
        Effect::Launches => "launches".to_owned(),
        Effect::Copies => "copies".to_owned(),
        Effect::Synchronizes => "synchronizes".to_owned(),
        Effect::Queries => "queries".to_owned(),
    }
}
