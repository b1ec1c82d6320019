//! Names of an enumeration's values, and what people write for them.

/// The value that a word stands for: a name, or the end of one behind a `_`. `NOT_INITIALIZED` is `CUDA_ERROR_NOT_INITIALIZED`. Of several
/// names that end so, the shortest is meant: `NOT_FOUND` is `CUDA_ERROR_NOT_FOUND`, not `CUDA_ERROR_FILE_NOT_FOUND`.
pub(crate) fn named_value(values: &[(String, i64)], word: &str) -> Option<i64> {
    if let Some((_, value)) = values.iter().find(|(name, _)| name == word) {
        return Some(*value);
    }
    // "ENABLED" for what ends in _ENABLED; a word of one letter would be the end of too much.
    if word.len() < 2 {
        return None;
    }
    let ends_so = |name: &str| {
        name.strip_suffix(word)
            .is_some_and(|rest| rest.ends_with('_'))
    };
    values
        .iter()
        .filter(|(name, _)| ends_so(name))
        .min_by_key(|(name, _)| name.len())
        .map(|(_, value)| *value)
}

/// What a word can be mistaken for: the names, and their ends that are unmistakable.
pub(crate) fn names_of(values: &[(String, i64)]) -> impl Iterator<Item = &str> {
    values.iter().flat_map(|(name, _)| {
        let short = ["CUDA_ERROR_", "NVML_ERROR_"]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix));
        std::iter::once(name.as_str()).chain(short)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_cuda_api::{Api, TypeKind};

    #[test]
    fn a_word_is_the_name_that_it_says_most_of() {
        let Some(TypeKind::Enum { values, .. }) = Api::get()
            .type_def("CUresult")
            .map(|definition| &definition.kind)
        else {
            panic!("CUresult is an enumeration");
        };
        for (word, value) in [
            ("CUDA_ERROR_NOT_INITIALIZED", Some(3)),
            ("NOT_INITIALIZED", Some(3)),
            ("NOT_FOUND", Some(500)),
            ("SUCCESS", Some(0)),
            ("NITIALIZED", None),
            ("", None),
        ] {
            assert_eq!(named_value(values, word), value, "{word}");
        }
    }
}
