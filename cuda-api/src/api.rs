//! The table, read once.

use crate::export_tables::parse_export_tables;
use crate::resolve::ByBase;
use cutape_api_model::{ExportTable, Function, Library, Object, Table, TypeDef, parse_table};
use std::sync::OnceLock;

/// The text that the build script joined, read and compared before it let this crate compile.
const CUDA_TABLE: &str = include_str!(concat!(env!("OUT_DIR"), "/cuda.api"));
const NVML_TABLE: &str = include_str!(concat!(env!("OUT_DIR"), "/nvml.api"));
const EXPORT_TABLES: &str = include_str!("../table/export_tables.api");

/// A function's place in [`Api::functions`]. Valid for this build of the table only: a trace carries names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// Everything that is known about the two libraries.
#[derive(Debug)]
pub struct Api {
    functions: Vec<Function>,
    /// The first this many functions are CUDA's, the others NVML's.
    cuda_functions: usize,
    types: Vec<TypeDef>,
    objects: Vec<Object>,
    export_tables: Vec<ExportTable>,
    by_base: ByBase,
}

impl Api {
    /// The table; read at the first call, which takes a millisecond or two.
    pub fn get() -> &'static Self {
        static API: OnceLock<Api> = OnceLock::new();
        API.get_or_init(|| {
            Self::join(
                read_own_table("cuda.api", CUDA_TABLE),
                read_own_table("nvml.api", NVML_TABLE),
            )
        })
    }

    fn join(cuda: Table, nvml: Table) -> Self {
        let cuda_functions = cuda.functions.len();
        let mut functions = cuda.functions;
        functions.extend(nvml.functions);
        let mut types = cuda.types;
        types.extend(nvml.types);
        types.sort_by(|left, right| left.name.cmp(&right.name));
        let mut objects = cuda.objects;
        objects.extend(nvml.objects);
        let by_base = ByBase::new(&functions);
        Self {
            functions,
            cuda_functions,
            types,
            objects,
            export_tables: parse_export_tables(EXPORT_TABLES),
            by_base,
        }
    }

    /// All functions, CUDA's before NVML's, each by name. [`FunctionId`] is the place here.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function at that place.
    pub fn at(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }

    /// The function exported under that name.
    pub fn function(&self, name: &str) -> Option<FunctionId> {
        let (cuda, nvml) = self.functions.split_at(self.cuda_functions);
        let find = |functions: &[Function]| {
            functions
                .binary_search_by(|function| function.name.as_str().cmp(name))
                .ok()
        };
        let place = find(cuda).or_else(|| find(nvml).map(|place| place + self.cuda_functions))?;
        u32::try_from(place).ok().map(FunctionId)
    }

    /// All types of both libraries, by name.
    pub fn types(&self) -> &[TypeDef] {
        &self.types
    }

    /// The type of that name.
    pub fn type_def(&self, name: &str) -> Option<&TypeDef> {
        cutape_api_model::find_type(name, &self.types)
    }

    /// Data symbols that the libraries export.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// Export tables of `cuGetExportTable` with a known name.
    pub fn export_tables(&self) -> &[ExportTable] {
        &self.export_tables
    }

    /// The name of the export table with that GUID.
    pub fn export_table_name(&self, guid: [u8; 16]) -> Option<&str> {
        self.export_tables
            .iter()
            .find(|table| table.guid == guid)
            .map(|table| table.name.as_str())
    }

    pub(crate) fn by_base(&self) -> &ByBase {
        &self.by_base
    }

    /// The functions of one library.
    pub fn library_functions(&self, library: Library) -> &[Function] {
        let (cuda, nvml) = self.functions.split_at(self.cuda_functions);
        match library {
            Library::Cuda => cuda,
            Library::Nvml => nvml,
        }
    }
}

fn read_own_table(name: &str, text: &str) -> Table {
    match parse_table(name, text) {
        Ok(table) => table,
        Err(error) => {
            unreachable!("the build script read this very text without an error, now: {error}")
        }
    }
}
