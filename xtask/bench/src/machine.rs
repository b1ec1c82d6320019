//! What the numbers were measured on.

use std::fs;
use std::process::Command;

use crate::client::output_of;
use crate::workbench::workspace;

/// Lines of name and value about machine and build.
pub fn describe() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        (
            "Processor",
            format!("{}, {cores} cores", cpu_field("model name")),
        ),
        ("Kernel", read("/proc/sys/kernel/osrelease")),
        (
            "Clock source",
            read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        ),
        ("Compiler", command("rustc", &["--version"])),
        (
            "C compiler",
            command("cc", &["--version"])
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
        ("Commit", commit()),
        ("Date", command("date", &["--utc", "+%Y-%m-%d %H:%M UTC"])),
    ]
}

/// Runnable programs on average over the last minute, and how many may run at once.
pub fn load() -> String {
    read("/proc/loadavg")
        .split(' ')
        .next()
        .unwrap_or("?")
        .to_owned()
}

fn cpu_field(name: &str) -> String {
    let text = read("/proc/cpuinfo");
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(": ")).map_or_else(
        || "unknown processor".to_owned(),
        |(_, value)| value.to_owned(),
    )
}

fn commit() -> String {
    let at = format!("{}", workspace().display());
    let commit = command("git", &["-C", &at, "rev-parse", "--short=12", "HEAD"]);
    // The results themselves are what this program changes.
    let changes = command(
        "git",
        &[
            "-C",
            &at,
            "status",
            "--porcelain",
            "--",
            ".",
            ":!docs/performance.md",
            ":!docs/performance-of-analysis.md",
        ],
    );
    if changes.is_empty() {
        commit
    } else {
        format!("{commit} with uncommitted changes")
    }
}

fn command(program: &str, arguments: &[&str]) -> String {
    output_of(Command::new(program).args(arguments))
        .map_or_else(|error| error.to_string(), |text| text.trim().to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map_or_else(
        |error| format!("unknown ({error})"),
        |text| text.trim().to_owned(),
    )
}
