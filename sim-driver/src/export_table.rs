//! `cuGetExportTable`: tables of functions that no header declares, by GUID.

use std::ffi::c_void;

use crate::abi::CUuuid;
use crate::boundary::{In, Out};
use crate::driver;
use crate::status::{Answer, CuError};

pub fn cuGetExportTable(ppExportTable: Out<*const c_void>, pExportTableId: In<CUuuid>) -> Answer {
    driver::machine().ok_or(CuError::NOT_INITIALIZED)?;
    let place = ppExportTable.required()?;
    pExportTableId.required()?;
    // Measured on 535: a GUID that the driver does not know leaves NULL behind.
    place.set(std::ptr::null());
    Err(CuError::INVALID_VALUE)
}
