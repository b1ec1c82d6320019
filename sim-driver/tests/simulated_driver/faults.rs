//! Faults of profiles, each as a program meets it, and each mistake in a profile with the line that it is told with.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::driver::{Library, in_child, in_child_with, profile_file, start, to};

fn count(cuda: &Library) -> u32 {
    let mut count = 0i32;
    cuda.call("cuDeviceGetCount", [to(&mut count)])
}

/// How long ten calls take together.
fn time_of_ten(cuda: &Library) -> Duration {
    let begin = Instant::now();
    for _ in 0..10 {
        assert_eq!(count(cuda), 0);
    }
    begin.elapsed()
}

#[test]
fn latency_is_added_to_each_call_that_is_hit() {
    let profile = profile_file(
        "latency",
        r#"
        extends = "h100"
        [[fault]]
        function = "cuDeviceGetCount"
        latency = "5 ms"
        when = "1..10"
        [[fault]]
        function = "cuDeviceGet"
        latency = { from = "3 ms", to = "4 ms" }
        [[fault]]
        function = "cuDeviceGetName"
        latency = { median = "1 ms", p99 = "2 ms" }
        "#,
    );
    in_child(
        "faults::latency_is_added_to_each_call_that_is_hit",
        &profile,
        |cuda| {
            start(cuda);
            assert!(time_of_ten(cuda) >= Duration::from_millis(50));
            // No call after the tenth is hit; ten of them take microseconds, unless the machine has something else to do.
            let least = (0..5).map(|_| time_of_ten(cuda)).min();
            assert!(least < Some(Duration::from_millis(50)));
            let (mut device, mut name) = (0i32, [0u8; 64]);
            let begin = Instant::now();
            for _ in 0..10 {
                assert_eq!(cuda.call("cuDeviceGet", [to(&mut device), 0]), 0);
            }
            assert!(begin.elapsed() >= Duration::from_millis(30));
            let begin = Instant::now();
            for _ in 0..10 {
                assert_eq!(cuda.call("cuDeviceGetName", [to(&mut name), 64, 0]), 0);
            }
            assert!(begin.elapsed() >= Duration::from_millis(3));
        },
    );
}

#[test]
fn a_fault_may_begin_after_a_time() {
    let profile = profile_file(
        "after",
        r#"
        extends = "h100"
        [[fault]]
        function = "cuDeviceGetCount"
        error = "CUDA_ERROR_NOT_PERMITTED"
        when = "after 1500 ms"
        "#,
    );
    in_child("faults::a_fault_may_begin_after_a_time", &profile, |cuda| {
        let before_the_first_call = Instant::now();
        start(cuda);
        let mut refused_at = None;
        while refused_at.is_none() {
            match count(cuda) {
                0 => {}
                code => {
                    assert_eq!(code, 800);
                    refused_at = Some(before_the_first_call.elapsed());
                }
            }
        }
        assert!(refused_at >= Some(Duration::from_millis(1500)));
        assert_eq!(count(cuda), 800);
    });
}

#[test]
fn a_fault_may_be_for_one_program_only() {
    let profile = profile_file(
        "process",
        r#"
        extends = "h100"
        [[fault]]
        function = "cuDeviceGetCount"
        error = 999
        process = "simulated_driver*"
        [[fault]]
        function = "cuDriverGetVersion"
        error = 999
        process = "ollama"
        "#,
    );
    in_child(
        "faults::a_fault_may_be_for_one_program_only",
        &profile,
        |cuda| {
            let mut version = 0i32;
            start(cuda);
            assert_eq!(count(cuda), 999);
            assert_eq!(cuda.call("cuDriverGetVersion", [to(&mut version)]), 0);
        },
    );
}

