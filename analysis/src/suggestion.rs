//! The known name that was probably meant.

/// Words longer than this are not compared: the work grows with the product of both lengths.
const LONGEST: usize = 128;
/// A word of fewer letters is not taken for the beginning of a name.
const SHORTEST_BEGINNING: usize = 3;
/// Farther than any slip.
const BEGINNING: usize = LONGEST;

/// The known name that is nearest to what was written, if it is near enough to be a slip; else one that begins with it. Of equally near
/// ones, the first by name.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST {
        return None;
    }
    let written = written.to_lowercase();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let slip = strsim::damerau_levenshtein(&written, &name);
        if slip <= 1 + written.len() / 4 {
            return Some(slip);
        }
        let begins = written.len() >= SHORTEST_BEGINNING && name.starts_with(&written);
        begins.then_some(BEGINNING)
    };
    known
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .filter_map(|name| Some((distance(name)?, name)))
        .min()
        .map(|(_, name)| name)
}

/// `; did you mean "h100"?` where [`nearest`] finds one, else nothing: the end of an error's text.
pub fn suggestion<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, known).map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_met_with_the_nearest_name_and_nonsense_with_none() {
        let known = ["meminfo-error", "meminfo-zero", "init-other"];
        assert_eq!(nearest("meminfo-eror", known), Some("meminfo-error"));
        assert_eq!(nearest("MEMINFO-ZERO", known), Some("meminfo-zero"));
        assert_eq!(nearest("something", known), None);
        assert_eq!(nearest("meminfo", known), Some("meminfo-error"));
        assert_eq!(nearest("me", known), None);
        assert_eq!(
            suggestion("init-ohter", known),
            "; did you mean \"init-other\"?"
        );
        assert_eq!(suggestion(&"x".repeat(1 << 20), known), "");
    }
}
