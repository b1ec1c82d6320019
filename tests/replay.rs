//! `cutape replay` from the user's side: golden traces on simulated drivers that work, that don't, and that take the process with them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{End, Finished, client, cutape, finish, record};

const FIXED: &str = "traces/ggml-startup-on-shim-fixed.cutape";
const BROKEN: &str = "traces/ggml-startup-on-shim-uninitialized.cutape";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn replay(trace: impl AsRef<Path>, driver: &str, options: &[&str]) -> Finished {
    let mut command = cutape(["replay"]);
    command.arg(trace.as_ref()).args(["--driver", driver]);
    finish(command.args(options))
}

/// A profile of a driver that works but for these faults.
fn profile(folder: &Path, faults: &str) -> String {
    let path = folder.join("faulty.toml");
    fs::write(&path, format!("extends = \"shim-fixed\"\n{faults}")).unwrap();
    format!("sim:{}", path.display())
}

/// A profile as the simulated driver had it when the golden traces were recorded: since then it says that no memory pool goes to other
/// processes.
fn as_recorded(folder: &Path, name: &str) -> String {
    let path = folder.join("as-recorded.toml");
    let text = format!("extends = \"{name}\"\n[attributes]\nmempool_supported_handle_types = 1\n");
    fs::write(&path, text).unwrap();
    format!("sim:{}", path.display())
}

/// The report has a line that starts so.
fn assert_line(report: &Finished, start: &str) {
    let found = report.stdout.lines().any(|line| line.starts_with(start));
    assert!(
        found,
        "no line {start:?} in\n{}{}",
        report.stdout, report.stderr
    );
}

#[test]
fn golden_traces_conform_on_the_driver_that_they_were_recorded_on() {
    let scratch = tempfile::tempdir().unwrap();
    for (trace, profile) in [
        (FIXED, "shim-fixed"),
        (BROKEN, "shim-uninitialized"),
        ("traces/ggml-backend-on-h100.cutape", "h100"),
        (
            "traces/ggml-backend-on-shim-uninitialized.cutape",
            "shim-uninitialized",
        ),
        ("traces/pytorch-on-h100.cutape", "h100"),
        (
            "traces/pytorch-on-shim-uninitialized.cutape",
            "shim-uninitialized",
        ),
    ] {
        let driver = as_recorded(scratch.path(), profile);
        let report = replay(golden(trace), &driver, &[]);
        assert_eq!(
            report.end,
            End::Code(0),
            "{trace}\n{}{}",
            report.stdout,
            report.stderr
        );
        assert_line(&report, "conforms");
        assert!(
            !report.stdout.contains("unknown-handle"),
            "{}",
            report.stdout
        );
    }
}

#[test]
fn a_repaired_driver_is_told_and_so_is_a_broken_one() {
    let fixed = replay(golden(BROKEN), "sim:shim-fixed", &[]);
    assert_eq!(fixed.end, End::Code(0));
    assert_line(
        &fixed,
        "fixed: #16 cuMemGetInfo_v2 3 -> 0, free 0 -> 78 GiB, total 0 -> 80 GiB",
    );
    assert_line(&fixed, "16 calls: 15 same, 1 fixed");

    let scratch = tempfile::tempdir().unwrap();
    let junit = scratch.path().join("out.xml");
    let json = scratch.path().join("out.json");
    let options = [
        "--junit",
        junit.to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
    ];
    let regressed = replay(golden(FIXED), "sim:shim-uninitialized", &options);
    assert_eq!(regressed.end, End::Code(1));
    assert_line(
        &regressed,
        "regressed: #16 cuMemGetInfo_v2 0 -> 3, free 78 GiB -> 0",
    );
    assert!(fs::read_to_string(junit).unwrap().contains("<failure"));
    let json: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(json["schema"], "cutape.replay");
    assert_eq!(json["traces"][0]["divergences"][0]["verdict"], "regressed");
}

