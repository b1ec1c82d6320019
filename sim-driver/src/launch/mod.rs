//! Launches: checked as the real driver checks them, counted, and not executed.

mod kernel_launch;
mod multi_device;
mod occupancy;

use std::ffi::c_void;
use std::sync::atomic::Ordering;

pub use kernel_launch::{KernelLaunch, with_kernel};
pub use multi_device::*;
pub use occupancy::*;

use crate::abi::{CUfunction, CUlaunchConfig, CUstream};
use crate::attribute::number;
use crate::boundary::{In, Out};
use crate::context::Context;
use crate::driver;
use crate::graph::Operation;
use crate::module::{Launchable, Settings, max_threads};
use crate::status::{Answer, CuError};
use crate::stream::resolve;
use crate::surface::DefaultStream;

/// `CU_LAUNCH_ATTRIBUTE_COOPERATIVE`.
const COOPERATIVE: u32 = 2;
/// `CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION`.
const CLUSTER_DIMENSION: u32 = 4;
/// More launch attributes than this are no list but a slip.
const MOST_ATTRIBUTES: u32 = 1024;
/// Blocks of a cluster that every GPU with clusters can run.
const PORTABLE_CLUSTER: u64 = 8;
/// How `extra` ends, and the keys in it.
const PARAM_END: usize = 0;
const PARAM_BUFFER_POINTER: usize = 1;
const PARAM_BUFFER_SIZE: usize = 2;

/// How a kernel is launched.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared_bytes: u32,
    pub is_cooperative: bool,
    pub cluster: [u32; 3],
}

impl Shape {
    /// A plain launch.
    pub fn new(grid: [u32; 3], block: [u32; 3], shared_bytes: u32) -> Self {
        Self {
            grid,
            block,
            shared_bytes,
            is_cooperative: false,
            cluster: [1; 3],
        }
    }

    fn threads(&self) -> u64 {
        self.block
            .iter()
            .map(|&threads| u64::from(threads))
            .product()
    }

    fn check(&self, settings: &Settings, context: &Context) -> Answer {
        let device = context.device;
        let within = |sizes: [u32; 3], first: i32| {
            let most = [first, first + 1, first + 2].map(|attribute| device.limit(attribute));
            sizes
                .iter()
                .zip(most)
                .all(|(&size, most)| size > 0 && u64::from(size) <= most)
        };
        if !within(self.grid, number::MAX_GRID_DIM_X)
            || !within(self.block, number::MAX_BLOCK_DIM_X)
        {
            return Err(CuError::INVALID_VALUE);
        }
        let most_shared = settings.max_dynamic_shared_bytes(device).max(0) as u32;
        if self.threads() > device.limit(number::MAX_THREADS_PER_BLOCK)
            || self.shared_bytes > most_shared
        {
            return Err(CuError::INVALID_VALUE);
        }
        // A bound of the kernel's own is told as a lack of resources.
        if self.threads() > u64::from(max_threads(settings, device)) {
            return Err(CuError::LAUNCH_OUT_OF_RESOURCES);
        }
        self.check_cluster(device.limit(number::CLUSTER_LAUNCH) > 0)?;
        if self.is_cooperative {
            let blocks: u64 = self.grid.iter().map(|&blocks| u64::from(blocks)).product();
            let resident = occupancy::active_blocks(
                settings,
                device,
                self.threads() as u32,
                self.shared_bytes,
            );
            if blocks > u64::from(resident) * u64::from(context.multiprocessors()) {
                return Err(CuError::COOPERATIVE_LAUNCH_TOO_LARGE);
            }
        }
        Ok(())
    }

    fn check_cluster(&self, has_clusters: bool) -> Answer {
        let blocks: u64 = self
            .cluster
            .iter()
            .map(|&blocks| u64::from(blocks))
            .product();
        if blocks == 1 {
            return Ok(());
        }
        let divides = self
            .grid
            .iter()
            .zip(self.cluster)
            .all(|(grid, cluster)| cluster > 0 && grid.is_multiple_of(cluster));
        if has_clusters && divides && blocks <= PORTABLE_CLUSTER {
            Ok(())
        } else {
            Err(CuError::INVALID_CLUSTER_SIZE)
        }
    }
}

/// Where the parameters of a kernel come from.
#[derive(Clone, Copy)]
pub struct Params {
    pub pointers: Out<*mut c_void>,
    pub extra: Out<*mut c_void>,
}

impl Params {
    /// Either form may be used, not both, and a kernel with parameters needs one.
    fn check(&self, settings: &Settings) -> Answer {
        let (has_pointers, has_extra) = (!self.pointers.is_null(), !self.extra.is_null());
        let needs_some = !settings.kernel().params.is_empty();
        if has_pointers && has_extra || needs_some && !has_pointers && !has_extra {
            return Err(CuError::INVALID_VALUE);
        }
        if has_extra {
            self.check_extra(settings)
        } else {
            Ok(())
        }
    }

    /// Pairs of key and value, closed by an end mark: the buffer must be as long as the parameters.
    fn check_extra(&self, settings: &Settings) -> Answer {
        let needed = settings
            .kernel()
            .params
            .last()
            .map_or(0, |(offset, bytes)| offset + bytes) as usize;
        match self.buffer()?.1 {
            Some(bytes) if bytes >= needed => Ok(()),
            _ => Err(CuError::INVALID_VALUE),
        }
    }

