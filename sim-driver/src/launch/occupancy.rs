//! How many blocks of a kernel fit a multiprocessor: threads, registers, shared memory and the number of blocks are each counted, and
//! the least decides, as NVIDIA's occupancy calculator describes.

use super::{Shape, shape_of};
use crate::abi::{CUfunction, CUlaunchConfig, CUoccupancyB2DSize};
use crate::attribute::number;
use crate::boundary::{In, Out};
use crate::context::current;
use crate::device::Device;
use crate::driver;
use crate::module::{Launchable, Settings, max_threads};
use crate::status::{Answer, CuError};

const WARP: u32 = 32;
/// Registers are given out per warp in units of this many.
const REGISTER_UNIT: u32 = 256;
/// Shared memory is given out in units of this many bytes.
const SHARED_UNIT: u64 = 128;

/// Blocks of that many threads that are on a multiprocessor at once.
pub fn active_blocks(
    settings: &Settings,
    device: &Device,
    threads: u32,
    dynamic_bytes: u32,
) -> u32 {
    if threads == 0 || threads > max_threads(settings, device) {
        return 0;
    }
    let needs = BlockNeeds {
        threads,
        registers: settings.kernel().registers,
        shared_bytes: u64::from(settings.kernel().shared_bytes) + u64::from(dynamic_bytes),
    };
    needs.active_blocks(device)
}

/// What a block takes of a multiprocessor: threads, registers of each thread, shared memory.
struct BlockNeeds {
    threads: u32,
    registers: u32,
    shared_bytes: u64,
}

impl BlockNeeds {
    fn active_blocks(&self, device: &Device) -> u32 {
        let limit = |attribute| device.limit(attribute) as u32;
        let warps = self.threads.div_ceil(WARP);
        let by_threads = limit(number::MAX_THREADS_PER_MULTIPROCESSOR) / WARP / warps;
        let registers = (self.registers * WARP).next_multiple_of(REGISTER_UNIT) * warps;
        let by_registers = limit(number::MAX_REGISTERS_PER_MULTIPROCESSOR)
            .checked_div(registers)
            .unwrap_or(u32::MAX);
        let shared = (self.shared_bytes + device.limit(number::RESERVED_SHARED_MEMORY_PER_BLOCK))
            .next_multiple_of(SHARED_UNIT);
        let by_shared = device
            .limit(number::MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)
            .checked_div(shared);
        let by_shared = by_shared.map_or(u32::MAX, |blocks| blocks.min(u64::from(u32::MAX)) as u32);
        by_threads
            .min(by_registers)
            .min(by_shared)
            .min(limit(number::MAX_BLOCKS_PER_MULTIPROCESSOR))
    }
}

fn blocks_per_multiprocessor(
    numBlocks: Out<i32>,
    func: CUfunction,
    blockSize: i32,
    dynamicSMemSize: usize,
) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = numBlocks.required()?;
    let function = Launchable::find(driver, func)?;
    let threads = u32::try_from(blockSize)
        .ok()
        .filter(|&threads| threads > 0)
        .ok_or(CuError::INVALID_VALUE)?;
    let dynamic_bytes = u32::try_from(dynamicSMemSize).unwrap_or(u32::MAX);
    place.set(active_blocks(function.settings(), context.device, threads, dynamic_bytes) as i32);
    Ok(())
}

pub fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    numBlocks: Out<i32>,
    func: CUfunction,
    blockSize: i32,
    dynamicSMemSize: usize,
) -> Answer {
    blocks_per_multiprocessor(numBlocks, func, blockSize, dynamicSMemSize)
}

pub fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    numBlocks: Out<i32>,
    func: CUfunction,
    blockSize: i32,
    dynamicSMemSize: usize,
    flags: u32,
) -> Answer {
    driver::started()?;
    if flags > 1 {
        return Err(CuError::INVALID_VALUE);
    }
    blocks_per_multiprocessor(numBlocks, func, blockSize, dynamicSMemSize)
}

/// How much dynamic shared memory a block size needs: a fixed amount, or what the program's function says.
struct DynamicShared {
    function: CUoccupancyB2DSize,
    bytes: usize,
}

