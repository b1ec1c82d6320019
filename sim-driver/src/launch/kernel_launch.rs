//! A launch that is kept: what a kernel node of a graph holds.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Arc;

use super::{Params, Shape};
use crate::abi::{CUDA_KERNEL_NODE_PARAMS_v1, CUDA_KERNEL_NODE_PARAMS_v2, CUfunction};
use crate::abi::{CUcontext, CUkernel};
use crate::boundary::{In, Out};
use crate::context::current;
use crate::driver;
use crate::module::{Launchable, Settings};
use crate::status::CuError;

/// A kernel, how it is launched, and a copy of its arguments.
#[derive(Clone)]
pub struct KernelLaunch {
    pub function: CUfunction,
    pub shape: Shape,
    arguments: Arc<Arguments>,
    /// Launch attributes that were set on the node, by number.
    pub attributes: BTreeMap<u32, [u64; 8]>,
}

/// Copies of a kernel's arguments, and where each one begins: what a node's `kernelParams` points to.
struct Arguments {
    values: Box<[Box<[u8]>]>,
    pointers: Box<[usize]>,
}

impl Arguments {
    fn new(values: Box<[Box<[u8]>]>) -> Self {
        let pointers = values.iter().map(|value| value.as_ptr() as usize).collect();
        Self { values, pointers }
    }

    /// Copies of the arguments; `settings` says how long each is.
    fn copied(params: Params, settings: &Settings) -> Self {
        let known = settings.kernel().params.iter().enumerate();
        let copy = |(place, &(offset, bytes)): (usize, &(u32, u32))| {
            let from = if params.pointers.is_null() {
                let buffer = params.buffer().map_or(std::ptr::null_mut(), |(at, _)| at);
                buffer.cast::<u8>().wrapping_add(offset as usize).cast()
            } else {
                params.pointers.all(place + 1)[place]
            };
            In::<u8>::at(from.cast_const()).all(bytes as usize).into()
        };
        Self::new(known.map(copy).collect())
    }
}

impl KernelLaunch {
    /// A launch whose shape and parameters were checked.
    pub fn new(function: CUfunction, shape: Shape, params: Params, settings: &Settings) -> Self {
        Self {
            function,
            shape,
            arguments: Arc::new(Arguments::copied(params, settings)),
            attributes: BTreeMap::new(),
        }
    }

    /// What a node's parameters say, checked in the current context.
    pub fn of(params: &CUDA_KERNEL_NODE_PARAMS_v2) -> Result<Self, CuError> {
        let driver = driver::started()?;
        let function = if params.func.is_null() {
            CUfunction(params.kern.0)
        } else {
            params.func
        };
        let launchable = Launchable::find(driver, function).map_err(|_| CuError::INVALID_VALUE)?;
        let context = current()?;
        let shape = Shape::new(
            [params.gridDimX, params.gridDimY, params.gridDimZ],
            [params.blockDimX, params.blockDimY, params.blockDimZ],
            params.sharedMemBytes,
        );
        shape.check(launchable.settings(), &context)?;
        let given = Params {
            pointers: Out::at(params.kernelParams.cast::<c_void>()),
            extra: Out::at(params.extra.cast::<c_void>()),
        };
        given.check(launchable.settings())?;
        Ok(Self::new(function, shape, given, launchable.settings()))
    }

    /// The launch as parameters of a node. The arguments live as long as the node keeps them.
    pub fn params(&self) -> CUDA_KERNEL_NODE_PARAMS_v2 {
        let driver = driver::started().ok();
        let is_kernel = driver.is_some_and(|driver| driver.kernels.get(self.function.0).is_some());
        let (func, kern) = if is_kernel {
            (CUfunction::default(), CUkernel(self.function.0))
        } else {
            (self.function, CUkernel::default())
        };
        let pointers = self.arguments.pointers.as_ptr();
        CUDA_KERNEL_NODE_PARAMS_v2 {
            func,
            gridDimX: self.shape.grid[0],
            gridDimY: self.shape.grid[1],
            gridDimZ: self.shape.grid[2],
            blockDimX: self.shape.block[0],
            blockDimY: self.shape.block[1],
            blockDimZ: self.shape.block[2],
            sharedMemBytes: self.shape.shared_bytes,
            kernelParams: if self.arguments.values.is_empty() {
                std::ptr::null_mut()
            } else {
                pointers.cast_mut().cast()
            },
            extra: std::ptr::null_mut(),
            kern,
            ctx: CUcontext::default(),
        }
    }

    /// The same in the form of CUDA 10 and 11, which knows functions only: a kernel's handle stands in for its function's.
    pub fn params_v1(&self) -> CUDA_KERNEL_NODE_PARAMS_v1 {
        let params = self.params();
        CUDA_KERNEL_NODE_PARAMS_v1 {
            func: self.function,
            gridDimX: params.gridDimX,
            gridDimY: params.gridDimY,
            gridDimZ: params.gridDimZ,
            blockDimX: params.blockDimX,
            blockDimY: params.blockDimY,
            blockDimZ: params.blockDimZ,
            sharedMemBytes: params.sharedMemBytes,
            kernelParams: params.kernelParams,
            extra: params.extra,
        }
    }
}

/// A node's parameters in the form of CUDA 10 and 11, as the newer form.
pub fn with_kernel(params: &CUDA_KERNEL_NODE_PARAMS_v1) -> CUDA_KERNEL_NODE_PARAMS_v2 {
    CUDA_KERNEL_NODE_PARAMS_v2 {
        func: params.func,
        gridDimX: params.gridDimX,
        gridDimY: params.gridDimY,
        gridDimZ: params.gridDimZ,
        blockDimX: params.blockDimX,
        blockDimY: params.blockDimY,
        blockDimZ: params.blockDimZ,
        sharedMemBytes: params.sharedMemBytes,
        kernelParams: params.kernelParams,
        extra: params.extra,
        kern: CUkernel::default(),
        ctx: CUcontext::default(),
    }
}
