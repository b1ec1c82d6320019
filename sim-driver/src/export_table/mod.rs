//! `cuGetExportTable`: tables of functions that no header declares, by GUID. What is known of them is public knowledge (the API table
//! names where from); slots that nobody has seen called refuse.

mod integrity;
mod md2;
mod storage;
mod tables;

use std::ffi::c_void;

pub use storage::Storage;

use crate::abi::CUuuid;
use crate::boundary::{In, Out};
use crate::driver;
use crate::status::{Answer, CuError};

pub fn cuGetExportTable(ppExportTable: Out<*const c_void>, pExportTableId: In<CUuuid>) -> Answer {
    driver::machine().ok_or(CuError::NOT_INITIALIZED)?;
    let place = ppExportTable.required()?;
    let id = pExportTableId.required()?;
    // Measured on 535: a GUID that the driver does not know leaves NULL behind.
    let table = tables::find(&id.bytes);
    place.set(table.unwrap_or(std::ptr::null()));
    table.map(|_| ()).ok_or(CuError::INVALID_VALUE)
}
