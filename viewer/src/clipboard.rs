//! Putting text into the clipboard of the terminal by OSC 52, which also works over ssh and inside tmux.

/// Terminals take about 100,000 characters; longer texts would be dropped without a word.
const MOST_BYTES: usize = 74_994;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The sequence that copies a text; `None` if it is too long for terminals.
pub fn copy_sequence(text: &str) -> Option<String> {
    (text.len() <= MOST_BYTES).then(|| format!("\x1b]52;c;{}\x07", base64(text.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_rfc_4648() {
        let encoded =
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        let expected = [
            "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy",
        ];
        assert_eq!(encoded, expected);
    }

    #[test]
    fn a_text_that_terminals_would_drop_is_refused() {
        assert!(copy_sequence(&"x".repeat(MOST_BYTES)).is_some());
        assert_eq!(copy_sequence(&"x".repeat(MOST_BYTES + 1)), None);
    }
}
