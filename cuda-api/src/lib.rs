//! What the CUDA driver API and NVML *are*: functions, parameters, types, error names; data, no behaviour.
//!
//! [`Api::get`] is the one table. It comes from `table/cuda.api` and `table/nvml.api`, which `cargo xtask table` writes from NVIDIA's
//! headers, joined with `table/overlay.api`, which says what headers don't. The build script joins and checks them.

mod api;
pub mod convention;
mod error_names;
mod export_tables;
mod resolve;
mod types;

pub use api::{Api, FunctionId};
pub use cutape_api_model::{
    DefaultStream, Direction, Effect, ExportTable, Extent, Field, Function, Length, Library,
    Object, Param, Signature, Type, TypeDef, TypeKind, Unit, Validity, parse_type, write_type,
};
