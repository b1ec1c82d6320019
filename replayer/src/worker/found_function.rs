//! Which function `cuGetProcAddress` found: the one for the version and the stream that were asked for, or another one.

use cutape_cuda_api::{Api, DefaultStream};
use cutape_trace_format::capture_number::REGION;

use crate::wire::slot::Message;
use crate::worker::driver::{Driver, name_at};

/// `CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM`.
const PER_THREAD: u64 = 2;
/// Number of the parameter that the function's address is answered behind.
const PFN: u8 = 1;
/// Under this number the player tells the name of a function that should not have been found.
pub const WRONG_NAME: u8 = REGION | PFN;

/// The name of the function at the address that a look-up answered, if it is a version or stream variant other than the one that was asked
/// for, and the driver has that one.
///
/// `CUresult cuGetProcAddress(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags, ...)`
pub fn wrong_name(driver: &Driver, message: &Message<'_>, address: u64) -> Option<String> {
    let symbol = message.capture(0, false)?;
    let symbol = symbol.bytes.split(|&byte| byte == 0).next()?;
    let symbol = std::str::from_utf8(symbol).ok()?;
    let version = *message.args.get(2)? as u32;
    let stream = match message.args.get(3)? & PER_THREAD {
        0 => DefaultStream::Legacy,
        _ => DefaultStream::PerThread,
    };
    let api = Api::get();
    let expected = &api.at(api.resolve(symbol, version, stream)?).name;
    let found = name_at(address)?;
    let is_variant = api.variants(symbol).any(|id| api.at(id).name == found);
    let place = driver.exported(expected) as u64;
    (is_variant && found != *expected && place != 0 && place != address).then_some(found)
}
