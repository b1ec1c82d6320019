//! What a kernel's handle stands for that came to the program past us.
//!
//! libcufft finds the kernels of its modules through an export table, whose calls are not recorded. Once the driver has accepted such a
//! handle, it is asked for module and name, and the record of the call says both: with them the handle can be had again.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use cutape_trace_format::function_name::FunctionName;

use crate::capture::{Gathered, Phase, Reader};
use crate::kernel_table::{Entry, HandleKind};
use crate::more::UsedFunction;
use crate::process::Process;
use crate::real_driver;
use crate::recording;

/// `CUresult cuFuncGetModule(CUmodule *hmod, CUfunction hfunc)`, since CUDA 11.0.
type GetModule = unsafe extern "C" fn(*mut u64, u64) -> u32;
/// `CUresult cuFuncGetName(const char **name, CUfunction hfunc)`, since CUDA 12.3.
type GetName = unsafe extern "C" fn(*mut *const c_char, u64) -> u32;

/// Adds module and name of a kernel that nobody has given out as far as we know. The call that names it has succeeded.
pub fn gather(
    gathered: &mut Gathered,
    reader: &Reader<'_>,
    process: &'static Process,
    used: &UsedFunction,
) {
    let handle = reader.frame.word(used.word.into());
    if handle == 0 || !matches!(process.kernels().find(handle), Entry::Unknown) {
        return;
    }
    // SAFETY: the state is the calling thread's.
    let found = unsafe { recording::aside(reader.thread, || ask(handle)) };
    // Whether or not there is an answer, nobody needs to ask again.
    process.kernels().given(handle, HandleKind::Function);
    if let Some(name) = found.flatten() {
        let bytes = name.to_bytes();
        let length = bytes.len() as u64;
        gathered.add(used.number, Phase::Out { succeeded: true }, bytes, length);
    }
}

/// Module and name of a kernel that the driver knows; `None` if it can't say.
fn ask(handle: u64) -> Option<FunctionName> {
    let (get_module, get_name) = (
        real_driver::exported(c"cuFuncGetModule")?,
        real_driver::exported(c"cuFuncGetName")?,
    );
    // SAFETY: the functions have these prototypes (cuda.h).
    let (get_module, get_name) = unsafe {
        (
            std::mem::transmute::<*const c_void, GetModule>(get_module),
            std::mem::transmute::<*const c_void, GetName>(get_name),
        )
    };
    let (mut module, mut name) = (0, ptr::null());
    // SAFETY: the driver has just accepted the handle in a call of the program's; both places are ours.
    let codes = unsafe {
        [
            get_module(&raw mut module, handle),
            get_name(&raw mut name, handle),
        ]
    };
    if codes != [0, 0] || module == 0 || name.is_null() {
        return None;
    }
    // SAFETY: a successful call has answered a text that lives as long as the module.
    let name = unsafe { CStr::from_ptr(name) };
    Some(FunctionName {
        module,
        name: name.to_bytes().to_vec(),
    })
}
