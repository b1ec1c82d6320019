//! Which symbol `cuGetProcAddress` stands for.

use crate::api::{Api, FunctionId};
use cutape_api_model::{DefaultStream, Function};

/// CUDA functions by base name, default stream and version, for binary search.
#[derive(Debug)]
pub(crate) struct ByBase {
    /// Places in the list of functions, sorted by base, then stream, then version. Only functions whose version is known.
    places: Vec<u32>,
}

impl ByBase {
    pub(crate) fn new(functions: &[Function]) -> Self {
        let mut places: Vec<u32> = (0u32..)
            .zip(functions)
            .filter(|(_, function)| function.since != 0)
            .map(|(place, _)| place)
            .collect();
        places.sort_by(|left, right| {
            let key = |place: &u32| {
                let function = &functions[*place as usize];
                (
                    function.base.as_str(),
                    is_per_thread(function.default_stream),
                    function.since,
                )
            };
            key(left).cmp(&key(right))
        });
        Self { places }
    }
}

fn is_per_thread(stream: DefaultStream) -> bool {
    stream == DefaultStream::PerThread
}

impl Api {
    /// The versions and stream variants of a base name that `cuGetProcAddress` knows, legacy before per-thread, oldest first.
    pub fn variants(&self, base: &str) -> impl Iterator<Item = FunctionId> {
        let base_of = |place: &u32| self.functions()[*place as usize].base.as_str();
        let places = &self.by_base().places;
        let first = places.partition_point(|place| base_of(place) < base);
        let last = first + places[first..].partition_point(|place| base_of(place) == base);
        places[first..last].iter().copied().map(FunctionId)
    }

    /// What `cuGetProcAddress(base, cuda_version, flags)` chooses: of the variants for that default stream the newest that is no newer
    /// than the version; where a function has no per-thread variant at all, its only one. As measured on driver 535, a per-thread
    /// request for a version older than the per-thread variant finds nothing: it does not fall back to the legacy symbol.
    pub fn resolve(
        &self,
        base: &str,
        cuda_version: u32,
        stream: DefaultStream,
    ) -> Option<FunctionId> {
        let has_per_thread = self
            .variants(base)
            .any(|id| is_per_thread(self.at(id).default_stream));
        let wanted = if has_per_thread {
            stream
        } else {
            DefaultStream::Legacy
        };
        self.variants(base)
            .filter(|&id| self.at(id).default_stream == wanted && self.at(id).since <= cuda_version)
            .last()
    }
}
