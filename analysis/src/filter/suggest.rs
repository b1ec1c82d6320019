//! "Did you mean": the known word that is nearest to one that is not known.

use crate::suggestion;

/// The word that was meant, if that can be told: one that differs by a slip, or else the shortest that begins so.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() {
        return None;
    }
    let known: Vec<&str> = known.into_iter().collect();
    suggestion::nearest(word, known.iter().copied()).or_else(|| {
        let begins_so = known
            .iter()
            .filter(|known| known.starts_with(word) && word.len() > 1);
        begins_so.min_by_key(|known| known.len()).copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_found() {
        let fields = ["api", "pid", "tid", "comm", "caller", "kernel", "stream"];
        let found = |word| nearest(word, fields);
        assert_eq!(found("kernal"), Some("kernel"));
        assert_eq!(found("pdi"), Some("pid"));
        assert_eq!(found("API"), Some("api"));
        assert_eq!(found("zzz"), None);
        assert_eq!(found(""), None);
        assert_eq!(nearest("ca", ["comm", "callers", "caller"]), Some("caller"));
    }
}
