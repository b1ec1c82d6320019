//! Names with `*` for any letters.

/// Whether a name fits a pattern, in which `*` stands for any letters, also none.
pub fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(start) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(place) => left = &left[place + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_any_letters() {
        for (pattern, name, expected) in [
            ("cuInit", "cuInit", true),
            ("cuInit", "cuInit2", false),
            ("cuMem*", "cuMemGetInfo_v2", true),
            ("*", "", true),
            ("*_v2", "cuMemGetInfo_v2", true),
            ("*_v2", "cuMemGetInfo_v2_ptsz", false),
            ("cu*Get*_v2", "cuMemGetInfo_v2", true),
            ("cu*Get*Get*", "cuMemGetInfo_v2", false),
            ("aa*aa", "aaa", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
