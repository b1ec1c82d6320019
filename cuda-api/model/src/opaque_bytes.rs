//! `char` arrays that are no text. cuda.h declares bytes that only the driver reads as arrays of `char`: the bytes of a `CUuuid`, IPC handles,
//! room for later fields. None of its structures holds text. NVML's do: names, serial numbers, bus ids.

use crate::model::{Library, Type, TypeDef, TypeKind};
use crate::table_read::Table;

/// Makes arrays of `char` in CUDA's structures arrays of bytes, so that a reader does not stop at the first zero.
pub fn set_opaque_bytes(table: &mut Table) {
    if table.library == Library::Cuda {
        table.types.iter_mut().for_each(set_in_type);
    }
}

fn set_in_type(definition: &mut TypeDef) {
    let (TypeKind::Struct(fields) | TypeKind::Union(fields)) = &mut definition.kind else {
        return;
    };
    for field in fields {
        if let Type::Array { of, .. } = &mut field.ty
            && **of == Type::Char
        {
            **of = Type::Int {
                bytes: 1,
                signed: false,
            };
        }
    }
}
