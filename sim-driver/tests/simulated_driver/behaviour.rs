//! What a program sees of the simulated driver.

use crate::driver::{in_child, in_child_with, memory, profile_file, start, to};

const GIB: u64 = 1 << 30;

#[test]
fn the_seed_s_shim_fails_at_memory_info_and_only_there() {
    in_child(
        "behaviour::the_seed_s_shim_fails_at_memory_info_and_only_there",
        "shim-uninitialized",
        |cuda| {
            let mut value = 0i32;
            start(cuda);
            for (attribute, expected) in [(75, 9), (76, 0), (41, 1), (102, 1)] {
                assert_eq!(
                    cuda.call("cuDeviceGetAttribute", [to(&mut value), attribute, 0]),
                    0
                );
                assert_eq!(value, expected, "attribute {attribute}");
            }
            for _ in 0..3 {
                assert_eq!(memory(cuda), (3, 0, 0));
            }
            let mut pointer = 0u64;
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut pointer), 1024]), 0);
        },
    );
}

#[test]
fn the_cured_shim_has_78_of_80_gib_free() {
    in_child(
        "behaviour::the_cured_shim_has_78_of_80_gib_free",
        "shim-fixed",
        |cuda| {
            start(cuda);
            assert_eq!(memory(cuda), (0, 78 * GIB, 80 * GIB));
        },
    );
}

#[test]
fn a_flag_of_a_pointer_fills_the_four_bytes_that_programs_read() {
    in_child(
        "behaviour::a_flag_of_a_pointer_fills_the_four_bytes_that_programs_read",
        "h100",
        |cuda| {
            start(cuda);
            const IS_MANAGED: u64 = 8;
            const OF_ANY_CONTEXT: u64 = 1;
            let mut pinned = 0u64;
            assert_eq!(cuda.call("cuMemHostAlloc", [to(&mut pinned), 128, 0]), 0);
            let mut managed = 0u64;
            assert_eq!(
                cuda.call("cuMemAllocManaged", [to(&mut managed), 128, OF_ANY_CONTEXT]),
                0
            );
            for (pointer, expected) in [(pinned, 0), (managed, 1)] {
                let mut one = u32::MAX;
                assert_eq!(
                    cuda.call("cuPointerGetAttribute", [to(&mut one), IS_MANAGED, pointer]),
                    0
                );
                assert_eq!(one, expected);
                let (mut several, mut attribute) = (u32::MAX, IS_MANAGED as u32);
                let mut places = [to(&mut several)];
                assert_eq!(
                    cuda.call(
                        "cuPointerGetAttributes",
                        [1, to(&mut attribute), to(&mut places), pointer]
                    ),
                    0
                );
                assert_eq!(several, expected);
            }
        },
    );
}

#[test]
fn who_registers_for_messages_may_leave_once() {
    in_child(
        "behaviour::who_registers_for_messages_may_leave_once",
        "h100",
        |cuda| {
            start(cuda);
            let (mut first, mut second) = (0u64, 0u64);
            let told = who_registers_for_messages_may_leave_once as fn() as usize as u64;
            for handle in [&mut first, &mut second] {
                assert_eq!(
                    cuda.call("cuLogsRegisterCallback", [told, 0, to(handle)]),
                    0
                );
            }
            assert_ne!(first, second);
            assert_eq!(
                cuda.call("cuLogsRegisterCallback", [0, 0, to(&mut second)]),
                1
            );
            assert_eq!(cuda.call("cuLogsUnregisterCallback", [first]), 0);
            assert_eq!(cuda.call("cuLogsUnregisterCallback", [first]), 1);
            assert_eq!(cuda.call("cuLogsUnregisterCallback", [second]), 0);
        },
    );
}

#[test]
fn faults_hit_the_calls_they_name() {
    let profile = profile_file(
        "faults",
        r#"
        extends = "h100"
        [[fault]]
        function = "cuMemAlloc_v2"
        error = "CUDA_ERROR_OUT_OF_MEMORY"
        when = "2..3"
        [[fault]]
        function = "cuMemGetInfo_v2"
        set = { free = "1 GiB" }
        when = "every 2"
        [[fault]]
        function = "cuTexRefDestroy"
        error = 400
        "#,
    );
    in_child(
        "behaviour::faults_hit_the_calls_they_name",
        &profile,
        |cuda| {
            start(cuda);
            let mut pointer = 0u64;
            let codes = [(); 4].map(|()| cuda.call("cuMemAlloc_v2", [to(&mut pointer), 64]));
            assert_eq!(codes, [0, 2, 2, 0]);
            let free = [(); 4].map(|()| memory(cuda).1 == GIB);
            assert_eq!(free, [false, true, false, true]);
            assert_eq!(cuda.call("cuTexRefDestroy", [0]), 400);
            assert_eq!(cuda.call("cuTexRefCreate", [0]), 801);
        },
    );
}

#[test]
fn visible_devices_choose_among_two_gpus() {
    const NAME: &str = "behaviour::visible_devices_choose_among_two_gpus";
    let second = [
        ("CUDA_VISIBLE_DEVICES", "1"),
        ("CUTAPE_SIM_PROFILE", "two-gpu"),
    ];
    in_child_with(NAME, &second, |cuda| {
        let (mut count, mut bus) = (0i32, 0i32);
        assert_eq!(cuda.call("cuInit", [0]), 0);
        assert_eq!(cuda.call("cuDeviceGetCount", [to(&mut count)]), 0);
        assert_eq!(cuda.call("cuDeviceGetAttribute", [to(&mut bus), 33, 0]), 0);
        assert_eq!((count, bus), (1, 0x1a));
        // NVML shows all of them.
        assert_eq!(cuda.call("nvmlInit_v2", []), 0);
        assert_eq!(cuda.call("nvmlDeviceGetCount_v2", [to(&mut count)]), 0);
        assert_eq!(count, 2);
    });
}

#[test]
fn nvml_tells_the_same_gpu_as_the_driver() {
    in_child(
        "behaviour::nvml_tells_the_same_gpu_as_the_driver",
        "a100",
        |cuda| {
            let mut device = 0u64;
            let mut text = [0u8; 96];
            assert_eq!(
                cuda.call("nvmlDeviceGetHandleByIndex_v2", [0, to(&mut device)]),
                1
            );
            assert_eq!(cuda.call("nvmlInit_v2", []), 0);
            assert_eq!(
                cuda.call("nvmlDeviceGetHandleByIndex_v2", [7, to(&mut device)]),
                2
            );
            assert_eq!(
                cuda.call("nvmlDeviceGetHandleByIndex_v2", [0, to(&mut device)]),
                0
            );
            assert_eq!(
                cuda.call("nvmlDeviceGetName", [device, to(&mut text), 96]),
                0
            );
            assert!(text.starts_with(b"NVIDIA A100-SXM4-80GB\0"));
            assert_eq!(
                cuda.call("nvmlDeviceGetName", [device, to(&mut text), 5]),
                7
            );
            start(cuda);
            let mut pointer = 0u64;
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut pointer), GIB]), 0);
            let mut memory = [0u64; 3];
            assert_eq!(
                cuda.call("nvmlDeviceGetMemoryInfo", [device, to(&mut memory)]),
                0
            );
            assert_eq!(memory, [80 * GIB, 77 * GIB, 3 * GIB]);
            assert_eq!(
                cuda.call("nvmlDeviceGetName", [pointer, to(&mut text), 96]),
                2
            );
            assert_eq!(cuda.call("nvmlShutdown", []), 0);
            assert_eq!(cuda.call("nvmlShutdown", []), 1);
        },
    );
}
