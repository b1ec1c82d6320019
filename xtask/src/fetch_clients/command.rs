//! Runs the registries' client programs.

use std::io;
use std::process::{Command, Stdio};

/// Lines of a failed program's output that are worth showing.
const LINES_SHOWN: usize = 3;

/// Runs a program to its end; on failure says which program and the last lines of what it printed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("expected a program named {program} in PATH, found none")
            }
            _ => format!("{program} can't be started: {error}"),
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    Err(format!(
        "{program} failed ({}): {}",
        output.status,
        last_lines(&said)
    ))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_last_lines_of_the_program() {
        let error =
            run(Command::new("sh")
                .args(["-c", "for i in 1 2 3 4; do echo line $i >&2; done; exit 9"]))
            .unwrap_err();
        assert_eq!(
            error,
            "sh failed (exit status: 9): line 2 | line 3 | line 4"
        );
    }

    #[test]
    fn an_absent_program_is_named() {
        let error = run(&mut Command::new("cutape-no-such-program")).unwrap_err();
        assert_eq!(
            error,
            "expected a program named cutape-no-such-program in PATH, found none"
        );
    }
}
