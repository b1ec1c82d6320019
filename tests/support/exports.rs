//! What a library exports, as binutils' `nm` sees it: a witness that is not ours.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cutape_test_clients::skip;

/// Names of the driver API and NVML that a library exports; `None` after saying that `nm` is absent.
pub fn api_names(library: &Path) -> Option<BTreeSet<String>> {
    let mut nm = Command::new("nm");
    nm.args(["-D", "--defined-only", "--format=posix"])
        .arg(library);
    let output = match nm.output() {
        Ok(output) => output,
        Err(error) => {
            skip(&format!(
                "nm (binutils) lists what a library exports: {error}"
            ));
            return None;
        }
    };
    assert!(
        output.status.success(),
        "{}: {}",
        library.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    let names = names.filter(|name| name.starts_with("cu") || name.starts_with("nvml"));
    Some(names.map(str::to_owned).collect())
}
