//! What a call answers: success, or one of the codes of `CUresult` and `nvmlReturn_t`.

/// A `CUresult` other than success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CuError(pub u32);

/// What an implemented driver call answers.
pub type Answer = Result<(), CuError>;

impl CuError {
    pub const INVALID_VALUE: Self = Self(1);
    pub const OUT_OF_MEMORY: Self = Self(2);
    pub const NOT_INITIALIZED: Self = Self(3);
    pub const NO_DEVICE: Self = Self(100);
    pub const INVALID_DEVICE: Self = Self(101);
    pub const INVALID_IMAGE: Self = Self(200);
    pub const INVALID_CONTEXT: Self = Self(201);
    pub const NO_BINARY_FOR_GPU: Self = Self(209);
    pub const INVALID_PTX: Self = Self(218);
    pub const UNSUPPORTED_PTX_VERSION: Self = Self(222);
    pub const FILE_NOT_FOUND: Self = Self(301);
    pub const INVALID_HANDLE: Self = Self(400);
    pub const OPERATING_SYSTEM: Self = Self(304);
    pub const ILLEGAL_STATE: Self = Self(401);
    pub const LOSSY_QUERY: Self = Self(402);
    pub const NOT_FOUND: Self = Self(500);
    pub const NOT_READY: Self = Self(600);
    pub const CONTEXT_IS_DESTROYED: Self = Self(709);
    pub const HOST_MEMORY_ALREADY_REGISTERED: Self = Self(712);
    pub const HOST_MEMORY_NOT_REGISTERED: Self = Self(713);
    pub const NOT_PERMITTED: Self = Self(800);
    pub const NOT_SUPPORTED: Self = Self(801);
    pub const COOPERATIVE_LAUNCH_TOO_LARGE: Self = Self(720);
    pub const LAUNCH_OUT_OF_RESOURCES: Self = Self(701);
    pub const STREAM_CAPTURE_UNSUPPORTED: Self = Self(900);
    pub const STREAM_CAPTURE_INVALIDATED: Self = Self(901);
    pub const STREAM_CAPTURE_MERGE: Self = Self(902);
    pub const STREAM_CAPTURE_UNMATCHED: Self = Self(903);
    pub const STREAM_CAPTURE_UNJOINED: Self = Self(904);
    pub const STREAM_CAPTURE_ISOLATION: Self = Self(905);
    pub const STREAM_CAPTURE_IMPLICIT: Self = Self(906);
    pub const CAPTURED_EVENT: Self = Self(907);
    pub const STREAM_CAPTURE_WRONG_THREAD: Self = Self(908);
    pub const GRAPH_EXEC_UPDATE_FAILURE: Self = Self(910);
    pub const INVALID_CLUSTER_SIZE: Self = Self(912);
    pub const INVALID_RESOURCE_TYPE: Self = Self(914);
    pub const INVALID_RESOURCE_CONFIGURATION: Self = Self(915);
    pub const STREAM_DETACHED: Self = Self(917);
    pub const PEER_ACCESS_ALREADY_ENABLED: Self = Self(704);
    pub const PEER_ACCESS_NOT_ENABLED: Self = Self(705);
    pub const UNSUPPORTED_LIMIT: Self = Self(215);
    pub const UNSUPPORTED_EXEC_AFFINITY: Self = Self(224);
}

/// An `nvmlReturn_t` other than success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NvmlError(pub u32);

/// What an implemented NVML call answers.
pub type NvmlAnswer = Result<(), NvmlError>;

impl NvmlError {
    pub const UNINITIALIZED: Self = Self(1);
    pub const INVALID_ARGUMENT: Self = Self(2);
    pub const NOT_SUPPORTED: Self = Self(3);
    pub const NOT_FOUND: Self = Self(6);
    pub const INSUFFICIENT_SIZE: Self = Self(7);
    pub const ARGUMENT_VERSION_MISMATCH: Self = Self(25);
}

/// The number that an answer crosses the boundary as.
pub trait Code {
    /// 0 for success.
    fn code(self) -> u32;
}

impl Code for Answer {
    fn code(self) -> u32 {
        self.map_or_else(|error| error.0, |()| 0)
    }
}

impl Code for NvmlAnswer {
    fn code(self) -> u32 {
        self.map_or_else(|error| error.0, |()| 0)
    }
}
