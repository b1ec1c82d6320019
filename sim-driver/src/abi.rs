//! The C types of the CUDA driver API that the simulated driver looks into, under their names in `cuda.h`. The build script compares
//! every layout here with the API table, so a slip is a build error.
#![allow(non_camel_case_types, non_snake_case)]

mod array;
mod graph;

use std::ffi::c_void;

pub use array::*;
pub use graph::*;

/// `CUresult` as it crosses the boundary: a number, because callers may pass and expect codes that no header names.
pub type CUresult = u32;
/// A device's place in the list of visible devices.
pub type CUdevice = i32;

/// Defines handles: numbers that this driver made up and looks up, never pointers that it follows.
macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub u64);

        #[allow(dead_code, reason = "some handles are only ever looked up")]
        impl $name {
            /// Whether the caller gave NULL.
            pub fn is_null(self) -> bool {
                self.0 == 0
            }
        }
    )+};
}

handles! {
    /// An address on the device.
    CUdeviceptr,
    /// A context.
    CUcontext,
    /// A stream; 0, 1 and 2 are the default streams.
    CUstream,
    /// An event.
    CUevent,
    /// A module.
    CUmodule,
    /// A library: code that is not tied to a context.
    CUlibrary,
    /// A kernel of a library.
    CUkernel,
    /// A function of a module; a kernel may stand in its place.
    CUfunction,
    /// An array (texture memory).
    CUarray,
    /// Arrays of one picture, each half as large as the one before.
    CUmipmappedArray,
    /// A way to read memory or an array in a kernel.
    CUtexObject,
    /// A way to read and write an array in a kernel.
    CUsurfObject,
    /// Code that is being linked.
    CUlinkState,
    /// A graph.
    CUgraph,
    /// A node of a graph.
    CUgraphNode,
    /// What decides in a conditional node.
    CUgraphConditionalHandle,
    /// A graph made ready to launch.
    CUgraphExec,
    /// Something of the program's that graphs keep alive.
    CUuserObject,
    /// A context confined to a part of the device.
    CUgreenCtx,
    /// What a green context is to be given.
    CUdevResourceDesc,
    /// A memory pool.
    CUmemoryPool,
    /// A registration for the driver's messages.
    CUlogsCallbackHandle,
    /// Physical memory made by `cuMemCreate`.
    CUmemGenericAllocationHandle,
}

/// A 16-byte identifier.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CUuuid {
    /// The bytes, most significant first.
    pub bytes: [u8; 16],
}

/// What `cuDeviceGetProperties` fills.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUdevprop {
    pub maxThreadsPerBlock: i32,
    pub maxThreadsDim: [i32; 3],
    pub maxGridSize: [i32; 3],
    pub sharedMemPerBlock: i32,
    pub totalConstantMemory: i32,
    pub SIMDWidth: i32,
    pub memPitch: i32,
    pub regsPerBlock: i32,
    pub clockRate: i32,
    pub textureAlign: i32,
}

/// A copy of a rectangle.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUDA_MEMCPY2D {
    pub srcXInBytes: usize,
    pub srcY: usize,
    pub srcMemoryType: u32,
    pub srcHost: *const c_void,
    pub srcDevice: CUdeviceptr,
    pub srcArray: CUarray,
    pub srcPitch: usize,
    pub dstXInBytes: usize,
    pub dstY: usize,
    pub dstMemoryType: u32,
    pub dstHost: *mut c_void,
    pub dstDevice: CUdeviceptr,
    pub dstArray: CUarray,
    pub dstPitch: usize,
    pub WidthInBytes: usize,
    pub Height: usize,
}

/// A copy of a box.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUDA_MEMCPY3D {
    pub srcXInBytes: usize,
    pub srcY: usize,
    pub srcZ: usize,
    pub srcLOD: usize,
    pub srcMemoryType: u32,
    pub srcHost: *const c_void,
    pub srcDevice: CUdeviceptr,
    pub srcArray: CUarray,
    pub reserved0: *mut c_void,
    pub srcPitch: usize,
    pub srcHeight: usize,
    pub dstXInBytes: usize,
    pub dstY: usize,
    pub dstZ: usize,
    pub dstLOD: usize,
    pub dstMemoryType: u32,
    pub dstHost: *mut c_void,
    pub dstDevice: CUdeviceptr,
    pub dstArray: CUarray,
    pub reserved1: *mut c_void,
    pub dstPitch: usize,
    pub dstHeight: usize,
    pub WidthInBytes: usize,
    pub Height: usize,
    pub Depth: usize,
}

/// A copy of a box between contexts. Laid out like [`CUDA_MEMCPY3D`], with contexts in the reserved places.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUDA_MEMCPY3D_PEER {
    pub srcXInBytes: usize,
    pub srcY: usize,
    pub srcZ: usize,
    pub srcLOD: usize,
    pub srcMemoryType: u32,
    pub srcHost: *const c_void,
    pub srcDevice: CUdeviceptr,
    pub srcArray: CUarray,
    pub srcContext: CUcontext,
    pub srcPitch: usize,
    pub srcHeight: usize,
    pub dstXInBytes: usize,
    pub dstY: usize,
    pub dstZ: usize,
    pub dstLOD: usize,
    pub dstMemoryType: u32,
    pub dstHost: *mut c_void,
    pub dstDevice: CUdeviceptr,
    pub dstArray: CUarray,
    pub dstContext: CUcontext,
    pub dstPitch: usize,
    pub dstHeight: usize,
    pub WidthInBytes: usize,
    pub Height: usize,
    pub Depth: usize,
}

