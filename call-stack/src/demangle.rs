//! Symbols as people read them.

use std::fmt;

use cpp_demangle::{DemangleOptions, ParseOptions};

/// Bytes of a name at most; templates over templates have thousands.
const MAX_NAME_BYTES: usize = 300;
/// Nesting up to which C++ names are understood.
const MAX_DEPTH: u32 = 96;

/// The name that a symbol stands for: Rust without its hash, C++ without parameters. A symbol of another language stays as it is.
pub fn readable(symbol: &[u8]) -> String {
    let symbol = String::from_utf8_lossy(symbol);
    // `memcpy@@GLIBC_2.14`: the version is no part of the name.
    let symbol = symbol.split('@').next().unwrap_or_default();
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        return cut(format_bounded(format_args!("{name:#}")));
    }
    let name = symbol.starts_with("_Z").then(|| from_cpp(symbol)).flatten();
    cut(name.unwrap_or_else(|| symbol.to_owned()))
}

fn from_cpp(symbol: &str) -> Option<String> {
    let parsing = ParseOptions::default().recursion_limit(MAX_DEPTH);
    let symbol = cpp_demangle::Symbol::new_with_options(symbol, &parsing).ok()?;
    let showing = DemangleOptions::new()
        .no_params()
        .no_return_type()
        .hide_expression_literal_types()
        .recursion_limit(MAX_DEPTH);
    let mut name = Bounded::default();
    match symbol.structured_demangle(&mut name, &showing) {
        Ok(()) => Some(name.text),
        // More than anybody reads: its beginning will do.
        Err(_) if name.is_full() => Some(name.text),
        Err(_) => None,
    }
}

fn format_bounded(name: fmt::Arguments<'_>) -> String {
    let mut bounded = Bounded::default();
    // It ends early where there is no more room.
    let _ = fmt::write(&mut bounded, name);
    bounded.text
}

/// Takes text until there is more of it than is kept.
#[derive(Default)]
struct Bounded {
    text: String,
}

impl Bounded {
    fn is_full(&self) -> bool {
        self.text.len() > MAX_NAME_BYTES
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_full() {
            return Err(fmt::Error);
        }
        self.text.push_str(text);
        Ok(())
    }
}

fn cut(mut name: String) -> String {
    if name.len() > MAX_NAME_BYTES {
        let end = (0..=MAX_NAME_BYTES).rfind(|&at| name.is_char_boundary(at));
        name.truncate(end.unwrap_or(0));
        name.push_str("...");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        let cases = [
            ("ggml_backend_cuda_reg", "ggml_backend_cuda_reg"),
            (
                "_ZN2at4cuda26getCurrentDevicePropertiesEv",
                "at::cuda::getCurrentDeviceProperties",
            ),
            (
                "_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_",
                "std::move<int&>",
            ),
            (
                "_ZN4core3ptr13drop_in_place17h0123456789abcdefE",
                "core::ptr::drop_in_place",
            ),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("memcpy@@GLIBC_2.14", "memcpy"),
            ("_Znonsense", "_Znonsense"),
            ("", ""),
        ];
        for (symbol, name) in cases {
            assert_eq!(readable(symbol.as_bytes()), name);
        }
    }

    #[test]
    fn a_name_without_end_is_cut() {
        let long = "x".repeat(5000);
        let name = readable(long.as_bytes());
        assert_eq!(name.len(), MAX_NAME_BYTES + 3);
        assert!(name.ends_with("x..."));
        // Each nesting doubles the name: written out it would have 2^40 letters.
        let mut nested = "i".to_owned();
        for _ in 0..40 {
            nested = format!("St4pairI{nested}{}E", "S0_");
        }
        let name = readable(format!("_Z1fI{nested}Evv").as_bytes());
        assert!(
            name.len() <= MAX_NAME_BYTES + 3 || name.starts_with("_Z"),
            "{}",
            name.len()
        );
        // A letter of several bytes is not cut in the middle.
        assert!(readable("é".repeat(400).as_bytes()).ends_with("é..."));
    }
}