impl DynamicShared {
    fn of(&self, threads: u32) -> u32 {
        let bytes = match self.function {
            // SAFETY: the program gave the function to be asked for block sizes (cuOccupancyMaxPotentialBlockSize's contract).
            Some(function) => unsafe { function(threads as i32) },
            None => self.bytes,
        };
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// The block size that keeps most threads on a multiprocessor, and as many blocks as fill the device.
fn best_block(
    places: [Out<i32>; 2],
    func: CUfunction,
    shared: &DynamicShared,
    blockSizeLimit: i32,
) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let (grid_place, block_place) = (places[0].required()?, places[1].required()?);
    let function = Launchable::find(driver, func)?;
    let most = max_threads(function.settings(), context.device);
    let most = u32::try_from(blockSizeLimit)
        .ok()
        .filter(|&limit| limit > 0)
        .map_or(most, |limit| limit.min(most));
    let mut best = (0, 0, 0);
    for warps in (1..=most.div_ceil(WARP)).rev() {
        let threads = (warps * WARP).min(most);
        let blocks = active_blocks(
            function.settings(),
            context.device,
            threads,
            shared.of(threads),
        );
        if blocks * threads > best.0 {
            best = (blocks * threads, threads, blocks);
        }
    }
    block_place.set(best.1 as i32);
    grid_place.set(best.2 as i32 * context.device.attribute(number::MULTIPROCESSOR_COUNT));
    Ok(())
}

pub fn cuOccupancyMaxPotentialBlockSize(
    minGridSize: Out<i32>,
    blockSize: Out<i32>,
    func: CUfunction,
    blockSizeToDynamicSMemSize: CUoccupancyB2DSize,
    dynamicSMemSize: usize,
    blockSizeLimit: i32,
) -> Answer {
    let shared = DynamicShared {
        function: blockSizeToDynamicSMemSize,
        bytes: dynamicSMemSize,
    };
    best_block([minGridSize, blockSize], func, &shared, blockSizeLimit)
}

#[allow(clippy::too_many_arguments, reason = "the C function has as many")]
pub fn cuOccupancyMaxPotentialBlockSizeWithFlags(
    minGridSize: Out<i32>,
    blockSize: Out<i32>,
    func: CUfunction,
    blockSizeToDynamicSMemSize: CUoccupancyB2DSize,
    dynamicSMemSize: usize,
    blockSizeLimit: i32,
    flags: u32,
) -> Answer {
    driver::started()?;
    if flags > 1 {
        return Err(CuError::INVALID_VALUE);
    }
    let shared = DynamicShared {
        function: blockSizeToDynamicSMemSize,
        bytes: dynamicSMemSize,
    };
    best_block([minGridSize, blockSize], func, &shared, blockSizeLimit)
}

pub fn cuOccupancyAvailableDynamicSMemPerBlock(
    dynamicSmemSize: Out<usize>,
    func: CUfunction,
    numBlocks: i32,
    blockSize: i32,
) -> Answer {
    let driver = driver::started()?;
    let context = current()?;
    let place = dynamicSmemSize.required()?;
    let function = Launchable::find(driver, func)?;
    let blocks = u64::try_from(numBlocks)
        .ok()
        .filter(|&blocks| blocks > 0)
        .ok_or(CuError::INVALID_VALUE)?;
    let threads = u32::try_from(blockSize)
        .ok()
        .filter(|&threads| threads > 0)
        .ok_or(CuError::INVALID_VALUE)?;
    if u64::from(active_blocks(
        function.settings(),
        context.device,
        threads,
        0,
    )) < blocks
    {
        return Err(CuError::INVALID_VALUE);
    }
    let device = context.device;
    let share = device.limit(number::MAX_SHARED_MEMORY_PER_MULTIPROCESSOR) / blocks / SHARED_UNIT
        * SHARED_UNIT;
    let own = device.limit(number::RESERVED_SHARED_MEMORY_PER_BLOCK)
        + u64::from(function.settings().kernel().shared_bytes);
    let most = device.limit(number::MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    place.set(share.saturating_sub(own).min(most) as usize);
    Ok(())
}

/// The kernel that is asked about, its launch, and the GPU. No kernel is allowed, too: cuBLASLt 13 asks so when a handle is made,
/// and takes an error for a broken GPU.
fn cluster_question(
    place: Out<i32>,
    func: CUfunction,
    config: In<CUlaunchConfig>,
) -> Result<(Option<Launchable>, Shape, &'static Device), CuError> {
    place.required()?;
    let config = config.required()?;
    let driver = driver::started()?;
    let device = current()?.device;
    if device.limit(number::CLUSTER_LAUNCH) == 0 {
        return Err(CuError::NOT_SUPPORTED);
    }
    let function = if func.is_null() {
        None
    } else {
        Some(Launchable::find(driver, func)?)
    };
    Ok((function, shape_of(&config)?, device))
}

pub fn cuOccupancyMaxPotentialClusterSize(
    clusterSize: Out<i32>,
    func: CUfunction,
    config: In<CUlaunchConfig>,
) -> Answer {
    cluster_question(clusterSize, func, config)?;
    clusterSize.set(super::PORTABLE_CLUSTER as i32);
    Ok(())
}

pub fn cuOccupancyMaxActiveClusters(
    numClusters: Out<i32>,
    func: CUfunction,
    config: In<CUlaunchConfig>,
) -> Answer {
    let (function, shape, device) = cluster_question(numClusters, func, config)?;
    let threads = u32::try_from(shape.threads()).map_err(|_| CuError::INVALID_VALUE)?;
    let blocks = match &function {
        Some(function) => active_blocks(function.settings(), device, threads, shape.shared_bytes),
        None if threads == 0 => 0,
        None => {
            let needs = BlockNeeds {
                threads,
                registers: 0,
                shared_bytes: u64::from(shape.shared_bytes),
            };
            needs.active_blocks(device)
        }
    };
    let all = u64::from(blocks) * device.limit(number::MULTIPROCESSOR_COUNT);
    let cluster: u64 = shape
        .cluster
        .iter()
        .map(|&blocks| u64::from(blocks.max(1)))
        .product();
    numClusters.set((all / cluster) as i32);
    Ok(())
}
