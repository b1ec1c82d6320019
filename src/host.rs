//! The machine we are on.

/// Its name, as `uname -n` gives it.
pub fn name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .unwrap_or_default()
        .trim_end()
        .to_owned()
}