#[test]
fn what_a_policy_expects_is_no_reproach_and_accept_writes_one() {
    let scratch = tempfile::tempdir().unwrap();
    let policy = scratch.path().join("replay.toml");
    let policy = policy.to_str().unwrap();
    let accepted = replay(
        golden(FIXED),
        "sim:shim-uninitialized",
        &["--accept", policy],
    );
    assert_eq!(accepted.end, End::Code(1));
    let with_policy = ["--policy", policy, "--strict"];
    let expected = replay(golden(FIXED), "sim:shim-uninitialized", &with_policy);
    assert_eq!(
        expected.end,
        End::Code(0),
        "{}{}",
        expected.stdout,
        expected.stderr
    );
    // On the driver that works the entry applies to nothing.
    let unused = replay(golden(FIXED), "sim:shim-fixed", &with_policy);
    assert_eq!(unused.end, End::Code(2), "{}", unused.stdout);
    let again = replay(golden(FIXED), "sim", &["--accept", policy]);
    assert_eq!(again.end, End::Code(2));
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
}

#[test]
fn a_driver_that_ends_the_process_is_named_with_the_call() {
    let scratch = tempfile::tempdir().unwrap();
    let fault = |what: &str| format!("[[fault]]\nfunction = \"cuDeviceGetName\"\n{what}\n");
    for (what, headline) in [
        (
            "crash = \"SIGSEGV\"",
            "crashed: #5 cuDeviceGetName: the driver ended the process (SIGSEGV) in this call",
        ),
        (
            "crash = \"SIGABRT\"",
            "crashed: #5 cuDeviceGetName: the driver ended the process (SIGABRT)",
        ),
        (
            "exit = 3",
            "crashed: #5 cuDeviceGetName: the driver ended the process (exit code 3)",
        ),
        (
            "scribble = true",
            "crashed: #5 cuDeviceGetName: the driver ended the process (SIGABRT)",
        ),
        (
            "hang = true",
            "hung: #5 cuDeviceGetName: did not return within 0.5 s",
        ),
    ] {
        let driver = profile(scratch.path(), &fault(what));
        let report = replay(golden(FIXED), &driver, &["--timeout", "0.5"]);
        assert_eq!(
            report.end,
            End::Code(1),
            "{what}\n{}{}",
            report.stdout,
            report.stderr
        );
        assert_line(&report, headline);
        assert_line(&report, "16 calls: 4 same");

        let on = replay(
            golden(FIXED),
            &driver,
            &["--timeout", "0.5", "--keep-going"],
        );
        assert_eq!(on.end, End::Code(1), "{}", on.stdout);
        assert_line(&on, headline);
        assert_line(&on, "16 calls: 15 same");
    }
}

#[test]
fn a_driver_that_prints_and_closes_descriptors_does_not_disturb_the_report() {
    let scratch = tempfile::tempdir().unwrap();
    let faults = "[[fault]]\nfunction = \"cuDeviceGetCount\"\nprints = \"hello from the driver\"\nclose_descriptors = true\n";
    let driver = profile(scratch.path(), faults);
    let report = replay(golden(FIXED), &driver, &[]);
    assert_eq!(
        report.end,
        End::Code(0),
        "{}{}",
        report.stdout,
        report.stderr
    );
    assert_line(&report, "16 calls: 16 same");
    assert!(
        report.stdout.contains("hello from the driver"),
        "{}",
        report.stdout
    );
}

#[test]
fn a_missing_function_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let driver = profile(
        scratch.path(),
        "[[fault]]\nfunction = \"cuMemGetInfo*\"\nmissing = true\n",
    );
    let report = replay(golden(FIXED), &driver, &[]);
    assert_eq!(report.end, End::Code(1));
    assert_line(&report, "missing-symbol: #16 cuMemGetInfo_v2");
}

