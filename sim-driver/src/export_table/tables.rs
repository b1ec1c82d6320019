//! The tables and the functions in them.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use super::integrity::{self, Addresses, Question};
use super::storage::Destructor;
use crate::abi::{CUcontext, CUdevice, CUfunction, CUmodule, CUresult, CUstream};
use crate::boundary::Out;
use crate::context::{self, Context, current};
use crate::driver;
use crate::entry;
use crate::module;
use crate::status::{Answer, CuError};
use crate::stream;
use crate::surface::DefaultStream;

/// A slot: the address of a function, or the table's size in bytes.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Slot(*const c_void);

// SAFETY: slots hold addresses of functions of this library and numbers; nothing is written through them.
unsafe impl Sync for Slot {}

const REFUSED: Slot = Slot(refuse as *const c_void);

const fn size_of_table(slots: usize) -> Slot {
    Slot(std::ptr::without_provenance(slots * size_of::<Slot>()))
}

const fn table<const N: usize>(known: &[(usize, Slot)]) -> [Slot; N] {
    let mut slots = [REFUSED; N];
    slots[0] = size_of_table(N);
    let mut at = 0;
    while at < known.len() {
        slots[known[at].0] = known[at].1;
        at += 1;
    }
    slots
}

static CUDART_INTERFACE: [Slot; 15] = table(&[
    (1, Slot(module_from_wrapper as *const c_void)),
    (2, Slot(primary_context as *const c_void)),
    (6, Slot(module_from_wrapper as *const c_void)),
    (7, Slot(accept as *const c_void)),
    (8, Slot(module_from_fat_binary as *const c_void)),
    (12, Slot(accept as *const c_void)),
]);
static TOOLS_RUNTIME_CALLBACK_HOOKS: [Slot; 7] = table(&[
    (2, Slot(large_buffer as *const c_void)),
    (6, Slot(small_buffer as *const c_void)),
]);
static TOOLS_TLS: [Slot; 4] = table(&[(2, Slot(current_context as *const c_void))]);
/// The one table without a size: it begins with its first function.
static CONTEXT_LOCAL_STORAGE: [Slot; 4] = [
    Slot(storage_put as *const c_void),
    Slot(storage_delete as *const c_void),
    Slot(storage_get as *const c_void),
    Slot(std::ptr::null()),
];
static INTEGRITY_CHECK: [Slot; 3] = table(&[(1, Slot(check_integrity as *const c_void))]);
static CONTEXT_CHECKS: [Slot; 4] = table(&[
    (2, Slot(check_context as *const c_void)),
    (3, Slot(accept as *const c_void)),
]);
/// The runtime of CUDA 13.5 wants it to exist. As many slots as driver 595.99 has.
static TOOLS_CONTEXT: [Slot; 95] = table(&[
    (4, Slot(context_id as *const c_void)),
    (39, Slot(about_stream as *const c_void)),
    (51, Slot(stream_id as *const c_void)),
]);
/// As many slots as driver 535 has (measured).
static TOOLS_MODULE: [Slot; 88] = table(&[(7, Slot(for_each_function as *const c_void))]);
/// No public project names it. libcublasLt (13.4) asks for it before products of 16-bit numbers on GPUs with clusters, and crashes
/// where it is refused; that its function 4 refuses is fine. As many slots as driver 535 has (measured).
static ASKED_BY_CUBLAS: [Slot; 16] = table(&[]);

/// libcupti (13.2) asks for it as soon as it is loaded, and calls itself until the stack is full where it gets none: so it dies on a machine
/// without a driver, too. Where the functions refuse, tools are told CUPTI_ERROR_UNKNOWN, as by NVIDIA's 535 without a GPU, and
/// PyTorch's profiler shows what happens on the CPU (measured). As many slots as driver 535 has (measured).
static ASKED_BY_CUPTI: [Slot; 67] = table(&[]);

