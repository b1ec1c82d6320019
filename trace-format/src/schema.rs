//! The schema: the functions and types that a trace needs to be read, carried in the trace itself.

use cutape_cuda_api::{ExportTable, Function, TypeDef};
use serde::{Deserialize, Serialize};

use crate::block::{self, BuildError, Kind};

/// Functions by number, and the types that they use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Function numbers with what they stand for. Numbers are below [`crate::record::MAX_FUNCTIONS`].
    pub functions: Vec<(u32, Function)>,
    /// Named types.
    pub types: Vec<TypeDef>,
    /// Names of export tables.
    #[serde(default)]
    pub export_tables: Vec<ExportTable>,
}

/// The Schema block.
pub fn schema_block(schema: &Schema) -> Result<Vec<u8>, BuildError> {
    block::single(Kind::Schema, schema)
}

/// The whole file `schema` of a recording folder: file header and Schema block. A build script makes it, the first process of a
/// recording writes it.
pub fn schema_file(schema: &Schema) -> Result<Vec<u8>, BuildError> {
    let mut file = block::file_header().to_vec();
    file.extend(schema_block(schema)?);
    Ok(file)
}
