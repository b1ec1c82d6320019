//! Kinds of objects: what they are called, which types of the API stand for them, what they live in.

/// What sort of thing an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A context, primary or not.
    Context,
    /// A part of a device.
    GreenContext,
    /// A stream.
    Stream,
    /// An event.
    Event,
    /// A module, loaded into a context.
    Module,
    /// A library, loaded into the process.
    Library,
    /// A function of a module.
    Function,
    /// A kernel of a library.
    Kernel,
    /// A graph.
    Graph,
    /// A graph made executable.
    GraphExec,
    /// A node of a graph.
    GraphNode,
    /// Memory on a device, or managed.
    DeviceMemory,
    /// A variable of a module or library.
    Global,
    /// Host memory, allocated page-locked or registered.
    HostMemory,
    /// A range of addresses to map memory into.
    Reservation,
    /// Physical memory without an address.
    Allocation,
    /// A memory pool.
    Pool,
    /// An array.
    Array,
    /// A mipmapped array.
    MipmappedArray,
    /// A texture object.
    TextureObject,
    /// A surface object.
    SurfaceObject,
    /// A texture reference.
    TextureReference,
    /// A surface reference.
    SurfaceReference,
    /// State of the linker.
    Link,
    /// Memory of another API.
    ExternalMemory,
    /// A semaphore of another API.
    ExternalSemaphore,
    /// An object of the program that graphs keep alive.
    UserObject,
    /// A resource of OpenGL, EGL or VDPAU.
    GraphicsResource,
    /// A connection to an EGL stream.
    EglConnection,
    /// A condition of a graph.
    GraphCondition,
    /// A node that kernels may change.
    GraphDeviceNode,
    /// What a green context is made of.
    ResourceDescription,
    /// A registered callback for log lines.
    LogsCallback,
    /// A registered callback for core dumps.
    CoredumpCallback,
    /// A registered callback for a device's notifications.
    AsyncNotification,
    /// A device as NVML knows it.
    NvmlDevice,
    /// A unit of an S-class system.
    NvmlUnit,
    /// A set of NVML events.
    NvmlEventSet,
    /// A MIG GPU instance.
    NvmlGpuInstance,
    /// A MIG compute instance.
    NvmlComputeInstance,
    /// A sample of performance metrics.
    NvmlGpmSample,
}

/// What is known about a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// The kind.
    pub kind: Kind,
    /// What its objects are called: `ctx` of `ctx#1`.
    pub word: &'static str,
    /// The kind for people, in the singular.
    pub noun: &'static str,
    /// Types of the API whose values are such objects, without those that are other names for them.
    pub types: &'static [&'static str],
    /// Words that are no objects but constants of the API.
    pub constants: &'static [(u64, &'static str)],
    /// Kinds that it can be part of: when one of those goes, it goes with it. The first that a call names counts.
    pub parts_of: &'static [Kind],
    /// Without one of those it lives in the context that is current to the creating thread, and goes with it.
    pub in_context: bool,
    /// It is the driver's: a call that tells of one does not show a foreign object.
    pub of_driver: bool,
    /// Someone has to destroy it: one that is alive at the end was left behind.
    pub to_be_destroyed: bool,
}

const fn info(kind: Kind, word: &'static str, noun: &'static str) -> KindInfo {
    KindInfo {
        kind,
        word,
        noun,
        types: &[],
        constants: &[],
        parts_of: &[],
        in_context: false,
        of_driver: false,
        to_be_destroyed: false,
    }
}

impl KindInfo {
    const fn types(mut self, types: &'static [&'static str]) -> Self {
        self.types = types;
        self
    }

    const fn constants(mut self, constants: &'static [(u64, &'static str)]) -> Self {
        self.constants = constants;
        self
    }

    const fn part_of(mut self, kinds: &'static [Kind]) -> Self {
        self.parts_of = kinds;
        self
    }

    const fn in_context(mut self) -> Self {
        self.in_context = true;
        self
    }

    const fn of_driver(mut self) -> Self {
        self.of_driver = true;
        self
    }

    const fn to_be_destroyed(mut self) -> Self {
        self.to_be_destroyed = true;
        self
    }
}

/// Number of kinds.
pub const KIND_COUNT: usize = 41;

use Kind as K;

