//! The schema: the functions and types that a trace needs to be read, carried in the trace itself.

use std::borrow::Cow;
use std::collections::HashMap;

use cutape_cuda_api::{DefaultStream, ExportTable, Function, Library, TypeDef};
use serde::{Deserialize, Serialize};

use crate::block::{self, BuildError, Kind};
use crate::call::FunctionId;
use crate::record::MAX_FUNCTIONS;

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

/// The schema of an open trace: functions under dense numbers, types by name.
#[derive(Clone, Debug, Default)]
pub struct TraceSchema {
    functions: Vec<Function>,
    /// By the numbers of the Schema block, which are small: every call is looked up here.
    by_number: Vec<Option<FunctionId>>,
    by_name: HashMap<String, FunctionId>,
    types: HashMap<String, TypeDef>,
    export_tables: Vec<ExportTable>,
}

impl TraceSchema {
    /// Takes in a Schema block. Of two functions with one number, the first counts.
    pub(crate) fn add(&mut self, schema: Schema) {
        for (number, function) in schema.functions {
            let id = self.function_id(function);
            self.number(number, id);
        }
        for definition in schema.types {
            self.types
                .entry(definition.name.clone())
                .or_insert(definition);
        }
        self.export_tables.extend(schema.export_tables);
    }

    fn number(&mut self, number: u32, id: FunctionId) {
        // No block can refer to a larger one.
        if number > MAX_FUNCTIONS {
            return;
        }
        let place = number as usize;
        if self.by_number.len() <= place {
            self.by_number.resize(place + 1, None);
        }
        self.by_number[place].get_or_insert(id);
    }

    /// The number of a function that may be new.
    fn function_id(&mut self, function: Function) -> FunctionId {
        *self
            .by_name
            .entry(function.name.clone())
            .or_insert_with(|| {
                self.functions.push(function);
                FunctionId(self.functions.len() as u32 - 1)
            })
    }

    /// The number of a function of which only the name is known.
    pub(crate) fn add_named(&mut self, name: &str) -> FunctionId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        self.function_id(Function {
            name: name.to_owned(),
            library: if name.starts_with("nvml") {
                Library::Nvml
            } else {
                Library::Cuda
            },
            base: name.to_owned(),
            family: String::new(),
            since: 0,
            headers: Vec::new(),
            default_stream: DefaultStream::Legacy,
            signature: None,
            effects: Vec::new(),
        })
    }

    /// The function that a number of the Schema block stands for.
    pub(crate) fn by_number(&self, number: u32) -> Option<FunctionId> {
        *self.by_number.get(number as usize)?
    }

    /// All functions; a [`FunctionId`] is a place in this list.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// A function, if the trace says what it is.
    pub fn function(&self, id: FunctionId) -> Option<&Function> {
        self.functions.get(id.0 as usize)
    }

    /// A function's symbol name; `function#N` if the trace does not say it.
    pub fn function_name(&self, id: FunctionId) -> Cow<'_, str> {
        match self.function(id) {
            Some(function) => Cow::Borrowed(&function.name),
            None => Cow::Owned(format!("function#{}", id.0 & !FunctionId::UNNAMED)),
        }
    }

    /// The function with that symbol name.
    pub fn find(&self, name: &str) -> Option<FunctionId> {
        self.by_name.get(name).copied()
    }

    /// The definition of a named type.
    pub fn type_named(&self, name: &str) -> Option<&TypeDef> {
        self.types.get(name)
    }

    /// Names of export tables.
    pub fn export_tables(&self) -> &[ExportTable] {
        &self.export_tables
    }
}
