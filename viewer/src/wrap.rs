//! Breaking text into lines.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text as lines of at most `width` columns, broken at spaces where there are any.
pub fn wrapped(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width.max(1));
    let mut lines = vec![String::new()];
    let mut column = 0;
    for word in text.split_inclusive(' ') {
        let visible = word.trim_end().width();
        if column > 0 && column + visible > width {
            lines.push(String::new());
            column = 0;
        }
        for letter in word.chars() {
            let letter_width = letter.width().unwrap_or(0);
            if column + letter_width > width {
                if letter == ' ' {
                    continue;
                }
                lines.push(String::new());
                column = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter);
            }
            column += letter_width;
        }
    }
    lines
        .iter_mut()
        .for_each(|line| line.truncate(line.trim_end().len()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_inside_words_that_are_too_long() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("/usr/lib/x86_64", 6), ["/usr/l", "ib/x86", "_64"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("漢漢漢", 4), ["漢漢", "漢"]);
        assert!(wrapped("a b", 0).iter().all(|line| line.width() <= 1));
    }
}
