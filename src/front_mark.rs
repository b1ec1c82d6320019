//! How a front of ours is known among the folders of `LD_LIBRARY_PATH`.

use std::fs;
use std::io;
use std::path::Path;

/// File in every front.
const NAME: &str = ".cutape-front";

/// Whether a folder is a front: it holds our libraries under the drivers' names.
pub fn is_front(folder: &Path) -> bool {
    folder.join(NAME).exists()
}

/// Marks a folder as a front.
///
/// # Errors
/// The folder can't be written.
pub fn put(folder: &Path) -> io::Result<()> {
    let text = "Made by cutape; libraries here take the place of the CUDA driver's.\n";
    fs::write(folder.join(NAME), text)
}
