//! docs/viewer.md and the picture in the README show what the viewer draws. `CUTAPE_WRITE_DOCS=1 cargo test -p cutape-viewer --test document`
//! writes both anew.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use cutape_viewer::command::{Takes, commands};
use support::{Driven, golden, svg};

/// Before a block that shows a screen: trace, size, keys.
const SCREEN: &str = "<!-- screen ";
/// Before the table of keys.
const KEYS: &str = "<!-- keys -->";

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The screen that a line asks for: `<!-- screen TRACE [TRACE2] COLUMNSxROWS: KEYS -->`.
fn screen(line: &str) -> String {
    let asked = line
        .strip_prefix(SCREEN)
        .and_then(|rest| rest.strip_suffix(" -->"))
        .expect(line);
    let (head, keys) = asked.split_once(": ").expect("keys after a colon");
    let words: Vec<&str> = head.split(' ').collect();
    let (size, traces) = words.split_last().expect("a size");
    let (columns, rows) = size.split_once('x').expect("COLUMNSxROWS");
    let mut driven = Driven::open(traces[0], (columns.parse().unwrap(), rows.parse().unwrap()));
    if let Some(other) = traces.get(1) {
        driven.compare(&golden(other));
    }
    if keys != "-" {
        driven.press(keys);
    }
    driven.picture()
}

/// The table of commands, as the help has it.
fn keys() -> String {
    let mut text = String::from("| keys | command | |\n| --- | --- | --- |\n");
    let hidden = |name: &str| name == "panic";
    for command in commands().filter(|command| !hidden(command.name)) {
        let keys: Vec<String> = command
            .keys
            .iter()
            .map(|key| format!("`{}`", key.replace('|', "\\|")))
            .collect();
        let takes = match command.takes {
            Takes::Nothing => String::new(),
            Takes::Letter => " LETTER".to_owned(),
            Takes::Text(what) => format!(" {}", what.to_uppercase()),
        };
        text.push_str(&format!(
            "| {} | `{}{takes}` | {} |\n",
            keys.join(" "),
            command.name,
            command.title
        ));
    }
    text
}

/// The document with all that is drawn drawn anew.
fn drawn_anew(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if line.starts_with(SCREEN) {
            assert_eq!(lines.next(), Some("```text"), "a block follows {line}");
            lines
                .by_ref()
                .find(|line| *line == "```")
                .expect("the block ends");
            out.push_str(&format!("```text\n{}```\n", screen(line)));
        } else if line == KEYS {
            while lines.peek().is_some_and(|line| line.starts_with('|')) {
                lines.next();
            }
            out.push_str(&keys());
        }
    }
    out
}

fn compare(path: &str, expected: &str) {
    let path = file(path);
    if std::env::var_os("CUTAPE_WRITE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} does not show what the viewer draws: CUTAPE_WRITE_DOCS=1 cargo test -p cutape-viewer --test document",
        path.display()
    );
}

#[test]
fn the_document_shows_what_the_viewer_draws() {
    let text = fs::read_to_string(file("docs/viewer.md")).unwrap();
    assert!(text.matches(SCREEN).count() >= 4 && text.contains(KEYS));
    compare("docs/viewer.md", &drawn_anew(&text));
}

#[test]
fn the_picture_in_the_readme_is_what_the_viewer_draws() {
    let mut driven = Driven::open("ggml-backend-on-shim-uninitialized", (110, 32));
    driven.press(":").type_text("theme dark").press("Enter e");
    compare("docs/viewer.svg", &svg::svg(&driven.buffer()));
    let readme = fs::read_to_string(file("README.md")).unwrap();
    assert!(
        readme.contains("(docs/viewer.svg)"),
        "the README shows the picture"
    );
}