/// A recording of the client `payloads` with its data, which has a module's file, a linker's input and copies.
fn with_payload(folder: &Path, payload: &str) -> PathBuf {
    let module = folder.join("module.ptx");
    let text = ".version 8.0\n.target sm_70\n.address_size 64\n.visible .entry from_file()\n{\n    ret;\n}\n";
    fs::write(&module, text).unwrap();
    let trace = folder.join(format!("{payload}.cutape"));
    let mut command = cutape(["record", "--driver", "sim", "--payload", payload, "-o"]);
    command.arg(&trace).arg("--").arg(client("payloads"));
    let recorded = finish(command.arg(&module));
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    // The replay must not need it.
    fs::remove_file(module).unwrap();
    trace
}

#[test]
fn files_and_data_of_the_recording_stand_in_for_the_programs() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = with_payload(scratch.path(), "full");
    let report = replay(&trace, "sim", &[]);
    assert_eq!(report.end, End::Code(0), "{}", report.stdout);
    // One launch names no kernel, and failed.
    assert_line(&report, "37 calls: 36 same, 1 skipped");
}

#[test]
fn other_data_on_the_host_is_told_where_the_recording_has_it() {
    let scratch = tempfile::tempdir().unwrap();
    let copies_nothing =
        "[[fault]]\nfunction = [\"cuMemcpyHtoD_v2\", \"cuMemcpyHtoDAsync_v2\"]\nerror = 0\n";
    let driver = profile(scratch.path(), copies_nothing);
    let full = replay(with_payload(scratch.path(), "full"), &driver, &[]);
    assert_eq!(full.end, End::Code(1), "{}", full.stdout);
    assert_line(&full, "changed: #34 cuMemcpyDtoH_v2 dstHost other data");
    let without = replay(with_payload(scratch.path(), "modules"), &driver, &[]);
    assert_eq!(without.end, End::Code(0), "{}", without.stdout);
}

#[test]
fn a_context_that_is_not_made_has_what_follows_beneath_it() {
    let scratch = tempfile::tempdir().unwrap();
    let faults = "[[fault]]\nfunction = \"cuDevicePrimaryCtxRetain\"\nerror = \"CUDA_ERROR_OUT_OF_MEMORY\"\n";
    let driver = profile(scratch.path(), faults);
    let report = replay(golden(FIXED), &driver, &[]);
    assert_eq!(report.end, End::Code(1));
    assert_line(&report, "regressed: #13 cuDevicePrimaryCtxRetain 0 -> 2");
    assert_line(&report, "diverges: 1 call answers otherwise");
}

#[test]
fn a_slow_driver_counts_only_if_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let driver = profile(
        scratch.path(),
        "[[fault]]\nfunction = \"cuDeviceGetCount\"\nlatency = \"20 ms\"\n",
    );
    assert_eq!(replay(golden(FIXED), &driver, &[]).end, End::Code(0));
    let report = replay(golden(FIXED), &driver, &["--slower", "10"]);
    assert_eq!(report.end, End::Code(1), "{}", report.stdout);
    assert_line(&report, "slower: #3 cuDeviceGetCount");
}

