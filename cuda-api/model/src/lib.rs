//! The words in which the CUDA driver API and NVML are described ([`Function`], [`TypeDef`], ...), and the text form of them: what the
//! committed table is written in. A crate of its own, because three parties speak it: the generator that writes the table from the
//! headers, the build script that joins table and overlay, and the library that reads the result.

mod default_roles;
mod error;
mod family;
mod field_role;
mod model;
mod opaque_bytes;
mod overlay;
mod role_text;
mod table_read;
mod table_write;
mod type_text;

pub use default_roles::{find_type, set_default_roles};
pub use error::TableError;
pub use model::*;
pub use opaque_bytes::set_opaque_bytes;
pub use overlay::apply_overlay;
pub use role_text::{RoleText, UnknownParam};
pub use table_read::{Table, parse_effect, parse_table};
pub use table_write::write_table;
pub use type_text::{parse_type, write_type};
