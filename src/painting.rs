//! Pages on a terminal: roles become colours there, and nothing elsewhere.

use std::io::{self, IsTerminal};

use cutape_analysis::doctor::page::{Page, Role};

/// The page as text, in colour if standard output is a terminal and nobody said no (NO_COLOR).
pub fn paint(page: &Page) -> String {
    let colour = io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if colour { coloured(page) } else { page.plain() }
}

fn coloured(page: &Page) -> String {
    let mut text = String::new();
    for piece in &page.0 {
        match sequence(piece.role) {
            Some(sequence) => {
                text.push_str(sequence);
                text.push_str(&piece.text);
                text.push_str("\x1b[0m");
            }
            None => text.push_str(&piece.text),
        }
    }
    text
}

fn sequence(role: Role) -> Option<&'static str> {
    match role {
        Role::Plain => None,
        Role::Heading => Some("\x1b[1m"),
        Role::Bad => Some("\x1b[1;31m"),
        Role::Warning => Some("\x1b[33m"),
        Role::Good => Some("\x1b[32m"),
        Role::Dim => Some("\x1b[2m"),
    }
}