/// The table of a GUID, whose bytes are given as they lie in memory.
pub fn find(guid: &[u8; 16]) -> Option<*const c_void> {
    let table: &[Slot] = match u128::from_be_bytes(*guid) {
        0x6bd5fb6c_5bf4_e74a_8987_d93912fd9df9 => &CUDART_INTERFACE,
        0xa094798c_2e74_2e74_93f2_0800200c0a66 => &TOOLS_RUNTIME_CALLBACK_HOOKS,
        0x42d85a81_23f6_cb47_8298_f6e78a3aecdc => &TOOLS_TLS,
        0xc693336e_1121_df11_a8c3_68f355d89593 => &CONTEXT_LOCAL_STORAGE,
        0xd4082055_bde6_704b_8d34_ba123c66e1f2 => &INTEGRITY_CHECK,
        0x263e8860_7cd2_6143_92f6_bbd5006dfa7e => &CONTEXT_CHECKS,
        0x21318c60_9714_3248_8ca6_41ff7324c8f2 => &TOOLS_CONTEXT,
        0x1734dc26_800d_4745_8726_c0f1e7dd8bca => &ASKED_BY_CUBLAS,
        0x7cb63f9b_9ca4_8e42_a484_beb66e6aed7f => &ASKED_BY_CUPTI,
        0x6e163fbe_b958_444d_835c_e182aff1991e => &TOOLS_MODULE,
        _ => return None,
    };
    Some(table.as_ptr().cast())
}

extern "C" fn refuse() -> CUresult {
    CuError::NOT_SUPPORTED.0
}

extern "C" fn accept() -> CUresult {
    0
}

extern "C" fn module_from_wrapper(module: Out<CUmodule>, wrapper: *const c_void) -> CUresult {
    entry::table_call(|| module::cuModuleLoadData(module, wrapper))
}

extern "C" fn module_from_fat_binary(fat_binary: *const c_void, module: Out<CUmodule>) -> CUresult {
    entry::table_call(|| module::cuModuleLoadFatBinary(module, fat_binary))
}

/// The handle of the primary context, without retaining it.
extern "C" fn primary_context(place: Out<CUcontext>, device: CUdevice) -> CUresult {
    entry::table_call(|| {
        let driver = driver::started()?;
        let place = place.required()?;
        let device = driver.device(device)?;
        place.set(device.primary.handle(driver, device)?);
        Ok(())
    })
}

/// The context of the calling thread. libcublasLt (13.4) asks for it before each matrix product, and refuses the product with
/// CUBLAS_STATUS_NOT_SUPPORTED if it gets none (measured: the arguments and what follows each answer).
extern "C" fn current_context(place: Out<CUcontext>) -> CUresult {
    entry::table_call(|| {
        let place = place.required()?;
        place.set(current()?.handle);
        Ok(())
    })
}

/// A number that no other context of the process has or had: libcublasLt keeps what it knows of a device under it.
extern "C" fn context_id(context: CUcontext, place: Out<u64>) -> CUresult {
    entry::table_call(|| context::cuCtxGetId(context, place))
}

/// What `for_each_function` calls with the address that the caller gave and a function.
type SeeFunction = Option<unsafe extern "C" fn(*mut c_void, CUfunction)>;

/// Shows a module's functions one by one, and answers how many there were. libcufft (12.2) finds the kernels of its modules so, and takes
/// any answer but 1 for a failure (measured; its modules have one kernel each).
extern "C" fn for_each_function(
    _context: CUcontext,
    module: CUmodule,
    see: SeeFunction,
    data: *mut c_void,
) -> u32 {
    let mut seen = 0;
    let code = entry::table_call(|| {
        let see = see.ok_or(CuError::INVALID_VALUE)?;
        for function in module::functions_of(driver::started()?, module)? {
            // SAFETY: the caller gave the function to be called with its own address and a function of the module.
            unsafe { see(data, function) };
            seen += 1;
        }
        Ok(())
    });
    if code == 0 { seen } else { 0 }
}

