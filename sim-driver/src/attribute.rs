//! Device attributes: their names, and values for those that a profile does not give.

use crate::profile::Gpu;
use crate::surface::ATTRIBUTES;

/// The place of the compute capability's first number.
pub const COMPUTE_CAPABILITY_MAJOR: usize = 75;
/// The place of its second number.
pub const COMPUTE_CAPABILITY_MINOR: usize = 76;

/// Attribute numbers used elsewhere in the driver, as in `CUdevice_attribute`.
pub mod number {
    pub const MAX_THREADS_PER_BLOCK: i32 = 1;
    pub const MAX_BLOCK_DIM_X: i32 = 2;
    pub const MAX_BLOCK_DIM_Y: i32 = 3;
    pub const MAX_BLOCK_DIM_Z: i32 = 4;
    pub const MAX_GRID_DIM_X: i32 = 5;
    pub const MAX_GRID_DIM_Y: i32 = 6;
    pub const MAX_GRID_DIM_Z: i32 = 7;
    pub const MAX_SHARED_MEMORY_PER_BLOCK: i32 = 8;
    pub const TOTAL_CONSTANT_MEMORY: i32 = 9;
    pub const WARP_SIZE: i32 = 10;
    pub const MAX_PITCH: i32 = 11;
    pub const MAX_REGISTERS_PER_BLOCK: i32 = 12;
    pub const CLOCK_RATE: i32 = 13;
    pub const TEXTURE_ALIGNMENT: i32 = 14;
    pub const MULTIPROCESSOR_COUNT: i32 = 16;
    pub const ECC_ENABLED: i32 = 32;
    pub const PCI_BUS_ID: i32 = 33;
    pub const PCI_DEVICE_ID: i32 = 34;
    pub const GLOBAL_MEMORY_BUS_WIDTH: i32 = 37;
    pub const MAX_THREADS_PER_MULTIPROCESSOR: i32 = 39;
    pub const PCI_DOMAIN_ID: i32 = 50;
    pub const MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: i32 = 81;
    pub const MAX_REGISTERS_PER_MULTIPROCESSOR: i32 = 82;
    pub const MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: i32 = 97;
    pub const MAX_BLOCKS_PER_MULTIPROCESSOR: i32 = 106;
    pub const MAX_PERSISTING_L2_CACHE_SIZE: i32 = 108;
    pub const RESERVED_SHARED_MEMORY_PER_BLOCK: i32 = 111;
    pub const CLUSTER_LAUNCH: i32 = 120;
    pub const GPU_PCI_DEVICE_ID: i32 = 139;
    pub const GPU_PCI_SUBSYSTEM_ID: i32 = 140;
}

/// What any recent data centre GPU on Linux answers. Limits of textures and surfaces are those that the CUDA C++ programming guide
/// gives for compute capability 8 and 9; attributes that are absent here answer 0. So do those that promise what is not simulated
/// (memory operations of streams, sparse arrays, DMA-BUF, multicast): a client that asks first is then told the truth.
const PLAIN: &[(i32, i32)] = &[
    (1, 1024),
    (2, 1024),
    (3, 1024),
    (4, 64),
    (5, i32::MAX),
    (6, 65535),
    (7, 65535),
    (8, 49152),
    (9, 65536),
    (10, 32),
    (11, i32::MAX),
    (12, 65536),
    (13, 1_000_000),
    (14, 512),
    (15, 1),
    (16, 1),
    (19, 1),
    (21, 131_072),
    (22, 131_072),
    (23, 65536),
    (24, 16384),
    (25, 16384),
    (26, 16384),
    (27, 32768),
    (28, 32768),
    (29, 2048),
    (30, 512),
    (31, 1),
    (35, 0),
    (36, 1_000_000),
    (37, 256),
    (38, 4 << 20),
    (39, 1024),
    (40, 2),
    (41, 1),
    (42, 32768),
    (43, 2048),
    (44, 1),
    (45, 32768),
    (46, 32768),
    (47, 8192),
    (48, 8192),
    (49, 32768),
    (51, 32),
    (52, 32768),
    (53, 32768),
    (54, 2046),
    (55, 32768),
    (56, 131_072),
    (57, 65536),
    (58, 16384),
    (59, 16384),
    (60, 16384),
    (61, 32768),
    (62, 2048),
    (63, 32768),
    (64, 32768),
    (65, 2048),
    (66, 32768),
    (67, 32768),
    (68, 2046),
    (69, 268_435_456),
    (70, 131_072),
    (71, 65000),
    (72, 2_097_120),
    (73, 32768),
    (74, 32768),
    (75, 5),
    (76, 0),
    (77, 32768),
    (78, 1),
    (79, 1),
    (80, 1),
    (81, 65536),
    (82, 65536),
    (83, 1),
    (87, 32),
    (89, 1),
    (90, 1),
    (91, 1),
    (95, 1),
    (96, 1),
    (97, 49152),
    (98, 1),
    (99, 1),
    (102, 1),
    (103, 1),
    (106, 16),
    (107, 1),
    (113, 1),
    (114, 1),
    (115, 1),
    (116, 1),
    (117, 1),
    (118, 100),
    (122, 1),
    (123, 1),
    (125, 1),
    (126, 1),
    (129, 1),
    (131, -1),
    (134, -1),
];

/// One answer for every attribute that the API knows, before a profile says anything.
pub fn plain() -> Vec<i32> {
    let last = ATTRIBUTES
        .iter()
        .map(|(_, number)| *number)
        .max()
        .unwrap_or(0);
    let mut values = vec![0; last as usize + 1];
    for &(number, value) in PLAIN {
        if let Some(place) = values.get_mut(number as usize) {
            *place = value;
        }
    }
    values
}

/// Derives what follows from the rest of the profile, then lets the profile's own attributes win.
pub fn fill_in(gpu: &mut Gpu, overrides: &[(i32, i32)]) {
    for &(number, value) in overrides {
        if let Some(place) = gpu.attributes.get_mut(number as usize) {
            *place = value;
        }
    }
}

/// The attribute of that name (`multiprocessor_count`) or written number.
pub fn number_of(key: &str) -> Option<i32> {
    let known = |number: &i32| ATTRIBUTES.iter().any(|(_, known)| known == number);
    match key.parse() {
        Ok(number) => Some(number).filter(known),
        Err(_) => ATTRIBUTES
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, number)| *number),
    }
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    ATTRIBUTES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
#[path = "attribute_tests.rs"]
mod tests;
