//! "Did you mean": the known word that is nearest to one that is not known.

use strsim::osa_distance;

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
    let word = word.to_lowercase();
    let letters = word.chars().count();
    if letters > MAX_LETTERS {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for &candidate in known {
        let limit = best.map_or(letters.max(candidate.len()).div_ceil(3), |(best, _)| {
            best - 1
        });
        if letters.abs_diff(candidate.chars().count()) > limit {
            continue;
        }
        let distance = osa_distance(&word, &candidate.to_lowercase());
        if distance <= limit {
            best = Some((distance, candidate));
            if distance == 0 {
                break;
            }
        }
    }
    best.map(|(_, candidate)| candidate)
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
