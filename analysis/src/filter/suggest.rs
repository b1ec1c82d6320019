//! "Did you mean": the known word that is nearest to one that is not known.

/// Longest word that is compared; nobody mistypes a longer one by a letter or two and wants it found.
const MAX_LETTERS: usize = 64;

/// The nearest of some words, if it is near enough to be what was meant: a third of its letters may differ. Otherwise the shortest that begins
/// with the word.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    nearest_by_letters(word, &known).or_else(|| {
        let begins_so = known
            .iter()
            .filter(|known| known.starts_with(word) && word.len() > 1);
        begins_so.min_by_key(|known| known.len()).copied()
    })
}

fn nearest_by_letters<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    if letters.len() > MAX_LETTERS {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for &candidate in known {
        let limit = best.map_or(
            letters.len().max(candidate.len()).div_ceil(3),
            |(best, _)| best - 1,
        );
        if letters.len().abs_diff(candidate.chars().count()) > limit {
            continue;
        }
        let distance = distance(&letters, candidate);
        if distance <= limit {
            best = Some((distance, candidate));
            if distance == 0 {
                break;
            }
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Letters to add, remove, replace or swap with their neighbour, whatever their case.
fn distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, &from) in left.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, &to) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(from != to);
            let mut cost = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let swapped = row > 0 && column > 0 && left[row - 1] == to && right[column - 1] == from;
            if swapped {
                cost = cost.min(before_last[column - 1] + 1);
            }
            next.push(cost);
        }
        before_last = std::mem::replace(&mut last, next);
    }
    last[right.len()]
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
        assert_eq!(found("steam"), Some("stream"));
        assert_eq!(found("API"), Some("api"));
        assert_eq!(found("callers"), Some("caller"));
        assert_eq!(found("zzz"), None);
        assert_eq!(found(&"x".repeat(100_000)), None);
        assert_eq!(nearest("", fields), None);
        assert_eq!(nearest("ca", ["comm", "callers", "caller"]), Some("caller"));
    }
}
