//! Putting results into a document that says more than results.

use std::fs;

use crate::error::BenchError;
use crate::workbench::workspace;

/// Puts the results of a chore into a document of the repository.
///
/// # Errors
/// It can't be read or written, or has no place for them.
pub fn write(path: &str, chore: &str, results: &str) -> Result<(), BenchError> {
    let path = workspace().join(path);
    let document = fs::read_to_string(&path).map_err(BenchError::file(&path))?;
    let text = with_results(&document, chore, results).ok_or_else(|| BenchError::Output {
        line: format!("{} has no marks for the results", path.display()),
    })?;
    fs::write(&path, text).map_err(BenchError::file(&path))
}

/// The mark before (`begin`) or behind (`end`) the results of a chore.
fn mark(chore: &str, which: &str) -> String {
    format!("<!-- written by `cargo xtask bench {chore} --write`: {which} -->")
}

/// `document` with the `results` of a chore between the two marks that it has for them; `None` when it has none.
pub fn with_results(document: &str, chore: &str, results: &str) -> Option<String> {
    let (opening, closing) = (mark(chore, "begin"), mark(chore, "end"));
    let begin = document.find(&opening)? + opening.len();
    let end = begin + document[begin..].find(&closing)?;
    Some(format!(
        "{}\n\n{}\n\n{}",
        &document[..begin],
        results.trim(),
        &document[end..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let (begin, end) = (mark("record", "begin"), mark("record", "end"));
        let document = format!("# Title\n{begin}\nold\n{end}\nthe end\n");
        let once = with_results(&document, "record", "new").unwrap();
        assert_eq!(once, format!("# Title\n{begin}\n\nnew\n\n{end}\nthe end\n"));
        assert_eq!(with_results(&once, "record", "new").unwrap(), once);
        assert_eq!(
            with_results(&once, "analysis", "new"),
            None,
            "marks of another chore"
        );
    }

    #[test]
    fn a_document_without_marks_is_left_alone() {
        assert_eq!(with_results("# Title\n", "record", "new"), None);
    }
}
