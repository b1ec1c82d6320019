//! What the API table can't say about objects. Names are base names: all versions of a function are meant.

/// How a function that creates an object does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// What it answers is new, whatever stood for the same word before.
    New,
    /// Asked again, it answers the same object.
    Once,
    /// Asked again, it answers the same object and holds it once more.
    Held,
    /// It answers an object that the driver owns.
    Given,
    /// It answers another address of the host memory that it is asked about.
    Alias,
}

/// Functions that create in another manner than [`Manner::New`].
pub(super) const MANNERS: [(&str, Manner); 26] = [
    ("cuDevicePrimaryCtxRetain", Manner::Held),
    ("cuCtxAttach", Manner::Held),
    ("cuCtxFromGreenCtx", Manner::Once),
    ("cuModuleGetFunction", Manner::Once),
    ("cuModuleGetGlobal", Manner::Once),
    ("cuModuleGetTexRef", Manner::Once),
    ("cuModuleGetSurfRef", Manner::Once),
    ("cuLibraryGetKernel", Manner::Once),
    ("cuLibraryGetModule", Manner::Once),
    ("cuLibraryGetGlobal", Manner::Once),
    ("cuLibraryGetManaged", Manner::Once),
    ("cuKernelGetFunction", Manner::Once),
    ("cuArrayGetPlane", Manner::Once),
    ("cuMipmappedArrayGetLevel", Manner::Once),
    ("cuMemRetainAllocationHandle", Manner::Held),
    // It ends a capture into a graph that was there before, too.
    ("cuStreamEndCapture", Manner::Once),
    ("cuIpcOpenMemHandle", Manner::Held),
    ("cuMemPoolImportPointer", Manner::Held),
    ("cuGraphicsResourceGetMappedPointer", Manner::Once),
    ("cuGraphicsSubResourceGetMappedArray", Manner::Once),
    ("cuGraphicsResourceGetMappedMipmappedArray", Manner::Once),
    ("cuMemHostGetDevicePointer", Manner::Alias),
    ("cuDeviceGetDefaultMemPool", Manner::Given),
    ("cuDeviceGetMemPool", Manner::Given),
    ("cuMemGetDefaultMemPool", Manner::Given),
    ("cuMemGetMemPool", Manner::Given),
];

/// Whether calls of a function, by its name for `cuGetProcAddress`, hold an object that they answer once more.
pub(crate) fn holds_once_more(base: &str) -> bool {
    of(&MANNERS, base) == Some(Manner::Held)
}

/// Functions whose new memory is a variable of a module, not an allocation.
pub(super) const GLOBALS: [&str; 3] = [
    "cuModuleGetGlobal",
    "cuLibraryGetGlobal",
    "cuLibraryGetManaged",
];

/// Functions whose new range of device addresses holds no memory yet.
pub(super) const RESERVATIONS: [&str; 2] = ["cuMemAddressReserve", "cuMemAddressFree"];

/// Functions whose first parameter is host memory that becomes page-locked.
pub(super) const REGISTERS_HOST: [&str; 1] = ["cuMemHostRegister"];

/// Functions whose first parameter is host memory that no longer is.
pub(super) const UNREGISTERS_HOST: [&str; 1] = ["cuMemHostUnregister"];

/// How many bytes a new object has: the product of these parameters, or of what they point to. `a.b` is a field of a structure.
pub(super) const SIZES: [(&str, &[&str]); 17] = [
    ("cuMemAlloc", &["bytesize"]),
    ("cuMemAllocPitch", &["pPitch", "Height"]),
    ("cuMemAllocManaged", &["bytesize"]),
    ("cuMemAllocAsync", &["bytesize"]),
    ("cuMemAllocFromPoolAsync", &["bytesize"]),
    ("cuMemAllocHost", &["bytesize"]),
    ("cuMemHostAlloc", &["bytesize"]),
    ("cuMemHostRegister", &["bytesize"]),
    ("cuMemAddressReserve", &["size"]),
    ("cuMemCreate", &["size"]),
    ("cuModuleGetGlobal", &["bytes"]),
    ("cuLibraryGetGlobal", &["bytes"]),
    ("cuLibraryGetManaged", &["bytes"]),
    ("cuExternalMemoryGetMappedBuffer", &["bufferDesc.size"]),
    ("cuGraphicsResourceGetMappedPointer", &["pSize"]),
    ("cuMulticastCreate", &["prop.size"]),
    ("cuGraphAddMemAllocNode", &["nodeParams.bytesize"]),
];

/// What a function does to the current context, to the primary one, or to what is known of an object, beyond creating and destroying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The given context takes the place of the thread's current one; NULL takes the current one away.
    SetCurrent,
    /// The given context, or the one just created, becomes current before the others.
    PushCurrent,
    /// The current context goes; the one before it is current again.
    PopCurrent,
    /// The answer says which context is current.
    TellCurrent,
    /// What it answers is the device's primary context.
    RetainPrimary,
    /// One holder less of the device's primary context.
    ReleasePrimary,
    /// All that lives in the device's primary context goes.
    ResetPrimary,
    /// The answer is the name of the given function.
    TellName,
}

/// Functions with a rule.
pub(super) const RULES: [(&str, Rule); 13] = [
    ("cuCtxSetCurrent", Rule::SetCurrent),
    ("cuCtxPushCurrent", Rule::PushCurrent),
    ("cuCtxCreate", Rule::PushCurrent),
    ("cuGLCtxCreate", Rule::PushCurrent),
    ("cuVDPAUCtxCreate", Rule::PushCurrent),
    ("cuCtxPopCurrent", Rule::PopCurrent),
    ("cuCtxGetCurrent", Rule::TellCurrent),
    ("cuDevicePrimaryCtxRetain", Rule::RetainPrimary),
    ("cuDevicePrimaryCtxRelease", Rule::ReleasePrimary),
    ("cuDevicePrimaryCtxReset", Rule::ResetPrimary),
    ("cuFuncGetName", Rule::TellName),
    ("cuKernelGetName", Rule::TellName),
    ("cuCtxAttach", Rule::TellCurrent),
];

/// The value of a base name in one of the tables.
pub(super) fn of<T: Copy>(table: &[(&str, T)], base: &str) -> Option<T> {
    table
        .iter()
        .find(|(name, _)| *name == base)
        .map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_cuda_api::{Api, Function};

    fn functions(base: &str) -> Vec<&'static Function> {
        let all = Api::get().functions().iter();
        all.filter(|function| function.base == base && function.signature.is_some())
            .collect()
    }

    #[test]
    fn every_function_with_a_rule_is_in_the_table() {
        let manners = MANNERS.iter().map(|(base, _)| *base);
        let rules = RULES.iter().map(|(base, _)| *base);
        let others = GLOBALS
            .iter()
            .chain(&RESERVATIONS)
            .chain(&REGISTERS_HOST)
            .chain(&UNREGISTERS_HOST)
            .copied();
        for base in manners.chain(rules).chain(others) {
            assert!(!functions(base).is_empty(), "{base}");
        }
    }

    #[test]
    fn every_size_names_parameters_of_all_versions() {
        for (base, factors) in SIZES {
            let versions = functions(base);
            assert!(!versions.is_empty(), "{base}");
            for function in versions {
                let params = &function.signature.as_ref().unwrap().params;
                for factor in factors {
                    let name = factor.split('.').next().unwrap();
                    assert!(
                        params.iter().any(|param| param.name == name),
                        "{} {factor}",
                        function.name
                    );
                }
            }
        }
    }
}
