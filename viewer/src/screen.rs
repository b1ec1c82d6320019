//! Screens by number and name.

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ScreenId {
    /// All calls, one a line.
    #[default]
    Calls,
}

/// Screens in the order of their numbers, with their titles.
pub const SCREENS: [(ScreenId, &str); 1] = [(ScreenId::Calls, "Calls")];

impl ScreenId {
    /// The number that shows it, from 1.
    pub fn number(self) -> usize {
        SCREENS.iter().position(|(id, _)| *id == self).map_or(1, |place| place + 1)
    }
}
