//! The signs that are drawn, once for terminals with Unicode and once for those without.

/// A set of signs, each one column wide.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Horizontal line.
    pub line: &'static str,
    /// Vertical line.
    pub bar: &'static str,
    /// Corners: upper left, upper right, lower left, lower right.
    pub corners: [&'static str; 4],
    /// Tees that open downwards, upwards, to the right, to the left.
    pub tees: [&'static str; 4],
    /// Where a text is cut.
    pub cut: &'static str,
    /// The line of the cursor.
    pub cursor: &'static str,
    /// A call that failed.
    pub failed: &'static str,
    /// A call that failed and means no harm.
    pub benign: &'static str,
    /// A call that has not returned.
    pub in_flight: &'static str,
    /// A part of a tree that is open, and one that is closed.
    pub folds: [&'static str; 2],
    /// How often something is repeated.
    pub times: &'static str,
    /// What a call gave back.
    pub gives: &'static str,
    /// Between two values of which the second is what the first became.
    pub becomes: &'static str,
    /// Between parts of a line.
    pub dot: &'static str,
    /// A check that passed, failed, was not made.
    pub checks: [&'static str; 3],
    /// Bars from nothing to full.
    pub levels: [&'static str; 9],
    /// Track and thumb of a scroll bar.
    pub scroll: [&'static str; 2],
    /// Depth of a call made inside another one.
    pub nested: &'static str,
}

/// For terminals with Unicode.
pub const UNICODE: Glyphs = Glyphs {
    line: "─",
    bar: "│",
    corners: ["┌", "┐", "└", "┘"],
    tees: ["┬", "┴", "├", "┤"],
    cut: "…",
    cursor: "▶",
    failed: "✗",
    benign: "·",
    in_flight: "?",
    folds: ["▾", "▸"],
    times: "×",
    gives: "→",
    becomes: "→",
    dot: "·",
    checks: ["✓", "✗", "–"],
    levels: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    scroll: ["│", "┃"],
    nested: "└",
};

/// For terminals without.
pub const ASCII: Glyphs = Glyphs {
    line: "-",
    bar: "|",
    corners: ["+", "+", "+", "+"],
    tees: ["+", "+", "+", "+"],
    cut: "~",
    cursor: ">",
    failed: "!",
    benign: ".",
    in_flight: "?",
    folds: ["v", ">"],
    times: "x",
    gives: ">",
    becomes: ">",
    dot: "-",
    checks: ["+", "x", "-"],
    levels: [" ", "_", ".", ":", "-", "=", "+", "*", "#"],
    scroll: ["|", "#"],
    nested: "`",
};

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    fn all(glyphs: &Glyphs) -> Vec<&'static str> {
        let single = [
            glyphs.line,
            glyphs.bar,
            glyphs.cut,
            glyphs.cursor,
            glyphs.failed,
            glyphs.benign,
            glyphs.in_flight,
            glyphs.gives,
            glyphs.becomes,
            glyphs.dot,
            glyphs.nested,
        ];
        let lists: [&[&str]; 6] = [
            &glyphs.corners,
            &glyphs.tees,
            &glyphs.folds,
            &glyphs.checks,
            &glyphs.levels,
            &glyphs.scroll,
        ];
        single.into_iter().chain(lists.concat()).collect()
    }

    #[test]
    fn each_sign_takes_one_column_and_ascii_is_ascii() {
        assert!(all(&UNICODE).iter().all(|sign| sign.width() == 1));
        assert!(
            all(&ASCII)
                .iter()
                .all(|sign| sign.len() == 1 && sign.is_ascii())
        );
    }
}
