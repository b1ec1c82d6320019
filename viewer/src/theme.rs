//! Colours by what they mean. What a colour says is also said by a sign or a word.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// What matters less.
    Dim,
    /// Frames and lines.
    Frame,
    /// Title of the part that has the keyboard.
    Title,
    /// Title of another part.
    OtherTitle,
    /// The line at the top.
    Bar,
    /// The name of the program in it.
    Brand,
    /// Something live.
    Live,
    /// A function's name.
    Function,
    /// The name of an argument or field.
    Name,
    /// A value.
    Value,
    /// A failure.
    Failed,
    /// What looks like a failure and is none, or what may become one.
    Warning,
    /// What is as it should be.
    Good,
    /// Where a search matches.
    Match,
    /// The line of the cursor, where the keyboard is.
    Cursor,
    /// The line of the cursor, where it is not.
    OtherCursor,
    /// A key in a hint.
    Key,
}

/// Names of themes, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The terminal's own 16 colours.
    #[default]
    Ansi,
    /// 24-bit colours on a dark ground.
    Dark,
    /// 24-bit colours on a light ground.
    Light,
    /// No colours.
    Mono,
}

/// Themes by the name that settings use.
pub const THEMES: [(&str, Theme); 4] = [
    ("ansi", Theme::Ansi),
    ("dark", Theme::Dark),
    ("light", Theme::Light),
    ("mono", Theme::Mono),
];

/// Colours of a theme.
struct Palette {
    dim: Color,
    frame: Color,
    accent: Color,
    function: Color,
    name: Color,
    failed: Color,
    warning: Color,
    good: Color,
    bar: (Color, Color),
    found: (Color, Color),
    cursor: Color,
}

const ANSI: Palette = Palette {
    dim: Color::DarkGray,
    frame: Color::DarkGray,
    accent: Color::Cyan,
    function: Color::Reset,
    name: Color::Blue,
    failed: Color::Red,
    warning: Color::Yellow,
    good: Color::Green,
    bar: (Color::Reset, Color::Reset),
    found: (Color::Black, Color::Yellow),
    cursor: Color::Reset,
};

const DARK: Palette = Palette {
    dim: Color::Rgb(0x7a, 0x82, 0x8e),
    frame: Color::Rgb(0x3d, 0x44, 0x4d),
    accent: Color::Rgb(0x76, 0xb9, 0x00),
    function: Color::Rgb(0xd1, 0xd7, 0xe0),
    name: Color::Rgb(0x6c, 0xb6, 0xff),
    failed: Color::Rgb(0xff, 0x7b, 0x72),
    warning: Color::Rgb(0xe3, 0xb3, 0x41),
    good: Color::Rgb(0x57, 0xc7, 0x68),
    bar: (Color::Rgb(0xd1, 0xd7, 0xe0), Color::Rgb(0x26, 0x2c, 0x36)),
    found: (Color::Rgb(0x10, 0x14, 0x1a), Color::Rgb(0xe3, 0xb3, 0x41)),
    cursor: Color::Rgb(0x2d, 0x37, 0x48),
};

const LIGHT: Palette = Palette {
    dim: Color::Rgb(0x6e, 0x77, 0x81),
    frame: Color::Rgb(0xc4, 0xcb, 0xd3),
    accent: Color::Rgb(0x3f, 0x6f, 0x00),
    function: Color::Rgb(0x1f, 0x23, 0x28),
    name: Color::Rgb(0x05, 0x50, 0xae),
    failed: Color::Rgb(0xb3, 0x1d, 0x28),
    warning: Color::Rgb(0x8a, 0x58, 0x00),
    good: Color::Rgb(0x1a, 0x7f, 0x37),
    bar: (Color::Rgb(0x1f, 0x23, 0x28), Color::Rgb(0xe4, 0xe9, 0xef)),
    found: (Color::Rgb(0x1f, 0x23, 0x28), Color::Rgb(0xff, 0xd3, 0x3d)),
    cursor: Color::Rgb(0xdd, 0xe7, 0xf5),
};

impl Theme {
    /// The theme of a name.
    pub fn named(name: &str) -> Option<Self> {
        let found = THEMES.iter().find(|(known, _)| *known == name);
        found.map(|&(_, theme)| theme)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let found = THEMES.iter().find(|(_, theme)| *theme == self);
        found.map_or("ansi", |(name, _)| name)
    }

    /// How a role looks.
    pub fn style(self, role: Role) -> Style {
        match self {
            Self::Mono => mono(role),
            Self::Ansi => coloured(&ANSI, role),
            Self::Dark => coloured(&DARK, role),
            Self::Light => coloured(&LIGHT, role),
        }
    }
}

fn coloured(palette: &Palette, role: Role) -> Style {
    let style = Style::new();
    let own_ground = palette.cursor != Color::Reset;
    match role {
        Role::Text | Role::Value => style.fg(palette.function),
        Role::Dim => style.fg(palette.dim),
        Role::Frame => style.fg(palette.frame),
        Role::Title => style.fg(palette.accent).bold(),
        Role::OtherTitle => style.fg(palette.dim),
        Role::Bar if own_ground => style.fg(palette.bar.0).bg(palette.bar.1),
        Role::Bar => style.reversed(),
        Role::Brand if own_ground => style.fg(palette.accent).bg(palette.bar.1).bold(),
        Role::Brand => style.reversed().bold(),
        Role::Live => style.fg(palette.good).bold(),
        Role::Function => style.fg(palette.function).bold(),
        Role::Name => style.fg(palette.name),
        Role::Failed => style.fg(palette.failed).bold(),
        Role::Warning => style.fg(palette.warning),
        Role::Good => style.fg(palette.good),
        Role::Match => style.fg(palette.found.0).bg(palette.found.1),
        Role::Cursor if own_ground => style.bg(palette.cursor),
        Role::Cursor => style.reversed(),
        Role::OtherCursor => style.underlined(),
        Role::Key => style.fg(palette.accent),
    }
}

fn mono(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Dim | Role::Frame | Role::OtherTitle => style.add_modifier(Modifier::DIM),
        Role::Title | Role::Brand | Role::Live | Role::Failed | Role::Function => style.bold(),
        Role::Bar | Role::Cursor => style.reversed(),
        Role::Match => style.reversed().bold(),
        Role::OtherCursor => style.underlined(),
        _ => style,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_has_no_colour_and_themes_keep_their_names() {
        let roles = [
            Role::Text,
            Role::Failed,
            Role::Match,
            Role::Cursor,
            Role::Key,
            Role::Bar,
        ];
        for role in roles {
            let style = Theme::Mono.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
        for (name, theme) in THEMES {
            assert_eq!((Theme::named(name), theme.name()), (Some(theme), name));
        }
        assert_eq!(Theme::named("neon"), None);
    }
}
