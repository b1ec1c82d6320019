//! Putting results into a document that says more than results.

const BEGIN: &str = "<!-- written by `cargo xtask bench record --write`: begin -->";
const END: &str = "<!-- written by `cargo xtask bench record --write`: end -->";

/// `document` with `results` between the two marks that it has for them; `None` when it has none.
pub fn with_results(document: &str, results: &str) -> Option<String> {
    let begin = document.find(BEGIN)? + BEGIN.len();
    let end = begin + document[begin..].find(END)?;
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
        let document = format!("# Title\n{BEGIN}\nold\n{END}\nthe end\n");
        let once = with_results(&document, "new").unwrap();
        assert_eq!(once, format!("# Title\n{BEGIN}\n\nnew\n\n{END}\nthe end\n"));
        assert_eq!(with_results(&once, "new").unwrap(), once);
    }

    #[test]
    fn a_document_without_marks_is_left_alone() {
        assert_eq!(with_results("# Title\n", "new"), None);
    }
}