/// What one process gives another to open its memory with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUipcMemHandle_v1 {
    pub reserved: [u8; 64],
}

/// What one process gives another to open its event with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUipcEventHandle_v1 {
    pub reserved: [u8; 64],
}

/// Where memory lies: a kind of place and which one of them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CUmemLocation {
    /// `CUmemLocationType`: 1 device, 2 host, 3 a NUMA node of the host.
    pub r#type: u32,
    pub id: i32,
}

/// What `cuMemCreate` is asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUmemAllocationProp {
    /// `CUmemAllocationType`: 1 pinned.
    pub r#type: u32,
    pub requestedHandleTypes: u32,
    pub location: CUmemLocation,
    pub win32HandleMetaData: *mut c_void,
    pub allocFlags: CUmemAllocationFlags,
}

/// The unnamed structure at the end of [`CUmemAllocationProp`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUmemAllocationFlags {
    pub compressionType: u8,
    pub gpuDirectRDMACapable: u8,
    pub usage: u16,
    pub reserved: [u8; 4],
}

/// Who may do what with mapped memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUmemAccessDesc {
    pub location: CUmemLocation,
    /// `CUmemAccess_flags`: 0 none, 1 read, 3 read and write.
    pub flags: u32,
}

/// What `cuMemPoolCreate` is asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUmemPoolProps {
    pub allocType: u32,
    pub handleTypes: u32,
    pub location: CUmemLocation,
    pub win32SecurityAttributes: *mut c_void,
    pub maxSize: usize,
    pub usage: u16,
    /// From CUDA 13 on; reserved before.
    pub gpuDirectRDMACapable: u8,
    pub reserved: [u8; 53],
}

/// What `cuCtxCreate_v4` is asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUctxCreateParams {
    pub execAffinityParams: *mut c_void,
    pub numExecAffinityParams: i32,
    pub cigParams: *mut c_void,
}

/// A share of the device that a context is confined to. Only the number of multiprocessors exists.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUexecAffinityParam {
    pub r#type: u32,
    pub param: u32,
}

/// What `cuLaunchKernelEx` launches with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUlaunchConfig {
    pub gridDimX: u32,
    pub gridDimY: u32,
    pub gridDimZ: u32,
    pub blockDimX: u32,
    pub blockDimY: u32,
    pub blockDimZ: u32,
    pub sharedMemBytes: u32,
    pub hStream: CUstream,
    pub attrs: *mut CUlaunchAttribute,
    pub numAttrs: u32,
}

/// One attribute of a launch: a number that says which, and 64 bytes of value.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUlaunchAttribute {
    pub id: u32,
    pub pad: [u8; 4],
    pub value: [u64; 8],
}

/// One launch of a kernel on several devices.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUDA_LAUNCH_PARAMS_v1 {
    pub function: CUfunction,
    pub gridDimX: u32,
    pub gridDimY: u32,
    pub gridDimZ: u32,
    pub blockDimX: u32,
    pub blockDimY: u32,
    pub blockDimZ: u32,
    pub sharedMemBytes: u32,
    pub hStream: CUstream,
    pub kernelParams: *mut *mut c_void,
}

/// Multiprocessors of a device.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct CUdevSmResource {
    pub smCount: u32,
    pub minSmPartitionSize: u32,
    pub smCoscheduledAlignment: u32,
    pub flags: u32,
    pub localityDomainId: u32,
}

/// Something of a device that can be given to green contexts; here its multiprocessors.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CUdevResource_v1 {
    pub r#type: u32,
    pub _internal_padding: [u8; 92],
    pub sm: CUdevSmResource,
    rest: [u32; 5],
    pub nextResource: *mut CUdevResource_v1,
}

impl CUdevResource_v1 {
    /// One of that type, otherwise zeros.
    pub fn of_type(r#type: u32) -> Self {
        Self {
            r#type,
            _internal_padding: [0; 92],
            sm: CUdevSmResource::default(),
            rest: [0; 5],
            nextResource: std::ptr::null_mut(),
        }
    }
}

/// One operation of a batch, a union: the type in the first word, then address, value, flags.
pub type CUstreamBatchMemOpParams_v1 = [u64; 6];

/// A function that the driver calls on the host, from a thread of its own.
pub type CUhostFn = Option<unsafe extern "C" fn(*mut c_void)>;
/// A function that the driver calls when a stream gets there, with the stream and the state of the work before it.
pub type CUstreamCallback = Option<unsafe extern "C" fn(CUstream, CUresult, *mut c_void)>;
/// A function that is told the driver's messages: what for, how grave, the text and its bytes.
pub type CUlogsCallback = Option<unsafe extern "C" fn(*mut c_void, u32, *mut u8, usize)>;
/// Tells how much dynamic shared memory a block of that many threads needs.
pub type CUoccupancyB2DSize = Option<unsafe extern "C" fn(i32) -> usize>;