/// The first divergence on each profile of a driver with one thing wrong.
const BREAKS: &[(&str, &str)] = &[
    (
        "arch-unsupported",
        "changed: #492 cuDeviceGetAttribute pi 9 -> 3",
    ),
    (
        "backend-absent",
        "missing-symbol: #612 cuMemGetAllocationGranularity",
    ),
    ("crashed-in-call", "crashed: #621 cuMemGetInfo_v2"),
    (
        "ctx-device-failed",
        "changed: #615 cuCtxGetDevice_v2 201 -> 3",
    ),
    ("ctx-get-failed", "regressed: #616 cuCtxGetCurrent 0 -> 201"),
    (
        "ctx-lost-permission",
        "regressed: #629 cuMemcpyHtoDAsync_v2 0 -> 800",
    ),
    (
        "ctx-retain-failed",
        "regressed: #618 cuDevicePrimaryCtxRetain 0 -> 801",
    ),
    ("ctx-set-failed", "regressed: #617 cuCtxSetCurrent 0 -> 201"),
    (
        "device-query-failed",
        "regressed: #491 cuDeviceTotalMem_v2 0 -> 999",
    ),
    (
        "driver-too-old",
        "changed: #1 cuDriverGetVersion driverVersion 13.5 -> 11.4",
    ),
    (
        "driver-version-failed",
        "regressed: #1 cuDriverGetVersion 0 -> 999",
    ),
    (
        "export-table-refused",
        "regressed: #485 cuGetExportTable 0 -> 1",
    ),
    ("init-mismatch", "regressed: #484 cuInit 0 -> 803"),
    ("init-no-device", "regressed: #484 cuInit 0 -> 100"),
    ("init-not-initialized", "regressed: #484 cuInit 0 -> 3"),
    ("init-other", "regressed: #484 cuInit 0 -> 304"),
    ("init-system-not-ready", "regressed: #484 cuInit 0 -> 802"),
    ("init-unknown", "regressed: #484 cuInit 0 -> 999"),
    (
        "integrated-lie",
        "changed: #496 cuDeviceGetAttribute pi 0 -> 1",
    ),
    (
        "integrity-mismatch",
        "changed: #1 cuDriverGetVersion driverVersion 13.5 -> 13.6",
    ),
    ("killed-in-call", "hung: #617 cuCtxSetCurrent"),
    (
        "masked-code",
        "regressed: #618 cuDevicePrimaryCtxRetain 0 -> 101",
    ),
    ("meminfo-error", "regressed: #621 cuMemGetInfo_v2 0 -> 999"),
    (
        "meminfo-free-zero",
        "changed: #621 cuMemGetInfo_v2 free 78 GiB -> 0",
    ),
    (
        "meminfo-implausible",
        "changed: #621 cuMemGetInfo_v2 total 80 GiB -> 78 GiB",
    ),
    ("meminfo-missing", "regressed: #80 cuGetProcAddress_v2 pfn"),
    (
        "meminfo-zero",
        "changed: #621 cuMemGetInfo_v2 free 78 GiB -> 0, total 80 GiB -> 0",
    ),
    ("no-device", "regressed: #484 cuInit 0 -> 100"),
    ("no-devices", "changed: #488 cuDeviceGetCount count 1 -> 0"),
    (
        "pci-missing",
        "regressed: #614 cuDeviceGetPCIBusId 0 -> 801",
    ),
    (
        "shim-uninitialized",
        "regressed: #621 cuMemGetInfo_v2 0 -> 3, free 78 GiB -> 0",
    ),
    ("ptsz-ignored", "changed: #95 cuGetProcAddress_v2 pfn"),
    (
        "unified-addressing-off",
        "changed: #543 cuDeviceGetAttribute pi 1 -> 0",
    ),
    (
        "vmm-missing",
        "regressed: #612 cuMemGetAllocationGranularity 0 -> 801",
    ),
];

#[test]
fn what_is_wrong_with_a_driver_is_the_first_divergence() {
    let scratch = tempfile::tempdir().unwrap();
    for (profile, headline) in BREAKS {
        let trace = golden("traces/ggml-backend-on-h100.cutape");
        let driver = as_recorded(scratch.path(), profile);
        let report = replay(trace, &driver, &["--timeout", "1"]);
        assert_eq!(report.end, End::Code(1), "{profile}\n{}", report.stdout);
        // Under the heading and an empty line.
        let first = report.stdout.lines().nth(2).unwrap_or_default();
        assert!(first.starts_with(headline), "{profile}\n{}", report.stdout);
    }
}

/// Drivers of which a program sees what is wrong that asks for it: its steps, CUDA_VISIBLE_DEVICES if it is set, and the first divergence.
const SEEN_BY_SOME: &[(&str, &[&str], Option<&str>, &str)] = &[
    (
        "wrong-abi",
        &["found", "cuCtxCreate", "13030", "0"],
        None,
        "changed: #1 cuGetProcAddress_v2 pfn",
    ),
    (
        "nvml-overrides",
        &["nvml"],
        None,
        "changed: #3 nvmlDeviceGetName name",
    ),
    (
        "visible-devices-ignored",
        &["start"],
        Some("GPU-5e0e8f2a"),
        "regressed: #1 cuInit 0 -> 100",
    ),
];

