//! The profiles that become part of the library: every file of `profiles/` and `profiles/broken/`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The list as source text: name, first comment line, whether it is broken, text.
///
/// # Panics
/// A file that can't be read or that does not begin with a comment line stops the build with its name.
pub fn list(folder: &Path) -> String {
    let mut out = String::from("pub static SHIPPED: &[ShippedProfile] = &[\n");
    for (folder, is_broken) in [(folder.to_owned(), false), (folder.join("broken"), true)] {
        println!("cargo::rerun-if-changed={}", folder.display());
        for file in toml_files(&folder) {
            let text = std::fs::read_to_string(&file)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let summary = text.lines().next().and_then(|line| line.strip_prefix("# "));
            let summary = summary.unwrap_or_else(|| {
                panic!(
                    "{}: expected a first line `# what the profile is`",
                    file.display()
                )
            });
            let name = file
                .file_stem()
                .expect("a file name")
                .to_string_lossy()
                .into_owned();
            writeln!(
                out,
                "    ShippedProfile {{ name: {name:?}, summary: {summary:?}, is_broken: {is_broken}, text: include_str!({:?}) }},",
                file.display().to_string()
            )
            .expect("a string");
        }
    }
    out + "];\n"
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a folder that can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files
}