/// All kinds, in the order of [`Kind`].
pub const KINDS: [KindInfo; KIND_COUNT] = [
    info(K::Context, "ctx", "context")
        .types(&["CUcontext"])
        .part_of(&[K::GreenContext])
        .to_be_destroyed(),
    info(K::GreenContext, "gctx", "green context")
        .types(&["CUgreenCtx"])
        .to_be_destroyed(),
    info(K::Stream, "stream", "stream")
        .types(&["CUstream"])
        .constants(&[(1, "CU_STREAM_LEGACY"), (2, "CU_STREAM_PER_THREAD")])
        .part_of(&[K::GreenContext])
        .in_context()
        .to_be_destroyed(),
    info(K::Event, "event", "event")
        .types(&["CUevent"])
        .in_context()
        .to_be_destroyed(),
    info(K::Module, "mod", "module")
        .types(&["CUmodule"])
        .part_of(&[K::Library])
        .in_context()
        .to_be_destroyed(),
    info(K::Library, "lib", "library")
        .types(&["CUlibrary"])
        .to_be_destroyed(),
    info(K::Function, "func", "function")
        .types(&["CUfunction"])
        .part_of(&[K::Module, K::Kernel])
        .in_context(),
    info(K::Kernel, "kernel", "kernel")
        .types(&["CUkernel"])
        .part_of(&[K::Library]),
    info(K::Graph, "graph", "graph")
        .types(&["CUgraph"])
        .to_be_destroyed(),
    info(K::GraphExec, "gexec", "executable graph")
        .types(&["CUgraphExec"])
        .to_be_destroyed(),
    info(K::GraphNode, "node", "graph node")
        .types(&["CUgraphNode"])
        .part_of(&[K::Graph]),
    info(K::DeviceMemory, "dptr", "device allocation")
        .types(&["CUdeviceptr_v2", "CUdeviceptr_v1"])
        .part_of(&[K::ExternalMemory])
        .in_context()
        .to_be_destroyed(),
    info(K::Global, "global", "variable of a module")
        .part_of(&[K::Module, K::Library])
        .in_context(),
    info(K::HostMemory, "host", "page-locked host memory")
        .in_context()
        .to_be_destroyed(),
    info(K::Reservation, "va", "address range").to_be_destroyed(),
    info(K::Allocation, "phys", "physical allocation")
        .types(&["CUmemGenericAllocationHandle_v1"])
        .to_be_destroyed(),
    info(K::Pool, "pool", "memory pool")
        .types(&["CUmemoryPool"])
        .to_be_destroyed(),
    info(K::Array, "array", "array")
        .types(&["CUarray"])
        .part_of(&[K::MipmappedArray, K::Array])
        .in_context()
        .to_be_destroyed(),
    info(K::MipmappedArray, "mipmap", "mipmapped array")
        .types(&["CUmipmappedArray"])
        .part_of(&[K::ExternalMemory])
        .in_context()
        .to_be_destroyed(),
    info(K::TextureObject, "tex", "texture object")
        .types(&["CUtexObject_v1"])
        .in_context()
        .to_be_destroyed(),
    info(K::SurfaceObject, "surf", "surface object")
        .types(&["CUsurfObject_v1"])
        .in_context()
        .to_be_destroyed(),
    info(K::TextureReference, "texref", "texture reference")
        .types(&["CUtexref"])
        .part_of(&[K::Module])
        .in_context(),
    info(K::SurfaceReference, "surfref", "surface reference")
        .types(&["CUsurfref"])
        .part_of(&[K::Module])
        .in_context(),
    info(K::Link, "link", "linker state")
        .types(&["CUlinkState"])
        .in_context()
        .to_be_destroyed(),
    info(K::ExternalMemory, "extmem", "external memory")
        .types(&["CUexternalMemory"])
        .in_context()
        .to_be_destroyed(),
    info(K::ExternalSemaphore, "extsem", "external semaphore")
        .types(&["CUexternalSemaphore"])
        .in_context()
        .to_be_destroyed(),
    info(K::UserObject, "userobj", "user object").types(&["CUuserObject"]),
    info(K::GraphicsResource, "gres", "graphics resource")
        .types(&["CUgraphicsResource"])
        .in_context()
        .to_be_destroyed(),
    info(K::EglConnection, "egl", "EGL stream connection")
        .types(&["CUeglStreamConnection"])
        .in_context(),
    info(K::GraphCondition, "cond", "graph condition")
        .types(&["CUgraphConditionalHandle"])
        .part_of(&[K::Graph]),
    info(K::GraphDeviceNode, "devnode", "graph node on the device").types(&["CUgraphDeviceNode"]),
    info(K::ResourceDescription, "resdesc", "resource description").types(&["CUdevResourceDesc"]),
    info(K::LogsCallback, "logcb", "log callback")
        .types(&["CUlogsCallbackHandle"])
        .to_be_destroyed(),
    info(K::CoredumpCallback, "corecb", "core dump callback")
        .types(&["CUcoredumpCallbackHandle"])
        .to_be_destroyed(),
    info(K::AsyncNotification, "asynccb", "asynchronous notification")
        .types(&["CUasyncCallbackHandle"])
        .to_be_destroyed(),
    info(K::NvmlDevice, "nvdev", "NVML device")
        .types(&["nvmlDevice_t"])
        .of_driver(),
    info(K::NvmlUnit, "nvunit", "NVML unit")
        .types(&["nvmlUnit_t"])
        .of_driver(),
    info(K::NvmlEventSet, "nvevents", "NVML event set")
        .types(&["nvmlEventSet_t", "nvmlSystemEventSet_t"])
        .to_be_destroyed(),
    info(K::NvmlGpuInstance, "gi", "GPU instance").types(&["nvmlGpuInstance_t"]),
    info(K::NvmlComputeInstance, "ci", "compute instance")
        .types(&["nvmlComputeInstance_t"])
        .part_of(&[K::NvmlGpuInstance]),
    info(K::NvmlGpmSample, "gpm", "NVML sample")
        .types(&["nvmlGpmSample_t"])
        .to_be_destroyed(),
];