#[test]
fn a_program_that_asks_for_it_sees_what_others_do_not() {
    let scratch = tempfile::tempdir().unwrap();
    for (broken, steps, visible, headline) in SEEN_BY_SOME {
        let trace = scratch.path().join(format!("{broken}.cutape"));
        let mut command = cutape(["record", "--driver", "sim:h100", "-o"]);
        command.arg(&trace).arg("--").arg(client("symptoms"));
        command.args(*steps).env_remove("CUDA_VISIBLE_DEVICES");
        if let Some(visible) = visible {
            command.env("CUDA_VISIBLE_DEVICES", visible);
        }
        let recorded = finish(&mut command);
        assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
        let played = |profile: &str| {
            let mut command = cutape(["replay", "--driver", &format!("sim:{profile}")]);
            finish(command.arg(&trace).env_remove("CUDA_VISIBLE_DEVICES"))
        };
        let report = played("h100");
        assert_eq!(report.end, End::Code(0), "{broken}\n{}", report.stdout);
        let report = played(broken);
        assert_eq!(report.end, End::Code(1), "{broken}\n{}", report.stdout);
        let first = report.stdout.lines().nth(2).unwrap_or_default();
        assert!(first.starts_with(headline), "{broken}\n{}", report.stdout);
    }
}

#[test]
fn eight_threads_with_shared_and_own_contexts_conform_a_hundred_times() {
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("threads.cutape");
    let recorded = finish(&mut record(
        &trace,
        "sim",
        &client("shared_streams"),
        &["8", "10"],
    ));
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    for round in 0..100 {
        let report = replay(&trace, "sim", &[]);
        assert_eq!(
            report.end,
            End::Code(0),
            "round {round}\n{}{}",
            report.stdout,
            report.stderr
        );
    }
}

#[test]
fn threads_keep_their_order_and_never_wait_for_each_other_for_ever() {
    let scratch = tempfile::tempdir().unwrap();
    for (program, arguments) in [
        ("threads", &["8", "200"][..]),
        ("nested", &[]),
        ("counting", &[]),
    ] {
        let trace = scratch.path().join(program).with_extension("cutape");
        let recorded = finish(&mut record(&trace, "sim", &client(program), arguments));
        assert!(trace.exists(), "{}", recorded.stderr);
        for options in [&[][..], &["--serial"]] {
            let report = replay(&trace, "sim", options);
            assert_eq!(
                report.end,
                End::Code(0),
                "{program} {options:?}\n{}{}",
                report.stdout,
                report.stderr
            );
        }
    }
}

#[test]
fn trouble_is_told_and_nothing_is_played() {
    let missing = replay(golden(FIXED), "/nowhere/libcuda.so.1", &[]);
    assert_eq!(missing.end, End::Code(2));
    assert!(
        missing.stderr.contains("/nowhere/libcuda.so.1"),
        "{}",
        missing.stderr
    );
    let no_library = replay(golden(FIXED), "/etc/passwd", &[]);
    assert_eq!(no_library.end, End::Code(2), "{}", no_library.stdout);
    assert!(
        no_library.stderr.contains("can't be loaded"),
        "{}",
        no_library.stderr
    );
    assert_eq!(replay("/nowhere.cutape", "sim", &[]).end, End::Code(2));
    let by_hand = finish(&mut cutape(["replay-player", "0"]));
    assert_eq!(by_hand.end, End::Code(2));
}

#[test]
fn a_suite_of_traces_has_one_report() {
    let mut command = cutape(["replay"]);
    command.args([golden(FIXED), golden(BROKEN)]);
    let report = finish(command.args(["--driver", "sim:shim-fixed", "--until", "5"]));
    assert_eq!(report.end, End::Code(0), "{}", report.stdout);
    assert_line(&report, "5 calls: 5 same");
}
