//! Text with roles: who shows it decides on colours.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// A heading.
    Heading,
    /// Something that costs the GPU, or a no.
    Bad,
    /// Something that costs less.
    Warning,
    /// Something that is well.
    Good,
    /// What is beside the point.
    Dim,
}

/// A piece of text in one role; line feeds are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its role.
    pub role: Role,
    /// The text.
    pub text: String,
}

/// Where paragraphs are broken.
const WIDTH: usize = 100;

/// Text under construction.
#[derive(Clone, Debug, Default)]
pub struct Page(pub Vec<Piece>);

impl Page {
    /// Adds text as it is.
    pub fn push(&mut self, role: Role, text: impl Into<String>) -> &mut Self {
        self.0.push(Piece {
            role,
            text: text.into(),
        });
        self
    }

    /// Adds plain text and ends the line.
    pub fn line(&mut self, text: impl Into<String>) -> &mut Self {
        let mut text = text.into();
        text.push('\n');
        self.push(Role::Plain, text)
    }

    /// Adds a paragraph: `begin` before its first line, as many spaces before the others, broken between words.
    pub fn paragraph(&mut self, begin: &str, text: &str) -> &mut Self {
        let indent = begin.chars().count();
        let mut line = begin.to_owned();
        let mut width = indent;
        let mut out = String::new();
        for word in text.split(' ') {
            let letters = word.chars().count();
            if width > indent && width + 1 + letters > WIDTH {
                out.push_str(&line);
                out.push('\n');
                line = " ".repeat(indent);
                width = indent;
            }
            if width > indent {
                line.push(' ');
                width += 1;
            }
            line.push_str(word);
            width += letters;
        }
        out.push_str(&line);
        self.line(out)
    }

    /// All of it without roles.
    pub fn plain(&self) -> String {
        self.0.iter().map(|piece| piece.text.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_hang_below_their_begin_and_long_words_stay_whole() {
        let mut page = Page::default();
        let long = "x".repeat(120);
        page.paragraph("  - ", &format!("{} {long} end", "word ".repeat(19).trim()));
        let text = page.plain();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("  - word word"));
        assert_eq!(lines[1], format!("    {long}"));
        assert_eq!(lines[2], "    end");
    }
}