#[test]
fn latency_error_and_values_go_together_and_several_functions_share_a_fault() {
    let profile = profile_file(
        "together",
        r#"
        extends = "h100"
        [[fault]]
        function = ["cuDeviceGetCount", "cuDriverGetVersion"]
        latency = "10 ms"
        [[fault]]
        function = "cuDeviceGetCount"
        error = 3
        set = { count = 17 }
        "#,
    );
    in_child(
        "faults::latency_error_and_values_go_together_and_several_functions_share_a_fault",
        &profile,
        |cuda| {
            start(cuda);
            let (mut devices, mut version) = (0i32, 0i32);
            let begin = Instant::now();
            assert_eq!(cuda.call("cuDeviceGetCount", [to(&mut devices)]), 3);
            assert_eq!(cuda.call("cuDriverGetVersion", [to(&mut version)]), 0);
            assert!(begin.elapsed() >= Duration::from_millis(20));
            assert_eq!((devices, version), (17, 13_050));
        },
    );
}

/// The address that a look-up gives, and its status.
fn look_up(cuda: &Library, name: &std::ffi::CStr, version: u64, flags: u64) -> (u64, u32) {
    let (mut address, mut status) = (7u64, 7u32);
    let words = [
        name.as_ptr() as u64,
        to(&mut address),
        version,
        flags,
        to(&mut status),
    ];
    assert_eq!(cuda.call("cuGetProcAddress_v2", words), 0);
    (address, status)
}

#[test]
fn look_ups_may_miss_functions_find_others_and_ignore_what_they_are_told() {
    let profile = profile_file(
        "look-ups",
        r#"
        extends = "h100"
        [[fault]]
        function = "cuMemAlloc_v2"
        missing = true
        [[fault]]
        function = "cuMemFree*"
        missing = true
        [[fault]]
        function = "cuMemcpyHtoD_v2"
        found_as = "cuMemcpyDtoH_v2"
        [[fault]]
        function = "cuGetProcAddress_v2"
        ignores = "version"
        [[fault]]
        function = "cuGetProcAddress*"
        ignores = "stream"
        "#,
    );
    in_child(
        "faults::look_ups_may_miss_functions_find_others_and_ignore_what_they_are_told",
        &profile,
        |cuda| {
            let is = |name: &str| cuda.symbol(name).map_or(0, |address| address as u64);
            // The older form of a function is found where only the newer one is missing.
            assert_eq!(
                look_up(cuda, c"cuMemAlloc", 12_000, 0),
                (is("cuMemAlloc"), 0)
            );
            assert_eq!(look_up(cuda, c"cuMemFree", 12_000, 0), (0, 1));
            assert_eq!(
                look_up(cuda, c"cuMemcpyHtoD", 12_000, 0),
                (is("cuMemcpyDtoH_v2"), 0)
            );
            // Version 4 is what 13.0 brought; a program built for 12.0 expects version 3.
            assert_eq!(
                look_up(cuda, c"cuCtxCreate", 12_000, 0),
                (is("cuCtxCreate_v4"), 0)
            );
            assert_eq!(
                look_up(cuda, c"cuMemcpyAsync", 12_000, 2),
                (is("cuMemcpyAsync"), 0)
            );
        },
    );
}

#[test]
fn visible_devices_choose_order_and_refuse() {
    const NAME: &str = "faults::visible_devices_choose_order_and_refuse";
    const FIRST: &str = "GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a60";
    const SECOND: &str = "GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a61";
    let (both, mixed) = (format!("{SECOND},{FIRST}"), format!("{SECOND},0"));
    // The variable, cuInit's answer, and the PCI buses of the devices in order.
    let cases: [(&str, u32, &[i32]); 12] = [
        ("0,1", 0, &[0x19, 0x1a]),
        ("1,0", 0, &[0x1a, 0x19]),
        ("1", 0, &[0x1a]),
        ("1,-1,0", 0, &[0x1a]),
        ("0,2,1", 0, &[0x19]),
        (&both, 0, &[0x1a, 0x19]),
        (&mixed, 0, &[0x1a, 0x19]),
        // Both begin like that.
        ("GPU-5e0e8f2a", 100, &[]),
        ("", 100, &[]),
        ("none", 100, &[]),
        ("0,0", 100, &[]),
        ("MIG-GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a60/1/0", 100, &[]),
    ];
    for (number, (visible, code, buses)) in cases.into_iter().enumerate() {
        let number = number.to_string();
        let environment = [
            ("CUDA_VISIBLE_DEVICES", visible),
            ("CUTAPE_SIM_PROFILE", "two-gpu"),
            ("CUTAPE_SIM_CASE", number.as_str()),
        ];
        // The child runs the case that it was started for.
        if std::env::var("CUTAPE_SIM_CASE").is_ok_and(|case| case != number) {
            continue;
        }
        in_child_with(NAME, &environment, |cuda| {
            assert_eq!(cuda.call("cuInit", [0]), code, "{visible}");
            let mut found = Vec::new();
            let (mut devices, mut bus) = (0i32, 0i32);
            cuda.call("cuDeviceGetCount", [to(&mut devices)]);
            for device in 0..devices {
                let words = [to(&mut bus), 33, device as u64];
                assert_eq!(cuda.call("cuDeviceGetAttribute", words), 0);
                found.push(bus);
            }
            assert_eq!(found, buses, "{visible}");
        });
    }
}

