//! The most memory that work has at a time.

use std::fs;

/// Memory of this process from one moment on.
pub struct PeakMemory {
    /// Resident at the start; `None` where the kernel does not say it.
    before: Option<u64>,
}

impl PeakMemory {
    /// Forgets the peak until now.
    pub fn start() -> Self {
        // 5 sets the peak to what is resident now (proc(5), clear_refs).
        let reset = fs::write("/proc/self/clear_refs", "5");
        Self {
            before: reset.ok().and_then(|()| resident("VmRSS:")),
        }
    }

    /// Bytes at the peak since then, beyond those there were. Pages of files that were read count.
    pub fn bytes(&self) -> Option<u64> {
        Some(resident("VmHWM:")?.saturating_sub(self.before?))
    }
}

/// A line of /proc/self/status, in bytes.
fn resident(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}
