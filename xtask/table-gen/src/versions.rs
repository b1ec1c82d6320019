//! Which exported symbol stands for which (base name, CUDA version, default stream): cudaTypedefs.h names a function-pointer type for
//! each, `PFN_cuMemcpyHtoD_v7000_ptds`, whose prototype and rank among its siblings lead to the symbol, `cuMemcpyHtoD_v2_ptds`.

use crate::canonical::same_interface;
use crate::declarations::Declarations;
use crate::error::GenError;
use cutape_api_model::{DefaultStream, Signature};
use std::collections::BTreeMap;

/// What is known of an exported symbol besides its prototype.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolVersion {
    /// The name that `cuGetProcAddress` takes.
    pub base: String,
    /// CUDA version that introduced it; 0 where nothing says.
    pub since: u32,
    /// Which stream NULL means.
    pub default_stream: DefaultStream,
}

/// A symbol's name in its parts: `cuMemcpyHtoD`, 2, `_ptds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SymbolName<'a> {
    /// Without version and stream suffix.
    pub base: &'a str,
    /// 1 without a version suffix.
    pub abi: u32,
    /// `_ptsz`, `_ptds` or nothing.
    pub stream_suffix: &'a str,
}

impl<'a> SymbolName<'a> {
    /// Takes an exported name apart.
    pub fn parse(symbol: &'a str) -> Self {
        let stream_suffix = ["_ptsz", "_ptds"]
            .into_iter()
            .find(|suffix| symbol.ends_with(suffix))
            .unwrap_or("");
        let rest = &symbol[..symbol.len() - stream_suffix.len()];
        match rest
            .rsplit_once("_v")
            .and_then(|(base, abi)| Some((base, abi.parse().ok()?)))
        {
            Some((base, abi)) => Self {
                base,
                abi,
                stream_suffix,
            },
            None => Self {
                base: rest,
                abi: 1,
                stream_suffix,
            },
        }
    }

    /// Which stream NULL means to this symbol.
    pub fn default_stream(&self) -> DefaultStream {
        if self.stream_suffix.is_empty() {
            DefaultStream::Legacy
        } else {
            DefaultStream::PerThread
        }
    }
}

/// Finds the version of every declared function. Where no function-pointer type speaks of one, `since` is 0.
///
/// # Errors
/// A function-pointer type that fits no declared function.
pub fn symbol_versions(
    declarations: &mut Declarations,
) -> Result<BTreeMap<String, SymbolVersion>, GenError> {
    declare_functions_known_by_pointer_only(declarations);
    let mut versions: BTreeMap<String, SymbolVersion> = declarations
        .functions
        .keys()
        .map(|symbol| {
            let name = SymbolName::parse(symbol);
            // NVML has no cuGetProcAddress: each of its names is asked for as it is.
            let base = if symbol.starts_with("nvml") {
                symbol
            } else {
                name.base
            };
            let version = SymbolVersion {
                base: base.to_owned(),
                since: 0,
                default_stream: name.default_stream(),
            };
            (symbol.clone(), version)
        })
        .collect();
    for ((base, stream_suffix), pointers) in pointers_by_function(declarations) {
        let mut symbols: Vec<(SymbolName<'_>, &str, &Signature)> = declarations
            .functions
            .iter()
            .map(|(symbol, signature)| (SymbolName::parse(symbol), symbol.as_str(), signature))
            .filter(|(name, ..)| name.base == base && name.stream_suffix == stream_suffix)
            .collect();
        symbols.sort_by_key(|(name, ..)| name.abi);
        let mut symbols = symbols.into_iter();
        for (since, pointer, signature) in pointers {
            let symbol = symbols
                .find(|(_, _, candidate)| same_interface(candidate, signature, &declarations.types))
                .map(|(_, symbol, _)| symbol);
            let found = symbol.and_then(|symbol| versions.get_mut(symbol));
            let Some(found) = found else {
                return Err(GenError::UnmatchedPointer {
                    pointer: pointer.to_owned(),
                    found: "none left".to_owned(),
                });
            };
            found.since = since;
        }
    }
    Ok(versions)
}

/// `PFN_cuProfilerStart_v4000` without a header that declares cuProfilerStart: the pointer type is the prototype. Only where the
/// base name has no declaration at all, so that a wrong match elsewhere can't hide here.
fn declare_functions_known_by_pointer_only(declarations: &mut Declarations) {
    let missing: Vec<(String, Signature)> = declarations
        .pointers
        .iter()
        .filter_map(|(pointer, signature)| {
            let name = pointer.strip_prefix("PFN_")?;
            let parts = SymbolName::parse(name);
            let declared = declarations
                .functions
                .keys()
                .any(|symbol| SymbolName::parse(symbol).base == parts.base);
            (!declared).then(|| {
                (
                    format!("{}{}", parts.base, parts.stream_suffix),
                    signature.clone(),
                )
            })
        })
        .collect();
    declarations.functions.extend(missing);
}

type PointersByFunction<'a> = BTreeMap<(&'a str, &'a str), Vec<(u32, &'a str, &'a Signature)>>;

/// Function-pointer types by base name and stream suffix, each list in the order of versions.
fn pointers_by_function(declarations: &Declarations) -> PointersByFunction<'_> {
    let mut groups = PointersByFunction::new();
    for (pointer, signature) in &declarations.pointers {
        if let Some(name) = pointer.strip_prefix("PFN_") {
            let parts = SymbolName::parse(name);
            // The number behind `_v` is a CUDA version here, not an ABI number.
            groups
                .entry((parts.base, parts.stream_suffix))
                .or_default()
                .push((parts.abi, pointer, signature));
        }
    }
    for group in groups.values_mut() {
        group.sort_by_key(|(since, ..)| *since);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart() {
        let parts = |symbol| {
            let SymbolName {
                base,
                abi,
                stream_suffix,
            } = SymbolName::parse(symbol);
            (base, abi, stream_suffix)
        };
        assert_eq!(parts("cuMemcpyHtoD_v2_ptds"), ("cuMemcpyHtoD", 2, "_ptds"));
        assert_eq!(
            parts("cuMemcpyHtoD_v7000_ptds"),
            ("cuMemcpyHtoD", 7000, "_ptds")
        );
        assert_eq!(parts("cuInit"), ("cuInit", 1, ""));
        assert_eq!(parts("cuLaunchKernel_ptsz"), ("cuLaunchKernel", 1, "_ptsz"));
    }
}
