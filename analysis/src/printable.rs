//! Text of a trace on its way to a terminal. A trace may come from anywhere: a control character in a name must not act there.

/// The character itself, or a replacement for one that a terminal would obey.
pub fn printable(letter: char) -> char {
    if letter.is_control() {
        char::REPLACEMENT_CHARACTER
    } else {
        letter
    }
}

/// Adds text with its control characters replaced.
pub fn push_printable(out: &mut String, text: &str) {
    // Names of functions, parameters and values, which is nearly all there is.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        out.push_str(text);
    } else {
        out.extend(text.chars().map(printable));
    }
}
