//! Asking the driver how a kernel's parameters lie. These calls of ours go past the hooks, so they are not on record.

use std::ffi::{CStr, c_void};

use cutape_trace_format::kernel_arguments::{KernelLayout, LayoutOrigin, ParamPlace};

use crate::kernel_table::HandleKind;
use crate::real_driver::exported;

/// More parameters than fit into 32 KiB are none.
const MAX_PARAMS: u64 = 1 << 15;
/// CUDA_ERROR_INVALID_VALUE: there is no parameter of that number.
const INVALID_VALUE: u32 = 1;

/// `cuFuncGetParamInfo`, `cuKernelGetParamInfo`: handle, number of the parameter; offset and size come back.
type ParamInfo = unsafe extern "C" fn(u64, u64, *mut u64, *mut u64) -> u32;
/// `cuFuncGetParamCount`, `cuKernelGetParamCount`: handle; the number comes back.
type ParamCount = unsafe extern "C" fn(u64, *mut u64) -> u32;

/// The driver's functions for one kind of handle, where it has them.
struct Questions {
    info: Option<ParamInfo>,
    count: Option<ParamCount>,
}

/// The layout; `None` if the driver can't say, or won't.
pub fn ask(handle: u64, kind: HandleKind) -> Option<KernelLayout> {
    // Looked for each time, which is once a kernel: a lock around it could be held by another thread when the process forks.
    let questions = match kind {
        HandleKind::Function => Questions::find(c"cuFuncGetParamInfo", c"cuFuncGetParamCount"),
        HandleKind::Kernel => Questions::find(c"cuKernelGetParamInfo", c"cuKernelGetParamCount"),
    };
    questions.ask(handle)
}

impl Questions {
    fn find(info: &CStr, count: &CStr) -> Self {
        // SAFETY: the functions have these prototypes (cuda.h).
        unsafe {
            Self {
                info: exported(info)
                    .map(|function| std::mem::transmute::<*const c_void, ParamInfo>(function)),
                count: exported(count)
                    .map(|function| std::mem::transmute::<*const c_void, ParamCount>(function)),
            }
        }
    }

    fn ask(&self, handle: u64) -> Option<KernelLayout> {
        let info = self.info?;
        // Without a count, one question too many is asked: newer drivers would log that as an error of the program.
        let count = self.count.and_then(|count| {
            let mut params = 0;
            // SAFETY: the driver gave the handle out; `params` is ours.
            let code = unsafe { count(handle, &raw mut params) };
            (code == 0).then_some(params)
        });
        let mut params = Vec::new();
        for number in 0..count.unwrap_or(MAX_PARAMS).min(MAX_PARAMS) {
            let (mut offset, mut size) = (0, 0);
            // SAFETY: as above.
            let code = unsafe { info(handle, number, &raw mut offset, &raw mut size) };
            match code {
                0 => params.push(ParamPlace {
                    offset: u16::try_from(offset).ok()?,
                    size: u16::try_from(size).ok()?,
                }),
                INVALID_VALUE if count.is_none() => break,
                _ => return None,
            }
        }
        Some(KernelLayout {
            origin: LayoutOrigin::Driver,
            params,
        })
    }
}
