//! What happens when the loader loads us: the real library is loaded, too.
//!
//! Without us the program would have got it now, before it used up its descriptors, gave up its rights or filled its memory; loading
//! it at the first call could fail where the program didn't.

use std::path::Path;

use cutape_driver_search::loaded_file;

use crate::capture::{errno, set_errno};
use crate::hook::Library;
use crate::recording;

#[used]
#[unsafe(link_section = ".init_array")]
static ON_LOAD: extern "C" fn() = load_the_real_one;

extern "C" fn load_the_real_one() {
    let kept = errno();
    // A failure is told when the first call comes; the program may never make one.
    let _ = std::panic::catch_unwind(|| recording::load_real(asked_for()));
    set_errno(kept);
}

/// Which library we were loaded as: our file has a name for each.
fn asked_for() -> Library {
    let path = loaded_file(&raw const ON_LOAD as usize);
    let name = path
        .as_deref()
        .and_then(Path::file_name)
        .unwrap_or_default();
    if name.to_string_lossy().starts_with("libnvidia-ml") {
        Library::Nvml
    } else {
        Library::Cuda
    }
}
