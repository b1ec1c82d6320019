//! Finds the calls that the sources implement: every `pub fn cu...(...)` and `pub fn nvml...(...)` at the start of a line under `src/`.

use std::path::{Path, PathBuf};

/// One implemented call, as its source spells it.
pub struct Implementation {
    /// `cuMemAlloc_v2`.
    pub name: String,
    /// `crate::memory::allocate`.
    pub module: String,
    /// File and line, for messages.
    pub place: String,
    /// Names and types, without the leading `default_stream`.
    pub params: Vec<(String, String)>,
    /// Whether it is told which stream a NULL stream means, and so serves the `_ptsz` or `_ptds` form too.
    pub takes_default_stream: bool,
    /// `Answer`, `NvmlAnswer` or another type.
    pub returns: String,
}

impl Implementation {
    /// Whether it answers an error code, and not a text.
    pub fn answers_code(&self) -> bool {
        matches!(self.returns.as_str(), "Answer" | "NvmlAnswer")
    }
}

/// All implementations under a folder.
///
/// # Panics
/// A signature that cannot be understood stops the build with its file and line.
pub fn find(folder: &Path) -> Vec<Implementation> {
    let mut found = Vec::new();
    for file in sources(folder) {
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let module = module_of(folder, &file);
        for (number, line) in text.lines().enumerate() {
            let is_call = ["pub fn cu", "pub fn nvml"]
                .iter()
                .any(|begin| line.starts_with(begin));
            let letter = line
                .strip_prefix("pub fn cu")
                .and_then(|rest| rest.chars().next());
            if is_call && letter.is_none_or(char::is_uppercase) {
                let place = format!("{}:{}", file.display(), number + 1);
                let rest: Vec<&str> = text.lines().skip(number).collect();
                found.push(parse(&rest.join("\n"), &module, place));
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(pair) = found.windows(2).find(|pair| pair[0].name == pair[1].name) {
        panic!(
            "{} is implemented twice: at {} and at {}",
            pair[0].name, pair[0].place, pair[1].place
        );
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in entries.map(|entry| entry.expect("a folder that can be read").path()) {
        if entry.is_dir() {
            files.extend(sources(&entry));
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            files.push(entry);
        }
    }
    files.sort();
    files
}

/// `src/memory/copy.rs` is `crate::memory::copy`; `mod.rs` is its folder. Private modules' calls are re-exported by their folder.
fn module_of(folder: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(folder).expect("a file under the folder");
    let first = relative
        .components()
        .next()
        .expect("a file name")
        .as_os_str()
        .to_string_lossy();
    format!("crate::{}", first.trim_end_matches(".rs"))
}

/// From `pub fn name(` on.
fn parse(text: &str, module: &str, place: String) -> Implementation {
    let open = text
        .find('(')
        .unwrap_or_else(|| panic!("{place}: a call without parameters in parentheses"));
    let name = text["pub fn ".len()..open].to_owned();
    let close =
        closing(text, open).unwrap_or_else(|| panic!("{place}: {name} has no closing parenthesis"));
    let mut params: Vec<(String, String)> = Vec::new();
    for param in split(&text[open + 1..close]) {
        let (param, kind) = param
            .split_once(':')
            .unwrap_or_else(|| panic!("{place}: parameter `{param}` has no type"));
        let param = param
            .trim()
            .trim_start_matches("r#")
            .trim_start_matches('_');
        params.push((param.to_owned(), kind.trim().to_owned()));
    }
    let takes_default_stream = params
        .first()
        .is_some_and(|(_, kind)| kind == "DefaultStream");
    if takes_default_stream {
        params.remove(0);
    }
    let after = text[close + 1..].trim_start();
    let returns = after
        .strip_prefix("->")
        .and_then(|rest| rest.split_once('{'))
        .map(|(returns, _)| returns.trim().to_owned());
    let returns = returns.unwrap_or_else(|| panic!("{place}: {name} returns nothing"));
    Implementation {
        name,
        module: module.to_owned(),
        place,
        params,
        takes_default_stream,
        returns,
    }
}

/// The place of the parenthesis that closes the one at `open`.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (place, letter) in text.char_indices().skip_while(|(place, _)| *place < open) {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(place);
        }
    }
    None
}

/// Parameters apart at commas that are not inside brackets.
fn split(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut begin = 0;
    let mut params = Vec::new();
    for (place, letter) in list.char_indices() {
        match letter {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                params.push(&list[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
    }
    params.push(&list[begin..]);
    params
        .into_iter()
        .map(str::trim)
        .filter(|param| !param.is_empty())
        .collect()
}
