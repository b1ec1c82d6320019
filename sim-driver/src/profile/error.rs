//! What is wrong with a profile, said so that the reader can mend it.

/// A profile that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Neither a shipped name nor a file.
    #[error("there is no profile \"{name}\"{suggestion}: expected a file or one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The shipped names.
        known: String,
        /// ` (did you mean ...?)`, or nothing.
        suggestion: String,
    },
    /// The file could not be read.
    #[error("profile {path} could not be read: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        cause: String,
    },
    /// The text is not what a profile is.
    #[error("profile {path}, line {line}: {what}")]
    Invalid {
        /// The file, or the shipped profile's name.
        path: String,
        /// Counted from 1.
        line: usize,
        /// What was expected and what was found.
        what: String,
    },
    /// Profiles that extend one another in a circle, or without end.
    #[error(
        "profile {path}: more than {limit} profiles extend one another; does one extend itself?"
    )]
    TooDeep {
        /// The profile that was asked for.
        path: String,
        /// How many are followed.
        limit: usize,
    },
}

/// `; did you mean "h100"?` where a known name is near what was written, else nothing.
pub fn suggestion<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, known).map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}

/// The known name that is near what was written, if there is one.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| edit_distance(&written.to_lowercase(), &name.to_lowercase());
    let nearest = known.into_iter().map(|name| (distance(name), name)).min();
    nearest
        .filter(|(distance, _)| *distance <= 1 + written.len() / 4)
        .map(|(_, name)| name)
}

/// How many letters must be added, dropped or changed to come from one word to the other.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..to.len() {
            let changed = diagonal + usize::from(letter != to[column]);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_met_with_the_nearest_name_and_nonsense_with_none() {
        assert_eq!(
            suggestion("h10", ["a100", "h100", "t4"]),
            "; did you mean \"h100\"?"
        );
        assert_eq!(
            suggestion("total_memry", ["total_memory", "free_memory"]),
            "; did you mean \"total_memory\"?"
        );
        assert_eq!(suggestion("blackwell", ["a100", "h100"]), "");
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
