//! What the shipped GPUs answer for device attributes: something for each, and nothing that contradicts the rest.

use super::*;
use crate::profile::{self, Gpu, shipped::SHIPPED};

/// The shipped profiles of drivers that work.
fn gpus() -> impl Iterator<Item = (&'static str, Gpu)> {
    let working = SHIPPED.iter().filter(|shipped| !shipped.is_broken);
    working.map(|shipped| {
        let profile =
            profile::load(shipped.name).unwrap_or_else(|error| panic!("{}: {error}", shipped.name));
        (shipped.name, profile.gpu)
    })
}

/// The attribute of that name.
fn of(gpu: &Gpu, name: &str) -> i32 {
    let number = number_of(name).unwrap_or_else(|| panic!("no attribute {name}"));
    gpu.attribute(number).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn every_value_belongs_to_an_attribute_of_the_header() {
    for (number, _) in PLAIN {
        assert!(
            ATTRIBUTES.iter().any(|(_, known)| known == number),
            "attribute {number}"
        );
    }
}

#[test]
fn every_attribute_of_the_header_is_answered_from_1_to_150_without_a_gap() {
    for (name, gpu) in gpus() {
        for number in 1..=150 {
            assert!(gpu.attribute(number).is_some(), "{name}: {number}");
        }
        for (attribute, number) in ATTRIBUTES {
            assert!(gpu.attribute(*number).is_some(), "{name}: {attribute}");
        }
        assert_eq!(gpu.attribute(0), None);
        assert_eq!(gpu.attribute(-1), None);
        assert_eq!(gpu.attribute(100_000), None);
    }
}

#[test]
fn what_is_a_yes_or_no_is_answered_with_0_or_1() {
    for (name, gpu) in gpus() {
        for (attribute, number) in ATTRIBUTES {
            let is_yes_or_no = attribute.ends_with("_supported")
                || attribute.starts_with("can_")
                || [
                    "integrated",
                    "ecc_enabled",
                    "unified_addressing",
                    "cluster_launch",
                ]
                .contains(attribute);
            let value = gpu.attribute(*number).unwrap_or(-1);
            assert!(
                !is_yes_or_no || matches!(value, 0 | 1),
                "{name}: {attribute} = {value}"
            );
        }
    }
}

#[test]
fn limits_are_above_0_where_every_gpu_has_one() {
    /// Limits of what not every GPU can do.
    const MAY_BE_0: [&str; 3] = [
        "max_persisting_l2_cache_size",
        "max_access_policy_window_size",
        "max_oversized_shared_memory_per_block",
    ];
    for (name, gpu) in gpus() {
        for (attribute, number) in ATTRIBUTES {
            let is_limit = attribute.starts_with("max_") || attribute.starts_with("maximum_");
            let value = gpu.attribute(*number).unwrap_or(0);
            let may_be_0 = !is_limit || MAY_BE_0.contains(attribute);
            assert!(may_be_0 || value > 0, "{name}: {attribute} = {value}");
        }
        for attribute in [
            "clock_rate",
            "memory_clock_rate",
            "global_memory_bus_width",
            "l2_cache_size",
        ] {
            assert!(of(&gpu, attribute) > 0, "{name}: {attribute}");
        }
    }
}

/// Threads, blocks and bytes of shared memory of one multiprocessor by compute capability: the table "technical specifications per
/// compute capability" of the CUDA C++ programming guide.
const SPECIFICATIONS: &[((i32, i32), [i32; 3])] = &[
    ((7, 5), [1024, 16, 64 << 10]),
    ((8, 0), [2048, 32, 164 << 10]),
    ((8, 6), [1536, 16, 100 << 10]),
    ((8, 7), [1536, 16, 164 << 10]),
    ((8, 9), [1536, 24, 100 << 10]),
    ((9, 0), [2048, 32, 228 << 10]),
];

#[test]
fn a_multiprocessor_is_what_its_compute_capability_says() {
    for (name, gpu) in gpus() {
        let capability = (
            of(&gpu, "compute_capability_major"),
            of(&gpu, "compute_capability_minor"),
        );
        let found = [
            of(&gpu, "max_threads_per_multiprocessor"),
            of(&gpu, "max_blocks_per_multiprocessor"),
            of(&gpu, "max_shared_memory_per_multiprocessor"),
        ];
        let known = SPECIFICATIONS
            .iter()
            .find(|(of, _)| *of == capability)
            .unwrap_or_else(|| panic!("{name}: add {capability:?} to the table of this test"));
        assert_eq!(found, known.1, "{name}");
        let is_hopper = i32::from(capability.0 >= 9);
        assert_eq!(of(&gpu, "cluster_launch"), is_hopper, "{name}");
        assert_eq!(of(&gpu, "tensor_map_access_supported"), is_hopper, "{name}");
    }
}

#[test]
fn no_limit_contradicts_another_one() {
    for (name, gpu) in gpus() {
        let of = |attribute| of(&gpu, attribute);
        let optin = of("max_shared_memory_per_block_optin");
        let reserved = of("reserved_shared_memory_per_block");
        assert!(of("max_shared_memory_per_block") <= optin, "{name}");
        assert_eq!(
            optin + reserved,
            of("max_shared_memory_per_multiprocessor"),
            "{name}"
        );
        assert!(
            of("max_threads_per_block") <= of("max_threads_per_multiprocessor"),
            "{name}"
        );
        assert!(
            of("max_block_dim_x") <= of("max_threads_per_block"),
            "{name}"
        );
        assert!(
            of("max_persisting_l2_cache_size") <= of("l2_cache_size"),
            "{name}"
        );
        assert_eq!(
            of("max_threads_per_multiprocessor") % of("warp_size"),
            0,
            "{name}"
        );
        assert_eq!(
            of("integrated") == 1,
            name == "integrated",
            "{name}: only that one shares the host's memory"
        );
        let pci_id = of("gpu_pci_device_id");
        assert!(
            pci_id == 0 || pci_id & 0xffff == 0x10de,
            "{name}: NVIDIA's vendor id"
        );
        assert!(gpu.free_bytes < gpu.total_bytes, "{name}");
    }
}

#[test]
fn nothing_is_promised_that_the_simulated_driver_refuses() {
    let promises = [
        ("can_use_stream_mem_ops_v1", "cuStreamWriteValue32"),
        ("can_use_64_bit_stream_mem_ops", "cuStreamWriteValue64_v2"),
        ("can_use_stream_wait_value_nor", "cuStreamWaitValue32_v2"),
        ("sparse_cuda_array_supported", "cuArrayGetSparseProperties"),
        ("dma_buf_supported", "cuMemGetHandleForAddressRange"),
        ("multicast_supported", "cuMulticastCreate"),
        ("memory_pools_supported", "cuMemAllocAsync"),
        ("virtual_memory_management_supported", "cuMemAddressReserve"),
        ("managed_memory", "cuMemAllocManaged"),
        ("host_register_supported", "cuMemHostRegister_v2"),
        ("cooperative_launch", "cuLaunchCooperativeKernel"),
    ];
    let implemented: Vec<&str> = crate::surface::IMPLEMENTED.split('\0').collect();
    for (name, gpu) in gpus() {
        for (attribute, function) in promises {
            let is_kept = of(&gpu, attribute) == 0 || implemented.contains(&function);
            assert!(is_kept, "{name}: {attribute} without {function}");
        }
    }
}
