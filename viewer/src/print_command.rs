//! The command that prints what is shown, for `yc`: what was found here can be shown to others, or put into a script.

use crate::desk::Desk;

/// The `cutape print` command for the calls that are listed.
pub fn print_command(desk: &Desk) -> String {
    let mut command = "cutape print".to_owned();
    if let Some(filter) = desk.filter_text() {
        command.push_str(" -e ");
        command.push_str(&quoted(filter));
    }
    command.push(' ');
    command.push_str(&quoted(&desk.facts.path));
    command
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("traces/a-1.cutape"), "traces/a-1.cutape");
        assert_eq!(quoted("api ~ cuMem*"), "'api ~ cuMem*'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
