//! "Did you mean": the known word that is nearest to one that is not known.

/// The nearest of the known words, if it is near enough to have been meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance * 3 <= candidate.len().max(word.len()) || candidate.contains(&word)
        })
        .filter(|_| word.len() >= 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be changed, added or taken away to make one word of the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (place, letter) in left.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (column, &other) in right.iter().enumerate() {
            let above = row[column + 1];
            let changed = diagonal + usize::from(letter != other);
            row[column + 1] = changed.min(above + 1).min(row[column] + 1);
            diagonal = above;
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_another_word_is_not() {
        let known = [
            "meminfo-error",
            "meminfo-zero",
            "ctx-set-failed",
            "no-devices",
        ];
        assert_eq!(nearest("meminfo-eror", known), Some("meminfo-error"));
        assert_eq!(nearest("Meminfo-Zero", known), Some("meminfo-zero"));
        assert_eq!(nearest("set-failed", known), Some("ctx-set-failed"));
        assert_eq!(nearest("banana", known), None);
        assert_eq!(nearest("", known), None);
    }
}
