//! Calls that change what an object, a context or a process is like for all calls after them.

/// What a call shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shapes {
    /// The first object that it takes. A later call with the same arguments but the last one takes its place.
    Object,
    /// The first object that it takes, together with all calls before that do so.
    ObjectWithEarlier,
    /// The context that is current.
    Context,
    /// The whole process.
    Process,
}

/// Beginnings of base names; the first that fits counts.
const BEGINNINGS: [(&str, Shapes); 39] = [
    ("cuInit", Shapes::Process),
    // The runtime gets primary contexts through one of the tables; a replay has to know that it could.
    ("cuGetExportTable", Shapes::Process),
    ("nvmlInit", Shapes::Process),
    ("cuDevicePrimaryCtxSetFlags", Shapes::Process),
    ("cuDeviceSetMemPool", Shapes::Process),
    ("cuDeviceSetGraphMemAttribute", Shapes::Process),
    ("cuMemSetMemPool", Shapes::Process),
    ("cuCtxSetLimit", Shapes::Context),
    ("cuCtxSetFlags", Shapes::Context),
    ("cuCtxSetCacheConfig", Shapes::Context),
    ("cuCtxSetSharedMemConfig", Shapes::Context),
    ("cuCtxEnablePeerAccess", Shapes::Context),
    ("cuGraphAdd", Shapes::ObjectWithEarlier),
    ("cuGraphRemoveDependencies", Shapes::ObjectWithEarlier),
    ("cuGraphRetainUserObject", Shapes::ObjectWithEarlier),
    ("cuLinkAdd", Shapes::ObjectWithEarlier),
    ("cuLinkComplete", Shapes::Object),
    ("cuGraphExec", Shapes::Object),
    ("cuGraphKernelNodeCopyAttributes", Shapes::Object),
    ("cuGraphNodeSet", Shapes::Object),
    ("cuGraphicsMapResources", Shapes::Object),
    ("cuEventRecord", Shapes::Object),
    ("cuFuncSet", Shapes::Object),
    ("cuKernelSet", Shapes::Object),
    ("cuStreamSetAttribute", Shapes::Object),
    ("cuStreamCopyAttributes", Shapes::Object),
    ("cuStreamAttachMemAsync", Shapes::Object),
    ("cuMemMap", Shapes::Object),
    ("cuMemSetAccess", Shapes::Object),
    ("cuMemPoolSetAttribute", Shapes::Object),
    ("cuMemPoolSetAccess", Shapes::Object),
    ("cuMemAdvise", Shapes::Object),
    ("cuMulticastAddDevice", Shapes::Object),
    ("cuMulticastBind", Shapes::Object),
    ("cuParamSet", Shapes::Object),
    ("cuTexRefSet", Shapes::Object),
    ("cuSurfRefSet", Shapes::Object),
    ("cuUserObjectRetain", Shapes::Object),
    ("nvmlDeviceRegisterEvents", Shapes::Object),
];

/// Ends of base names with the same meaning: graph nodes have many functions that set their parameters.
const ENDINGS: [&str; 3] = ["NodeSetParams", "NodeSetEvent", "NodeSetAttribute"];

/// What calls of a function shape, if anything.
pub(super) fn shapes(base: &str) -> Option<Shapes> {
    // What creates an object or destroys it is known as such.
    if base == "cuGraphExecDestroy" || base.starts_with("cuGraphExecGet") {
        return None;
    }
    let beginning = BEGINNINGS
        .iter()
        .find(|(beginning, _)| base.starts_with(beginning))
        .map(|&(_, shapes)| shapes);
    let ending = || ENDINGS.iter().any(|ending| base.ends_with(ending));
    beginning.or_else(|| ending().then_some(Shapes::Object))
}

/// What a call does to the contexts that are current to its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CurrentStep {
    /// Another context takes the place of the current one, or none does.
    Sets,
    /// A context becomes current before the others.
    Pushes,
    /// The one before is current again.
    Pops,
}

/// What calls of a function do to the current contexts.
pub(super) fn current_step(base: &str) -> Option<CurrentStep> {
    match base {
        "cuCtxSetCurrent" => Some(CurrentStep::Sets),
        "cuCtxPushCurrent" | "cuCtxCreate" | "cuGLCtxCreate" | "cuVDPAUCtxCreate" => {
            Some(CurrentStep::Pushes)
        }
        "cuCtxPopCurrent" => Some(CurrentStep::Pops),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_cuda_api::Api;

    #[test]
    fn every_beginning_and_ending_is_of_some_function_of_the_table() {
        let functions = Api::get().functions();
        for (beginning, _) in BEGINNINGS {
            let mut bases = functions.iter().map(|function| &function.base);
            assert!(bases.any(|base| base.starts_with(beginning)), "{beginning}");
        }
        for ending in ENDINGS {
            let mut bases = functions.iter().map(|function| &function.base);
            assert!(bases.any(|base| base.ends_with(ending)), "{ending}");
        }
    }
}
