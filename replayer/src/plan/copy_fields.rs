//! How far the host side of a copy reaches, where a structure describes the copy.

use cutape_cuda_api::{TypeDef, TypeKind};

use crate::plan::rules::COPY_FIELDS;
use crate::plan::{CopyFields, When};

impl CopyFields {
    /// The same fields of a structure that lies that many bytes further on.
    pub fn moved(mut self, by: u32) -> Self {
        let move_all = |offsets: &mut [Option<u32>; 3]| {
            offsets
                .iter_mut()
                .flatten()
                .for_each(|offset| *offset += by);
        };
        self.pitch += by;
        self.slice_rows = self.slice_rows.map(|offset| offset + by);
        move_all(&mut self.start);
        move_all(&mut self.size);
        self
    }
}

impl When {
    /// The same of a structure that lies that many bytes further on.
    pub fn moved(mut self, by: u32) -> Self {
        self.offset += by;
        self
    }
}

/// When a field of a copy's structure counts: `srcDevice` if the source is device memory.
pub fn counts_when(owner: &TypeDef, field: &str) -> Option<When> {
    let side = field
        .get(..3)
        .filter(|side| ["src", "dst"].contains(side))?;
    let (_, values) = COPY_FIELDS.iter().find(|(name, _)| *name == &field[3..])?;
    let TypeKind::Struct(fields) = &owner.kind else {
        return None;
    };
    let memory_type = format!("{side}MemoryType");
    let selector = fields.iter().find(|field| field.name == memory_type)?;
    Some(When {
        offset: selector.offset,
        is_one_of: values.to_vec(),
    })
}

/// For `srcHost`, `srcDevice`, `dstHost` and `dstDevice` of `CUDA_MEMCPY2D` and `CUDA_MEMCPY3D`, all versions: the fields that say how far they
/// reach.
pub fn copy_fields(owner: &TypeDef, field: &str) -> Option<CopyFields> {
    let side = match field {
        "srcHost" | "srcDevice" => "src",
        "dstHost" | "dstDevice" => "dst",
        _ => return None,
    };
    let TypeKind::Struct(fields) = &owner.kind else {
        return None;
    };
    let offset = |name: &str| {
        fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.offset)
    };
    let own = |name: &str| offset(&format!("{side}{name}"));
    // Numbers are 4 bytes in the first versions and 8 in all later ones.
    let number_bytes = own("Y")?.checked_sub(own("XInBytes")?)?;
    Some(CopyFields {
        is_written: side == "dst",
        start: [own("XInBytes"), own("Y"), own("Z")],
        pitch: own("Pitch")?,
        slice_rows: own("Height"),
        size: [offset("WidthInBytes"), offset("Height"), offset("Depth")],
        number_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_cuda_api::Api;

    #[test]
    fn all_versions_of_copies_are_understood() {
        let api = Api::get();
        let names = [
            ("CUDA_MEMCPY2D_v1", 4),
            ("CUDA_MEMCPY2D_v2", 8),
            ("CUDA_MEMCPY3D_v1", 4),
            ("CUDA_MEMCPY3D_v2", 8),
            ("CUDA_MEMCPY3D_PEER_v1", 8),
        ];
        for (name, number_bytes) in names {
            let definition = api.type_def(name).expect(name);
            for field in ["srcHost", "dstHost", "srcDevice", "dstDevice"] {
                let fields = copy_fields(definition, field).unwrap_or_else(|| panic!("{name}"));
                assert_eq!(fields.number_bytes, number_bytes, "{name}");
                assert!(fields.size[0].is_some() && fields.size[1].is_some());
                assert_eq!(fields.size[2].is_some(), name.contains("3D"));
            }
        }
    }
}
