//! The profiles that are part of the library.

/// A profile of the folder `profiles`.
pub struct ShippedProfile {
    /// What it is asked for by: the file's name without its ending.
    pub name: &'static str,
    /// One line: what it is.
    pub summary: &'static str,
    /// Whether something is wrong with that driver. Most such profiles bear the name of the diagnosis rule that finds it.
    pub is_broken: bool,
    /// The file.
    pub text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The text of a shipped profile.
pub fn text(name: &str) -> Option<&'static str> {
    SHIPPED
        .iter()
        .find(|shipped| shipped.name == name)
        .map(|shipped| shipped.text)
}

/// The names, for messages.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|shipped| shipped.name)
}