impl Kind {
    /// What is known about it.
    pub fn info(self) -> &'static KindInfo {
        &KINDS[self as usize]
    }

    /// What its objects are called: `ctx` of `ctx#1`.
    pub fn word(self) -> &'static str {
        self.info().word
    }

    /// The kind called by that word.
    pub fn by_word(word: &str) -> Option<Self> {
        KINDS
            .iter()
            .find(|info| info.word == word)
            .map(|info| info.kind)
    }

    /// The kind that values of a type are, by the type's name.
    pub fn of_type(name: &str) -> Option<Self> {
        KINDS
            .iter()
            .find(|info| info.types.contains(&name))
            .map(|info| info.kind)
    }

    /// The name of a word that is no object but a constant of the API: 1 is the legacy stream.
    pub fn constant(self, word: u64) -> Option<&'static str> {
        let mut constants = self.info().constants.iter();
        constants
            .find(|(value, _)| *value == word)
            .map(|(_, name)| *name)
    }

    /// Its objects are ranges of addresses, and a pointer into the middle is of them, too.
    pub fn is_memory(self) -> bool {
        matches!(
            self,
            Self::DeviceMemory | Self::Global | Self::HostMemory | Self::Reservation
        )
    }

    /// Another kind whose objects may be passed in place of this one: since CUDA 12, kernels are launched as functions.
    pub(crate) fn stand_in(self) -> Option<Self> {
        (self == Self::Function).then_some(Self::Kernel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_cuda_api::{Api, TypeKind};

    #[test]
    fn each_kind_is_found_at_its_place_and_by_its_word() {
        for (place, info) in KINDS.iter().enumerate() {
            assert_eq!(info.kind as usize, place, "{}", info.word);
            assert_eq!(Kind::by_word(info.word), Some(info.kind));
        }
    }

    #[test]
    fn every_handle_type_of_the_api_has_a_kind_but_those_of_other_libraries() {
        let missing: Vec<&str> = Api::get()
            .types()
            .iter()
            .filter(|ty| matches!(ty.kind, TypeKind::Handle | TypeKind::DevicePointer))
            .map(|ty| ty.name.as_str())
            .filter(|name| Kind::of_type(name).is_none())
            .collect();
        let others = [
            "CUcheckpointOperationHandle",
            "EGLImageKHR",
            "EGLStreamKHR",
            "EGLSyncKHR",
        ];
        assert_eq!(missing, others);
    }
}