/// The line and the words with which a wrong profile is refused.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "[[fault]]\nfunction = \"cuInit\"\n",
        "line 1",
        "a fault needs one of `error`",
    ),
    (
        "[[fault]]\nfunction = [\"cuInit\", \"nvmlInit_v2\"]\nerror = 3\n",
        "line 2",
        "make it two faults",
    ),
    (
        "[[fault]]\nfunction = \"nvmlErrorString\"\nerror = 3\n",
        "line 2",
        "nvmlErrorString answers no error code",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nlatency = 10\n",
        "line 3: `latency`",
        "a time such as \"10 ms\"",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nlatency = { from = \"5 ms\", to = \"1 ms\" }\n",
        "line 3: `to`",
        "a time not below `from`",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nlatency = { from = \"5 ms\", p99 = \"6 ms\" }\n",
        "line 3: `latency`",
        "median",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nlatency = { median = \"0 ms\", p99 = \"6 ms\" }\n",
        "line 3: `median`",
        "above 0",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nhang = \"yes\"\n",
        "line 3: `hang`",
        "true or false",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\ncrash = \"SIGSEG\"\n",
        "line 3: `crash`",
        "did you mean \"SIGSEGV\"?",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nhang = true\ncrash = \"SIGSEGV\"\n",
        "line",
        "a call ends in one way only: found `crash` and `hang`",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nexit = 256\n",
        "line 3: `exit`",
        "an exit code, 0 to 255, found the number 256",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nprints = \"\"\n",
        "line 3: `prints`",
        "the text that the call writes",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nscribble = 1\n",
        "line 3: `scribble`",
        "true or false",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nclose_descriptors = \"all\"\n",
        "line 3: `close_descriptors`",
        "true or false",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nmissing = true\nexit = 3\n",
        "line 4: `exit`",
        "make it two faults",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nmissing = true\nwhen = 3\n",
        "line 4: `when`",
        "make it two faults",
    ),
    (
        "[[fault]]\nfunction = \"cuInit\"\nignores = \"stream\"\n",
        "line 3",
        "cuGetProcAddress*",
    ),
    (
        "[[fault]]\nfunction = \"cuGetProcAddress*\"\nignores = \"flags\"\n",
        "line 3: `ignores`",
        "\"version\" or \"stream\"",
    ),
    (
        "[[fault]]\nfunction = \"cuCtxCreate_v4\"\nfound_as = \"cuCtxCreate_v9\"\n",
        "line 3: `found_as`",
        "did you mean",
    ),
    (
        "visible_devices = \"none\"\n",
        "line 1: `visible_devices`",
        "\"numbers only\"",
    ),
    (
        "\nstarts_without_gpu = 1\n",
        "line 2: `starts_without_gpu`",
        "true or false",
    ),
    ("[nvml]\nname = 3\n", "line 2: `name`", "the GPU's name"),
];

#[test]
fn a_wrong_fault_is_told_with_its_line_and_what_was_expected() {
    for (number, (text, line, hint)) in WRONG.iter().enumerate() {
        let path = profile_file(&format!("wrong-fault-{number}"), text);
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "wrong_profile::every_call_refuses",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("CUTAPE_SIM_PROFILE", &path)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}: {errors}");
        let is_told = errors.contains(line) && errors.contains(hint);
        assert!(is_told, "{text}expected {line} and {hint}: {errors}");
    }
}