/// A number that no other stream of the process has or had. libcublas (13.10) asks for it before a product that needs workspace, and
/// refuses the product with CUBLAS_STATUS_INTERNAL_ERROR if it gets none (measured: the arguments and what follows each answer).
extern "C" fn stream_id(context: CUcontext, stream: CUstream, place: Out<u64>) -> CUresult {
    entry::table_call(|| {
        named_or_current(context)?;
        stream::cuStreamGetId(DefaultStream::Legacy, stream, place)
    })
}

/// What libcublas (13.10) asks next, with the stream's number. What it is to be told is not known: it goes on with 0, and refuses the
/// product without an answer (measured likewise).
extern "C" fn about_stream(context: CUcontext, _stream_id: u64, place: Out<u64>) -> CUresult {
    entry::table_call(|| {
        named_or_current(context)?;
        place.required()?.set(0);
        Ok(())
    })
}

/// Buffers that tools may fill: nobody does here. The runtime reads an entry of 32 bits for each of its functions, whatever number it is
/// told: that of CUDA 13.5 looks up to byte 1944 of the large one at least.
static LARGE_BUFFER: [AtomicU32; LARGE_ENTRIES] = [const { AtomicU32::new(0) }; LARGE_ENTRIES];
static SMALL_BUFFER: [AtomicU32; SMALL_ENTRIES] = [const { AtomicU32::new(0) }; SMALL_ENTRIES];
const LARGE_ENTRIES: usize = 1024;
const SMALL_ENTRIES: usize = 14;

extern "C" fn large_buffer(place: Out<*const c_void>, entries: Out<usize>) {
    place.set(LARGE_BUFFER.as_ptr().cast());
    entries.set(LARGE_ENTRIES);
}

extern "C" fn small_buffer(place: Out<*const c_void>, entries: Out<usize>) {
    place.set(SMALL_BUFFER.as_ptr().cast());
    entries.set(SMALL_ENTRIES);
}

/// The named context, or the current one for NULL.
fn named_or_current(handle: CUcontext) -> Result<Arc<Context>, CuError> {
    if handle.is_null() {
        current()
    } else {
        context::find(driver::started()?, handle)
    }
}

extern "C" fn storage_put(
    context: CUcontext,
    key: u64,
    value: u64,
    destructor: Destructor,
) -> CUresult {
    entry::table_call(|| {
        named_or_current(context)?
            .storage
            .put(key, value, destructor);
        Ok(())
    })
}

extern "C" fn storage_delete(context: CUcontext, key: u64) -> CUresult {
    entry::table_call(|| {
        let was_there = named_or_current(context)?.storage.delete(key);
        if was_there {
            Ok(())
        } else {
            Err(CuError::INVALID_HANDLE)
        }
    })
}

extern "C" fn storage_get(place: Out<u64>, context: CUcontext, key: u64) -> CUresult {
    entry::table_call(|| {
        let place = place.required()?;
        place.set(
            named_or_current(context)?
                .storage
                .get(key)
                .ok_or(CuError::INVALID_HANDLE)?,
        );
        Ok(())
    })
}

extern "C" fn check_integrity(version: u32, unix_seconds: u64, place: Out<[u64; 2]>) -> CUresult {
    entry::table_call(|| -> Answer {
        let driver = driver::started()?;
        let place = place.required()?;
        let addresses = Addresses {
            cudart_interface: CUDART_INTERFACE.as_ptr() as u64,
            integrity_check: INTEGRITY_CHECK.as_ptr() as u64,
            check_function: INTEGRITY_CHECK[1].0 as u64,
        };
        place.set(integrity::answer(
            driver,
            Question {
                version,
                unix_seconds,
            },
            addresses,
        ));
        Ok(())
    })
}

extern "C" fn check_context(
    _context: CUcontext,
    result: Out<u32>,
    _more: *mut *const c_void,
) -> CUresult {
    result.set(0);
    0
}
