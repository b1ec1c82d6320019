//! Names with `*` for any letters.

/// Whether a name is as a pattern says, in which `*` stands for any letters, also none. Never more steps than the product of both lengths.
pub fn fits(pattern: impl AsRef<[u8]>, name: impl AsRef<[u8]>) -> bool {
    let (pattern, name) = (pattern.as_ref(), name.as_ref());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), name.get(from)) {
            (Some(b'*'), _) => {
                at += 1;
                star = Some((at, from));
            }
            (None, None) => return true,
            (Some(letter), Some(found)) if letter == found => {
                at += 1;
                from += 1;
            }
            _ => match &mut star {
                Some((behind, taken)) if *taken < name.len() => {
                    *taken += 1;
                    (at, from) = (*behind, *taken);
                }
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name) in [
            ("ollama", "ollama"),
            ("*server", "llama-server"),
            ("l*a-s*r", "llama-server"),
            ("*", ""),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("ollama", "ollama-runner"),
            ("*x", "ollama"),
            ("", "a"),
            ("a*b", "ac"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        assert!(!fits(
            "*a".repeat(200).as_bytes(),
            "a".repeat(199).as_bytes()
        ));
    }

    #[test]
    fn names_with_and_without_stars() {
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