    /// The buffer of all parameters that `extra` names, and its bytes.
    fn buffer(&self) -> Result<(*mut c_void, Option<usize>), CuError> {
        const MOST_WORDS: usize = 5;
        let mut buffer = std::ptr::null_mut();
        let mut given = None;
        for pair in (1..MOST_WORDS).step_by(2) {
            let words = self.extra.all(pair);
            match words[pair - 1] as usize {
                PARAM_END => break,
                PARAM_BUFFER_POINTER => buffer = self.extra.all(pair + 1)[pair],
                PARAM_BUFFER_SIZE => {
                    let size = self.extra.all(pair + 1)[pair];
                    given = In::<usize>::at(size).get();
                }
                _ => return Err(CuError::INVALID_VALUE),
            }
        }
        Ok((buffer, given))
    }
}

fn launch(
    queue: (DefaultStream, CUstream),
    function: CUfunction,
    shape: Shape,
    params: Params,
) -> Answer {
    driver::start_was_tried()?;
    // Measured on 535: what is no function is told even where no context is current.
    let driver = driver::machine().ok_or(CuError::NOT_INITIALIZED)?;
    let launchable = Launchable::find(driver, function)?;
    let (context, stream) = resolve(queue.0, queue.1)?;
    if let Launchable::Function(function) = &launchable
        && function.context_id != context.id
    {
        return Err(CuError::INVALID_HANDLE);
    }
    shape.check(launchable.settings(), &context)?;
    params.check(launchable.settings())?;
    let operation = || {
        Operation::Kernel(KernelLaunch::new(
            function,
            shape,
            params,
            launchable.settings(),
        ))
    };
    if stream.is_captured(&context, operation)? {
        return Ok(());
    }
    context.launches.fetch_add(1, Ordering::Relaxed);
    // Nothing is computed, but a launch has its place in the stream's order.
    stream.submit(&context, || ());
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuLaunchKernel(
    default_stream: DefaultStream,
    f: CUfunction,
    gridDimX: u32,
    gridDimY: u32,
    gridDimZ: u32,
    blockDimX: u32,
    blockDimY: u32,
    blockDimZ: u32,
    sharedMemBytes: u32,
    hStream: CUstream,
    kernelParams: Out<*mut c_void>,
    extra: Out<*mut c_void>,
) -> Answer {
    let shape = Shape::new(
        [gridDimX, gridDimY, gridDimZ],
        [blockDimX, blockDimY, blockDimZ],
        sharedMemBytes,
    );
    launch(
        (default_stream, hStream),
        f,
        shape,
        Params {
            pointers: kernelParams,
            extra,
        },
    )
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuLaunchCooperativeKernel(
    default_stream: DefaultStream,
    f: CUfunction,
    gridDimX: u32,
    gridDimY: u32,
    gridDimZ: u32,
    blockDimX: u32,
    blockDimY: u32,
    blockDimZ: u32,
    sharedMemBytes: u32,
    hStream: CUstream,
    kernelParams: Out<*mut c_void>,
) -> Answer {
    let shape = Shape::new(
        [gridDimX, gridDimY, gridDimZ],
        [blockDimX, blockDimY, blockDimZ],
        sharedMemBytes,
    );
    let shape = Shape {
        is_cooperative: true,
        ..shape
    };
    launch(
        (default_stream, hStream),
        f,
        shape,
        Params {
            pointers: kernelParams,
            extra: Out::at(std::ptr::null_mut()),
        },
    )
}

/// What a configuration and its attributes say.
fn shape_of(config: &CUlaunchConfig) -> Result<Shape, CuError> {
    if config.numAttrs > 0 && config.attrs.is_null() || config.numAttrs > MOST_ATTRIBUTES {
        return Err(CuError::INVALID_VALUE);
    }
    let mut shape = Shape::new(
        [config.gridDimX, config.gridDimY, config.gridDimZ],
        [config.blockDimX, config.blockDimY, config.blockDimZ],
        config.sharedMemBytes,
    );
    for attribute in In::at(config.attrs.cast::<c_void>()).all(config.numAttrs as usize) {
        let attribute: crate::abi::CUlaunchAttribute = attribute;
        let value = attribute.value;
        match attribute.id {
            COOPERATIVE => shape.is_cooperative = value[0] as u32 != 0,
            CLUSTER_DIMENSION => {
                shape.cluster = [value[0] as u32, (value[0] >> 32) as u32, value[1] as u32]
            }
            _ => {}
        }
    }
    Ok(shape)
}

pub fn cuLaunchKernelEx(
    default_stream: DefaultStream,
    config: In<CUlaunchConfig>,
    f: CUfunction,
    kernelParams: Out<*mut c_void>,
    extra: Out<*mut c_void>,
) -> Answer {
    let config = config.required()?;
    driver::start_was_tried()?;
    Launchable::find(driver::machine().ok_or(CuError::NOT_INITIALIZED)?, f)?;
    launch(
        (default_stream, config.hStream),
        f,
        shape_of(&config)?,
        Params {
            pointers: kernelParams,
            extra,
        },
    )
}
