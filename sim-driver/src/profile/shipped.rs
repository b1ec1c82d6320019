//! The profiles that are part of the library.

/// A profile's name and its text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("h100", include_str!("../../profiles/h100.toml")),
    ("h200", include_str!("../../profiles/h200.toml")),
    ("a100", include_str!("../../profiles/a100.toml")),
    ("l4", include_str!("../../profiles/l4.toml")),
    ("t4", include_str!("../../profiles/t4.toml")),
    ("two-gpu", include_str!("../../profiles/two-gpu.toml")),
    ("no-device", include_str!("../../profiles/no-device.toml")),
    (
        "shim-uninitialized",
        include_str!("../../profiles/shim-uninitialized.toml"),
    ),
    ("shim-fixed", include_str!("../../profiles/shim-fixed.toml")),
];

/// The text of a shipped profile.
pub fn text(name: &str) -> Option<&'static str> {
    SHIPPED
        .iter()
        .find(|(shipped, _)| *shipped == name)
        .map(|(_, text)| *text)
}

/// The names, for messages.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}
