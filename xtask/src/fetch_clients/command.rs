//! Runs the registries' client programs.

use std::io;
use std::process::{Command, Stdio};

/// Lines of a failed program's output that are worth showing.
const LINES_SHOWN: usize = 3;

/// Runs a program to its end; on failure says which program and what it gave as the reason.
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
        telling_lines(&said)
    ))
}

/// The lines that the program itself marks as errors, or its last ones.
fn telling_lines(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let marked = |line: &&str| {
        ["E:", "ERROR:", "npm error"]
            .iter()
            .any(|mark| line.starts_with(mark))
    };
    let mut told: Vec<_> = lines.clone().filter(marked).collect();
    if told.is_empty() {
        told = lines.collect();
        told.drain(..told.len().saturating_sub(LINES_SHOWN));
    }
    told.truncate(LINES_SHOWN);
    told.join(" | ")
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
    fn lines_marked_as_errors_are_shown_instead() {
        let script = "echo E: no such package; echo some advice >&2; exit 100";
        let error = run(Command::new("sh").args(["-c", script])).unwrap_err();
        assert_eq!(error, "sh failed (exit status: 100): E: no such package");
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
