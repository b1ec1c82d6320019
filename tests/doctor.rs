//! `cutape doctor` over our own clients: each broken driver's first finding is its rule, a driver that works has none, and the command
//! answers as people and scripts expect.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Diagnosed, End, Finished, client, cutape, finish, record};

/// Records a client program on a profile of the simulated driver and asks doctor.
fn diagnose(profile: &str, program: &[&str]) -> Diagnosed {
    let scratch = tempfile::tempdir().unwrap();
    Diagnosed::of(&recorded(scratch.path(), profile, program))
}

fn recorded(folder: &Path, profile: &str, program: &[&str]) -> PathBuf {
    let path = folder.join("trace.cutape");
    let driver = format!("sim:{profile}");
    finish(&mut record(
        &path,
        driver,
        &client(program[0]),
        &program[1..],
    ));
    path
}

const GGML: &[&str] = &["ggml_startup"];
const CONTEXTS: &[&str] = &["symptoms", "contexts"];
const CODE: &[&str] = &["symptoms", "code"];

/// Each profile with a client that shows its symptom without a CUDA runtime; tests/real_doctor.rs has those that need one.
const SHOWN: &[(&str, &[&str])] = &[
    ("arch-unsupported", GGML),
    ("backend-absent", &["symptoms", "exports", "cuMemCreate"]),
    ("crashed-in-call", GGML),
    ("ctx-device-failed", CONTEXTS),
    ("ctx-get-failed", GGML),
    ("ctx-lost-permission", &["symptoms", "memory"]),
    ("ctx-retain-failed", CONTEXTS),
    ("ctx-set-failed", GGML),
    ("device-query-failed", GGML),
    ("driver-too-old", GGML),
    ("driver-version-failed", GGML),
    ("export-table-refused", &["symptoms", "table"]),
    ("init-mismatch", GGML),
    ("init-no-device", GGML),
    ("init-not-initialized", GGML),
    ("init-other", GGML),
    ("init-system-not-ready", GGML),
    ("init-unknown", GGML),
    ("integrated-lie", &["symptoms", "attributes", "18", "37"]),
    ("killed-in-call", &["symptoms", "hang"]),
    ("masked-code", CONTEXTS),
    ("meminfo-error", GGML),
    ("meminfo-free-zero", GGML),
    ("meminfo-implausible", GGML),
    ("meminfo-missing", GGML),
    ("meminfo-zero", GGML),
    ("no-devices", &["symptoms", "start"]),
    ("no-kernel-image", CODE),
    ("nvml-overrides", &["symptoms", "nvml"]),
    ("pci-missing", GGML),
    ("pinned-fallback", &["symptoms", "pinned"]),
    (
        "ptsz-ignored",
        &["symptoms", "found", "cuMemcpyAsync", "12000", "2"],
    ),
    ("ptx-too-new", CODE),
    ("shim-bypassed", GGML),
    ("too-slow", &["symptoms", "slow"]),
    ("unified-addressing-off", GGML),
    ("vmm-missing", GGML),
    (
        "wrong-abi",
        &["symptoms", "found", "cuCtxCreate", "13030", "0"],
    ),
];

#[test]
fn the_first_finding_on_each_broken_driver_is_its_own_rule() {
    for (profile, program) in SHOWN {
        let diagnosed = diagnose(profile, program);
        let ids = diagnosed.ids();
        assert_eq!(
            ids.first(),
            Some(profile),
            "{profile}, {program:?}: {ids:?}"
        );
        assert_eq!(diagnosed.end, End::Code(1), "{profile}");
    }
}

/// Profiles of which no test here shows a finding of that name: two stand for another rule, one needs a CUDA runtime, one a variable.
const ELSEWHERE: [&str; 4] = [
    "integrity-mismatch",
    "no-device",
    "shim-uninitialized",
    "visible-devices-ignored",
];

#[test]
fn every_broken_profile_that_is_shipped_is_diagnosed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sim-driver/profiles/broken");
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let shown = SHOWN.iter().any(|(profile, _)| *profile == name);
        assert!(shown || ELSEWHERE.contains(&name), "{name}");
    }
}

#[test]
fn a_driver_that_works_has_no_finding_and_ggml_would_offer_its_gpu() {
    let programs: [&[&str]; 6] = [
        GGML,
        CONTEXTS,
        CODE,
        &["symptoms", "memory"],
        &["symptoms", "pinned"],
        &["symptoms", "nvml"],
    ];
    for profile in [
        "h100",
        "h200",
        "a100",
        "l4",
        "t4",
        "two-gpu",
        "integrated",
        "shim-fixed",
    ] {
        for program in programs {
            let diagnosed = diagnose(profile, program);
            assert!(
                diagnosed.ids().is_empty(),
                "{profile}, {program:?}: {}",
                diagnosed.json
            );
            assert_eq!(diagnosed.end, End::Code(0), "{profile}, {program:?}");
            if program == GGML {
                let decision = &diagnosed.json["processes"][0]["devices"][0]["decision"];
                assert_eq!(decision["offered"], true, "{profile}: {decision}");
            }
        }
    }
}

/// The seed: what took hours to find, and the things its note proposed to check, answered from one trace.
#[test]
fn the_seed_s_shim_is_found_out_and_its_four_checks_are_answered() {
    let diagnosed = diagnose("shim-uninitialized", GGML);
    assert_eq!(diagnosed.ids(), ["meminfo-error"]);
    let first = diagnosed.first();
    assert_eq!(
        first["evidence"][0]["text"],
        "cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)"
    );
    assert_eq!(first["evidence"][0]["seq"], 16);
    assert_eq!(diagnosed.answer("memory info"), "no");
    assert_eq!(diagnosed.answer("unified addressing"), "yes");
    assert_eq!(diagnosed.answer("virtual memory"), "yes");
    assert_eq!(diagnosed.answer("compute capability"), "yes");
    assert_eq!(diagnosed.answer("UUID"), "not asked");
    let decision = &diagnosed.json["processes"][0]["devices"][0]["decision"];
    assert_eq!(decision["offered"], false);
    assert_eq!(decision["rule"], "meminfo-error");
}

#[test]
fn what_follows_from_a_cause_is_folded_under_it() {
    let diagnosed = diagnose("no-device", &["symptoms", "memory"]);
    assert_eq!(diagnosed.ids(), ["init-no-device"]);
    assert_eq!(diagnosed.consequences(), ["meminfo-error"]);
    let lost = diagnose("ctx-lost-permission", &["symptoms", "memory"]);
    assert_eq!(lost.consequences(), ["meminfo-error"]);
    // One problem, one finding: three calls failed.
    assert_eq!(lost.first()["count"], 2);
}

#[test]
fn a_variable_that_hides_the_gpu_is_blamed_only_if_it_names_one() {
    let scratch = tempfile::tempdir().unwrap();
    let see = |name: &str, profile: &str, visible: &str| {
        let path = scratch.path().join(name);
        let driver = format!("sim:{profile}");
        let mut command = record(&path, driver, &client("symptoms"), &["start"]);
        finish(command.env("CUDA_VISIBLE_DEVICES", visible));
        Diagnosed::of(&path)
    };
    let misread = see("a.cutape", "visible-devices-ignored", "GPU-5e0e8f2a");
    assert_eq!(misread.ids(), ["visible-devices-ignored"]);
    assert_eq!(misread.consequences(), ["init-no-device"]);
    assert!(see("b.cutape", "h100", "GPU-5e0e8f2a").ids().is_empty());
    let hidden = see("c.cutape", "h100", "-1");
    assert_eq!(hidden.ids(), ["init-no-device"]);
    let what = hidden.first()["what"].as_str().unwrap();
    assert!(
        what.contains("CUDA_VISIBLE_DEVICES was set to \"-1\""),
        "{what}"
    );
}

#[test]
fn a_program_that_makes_no_call_is_told_apart_from_one_that_starts_well() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("none.cutape");
    finish(&mut record(&path, "sim", Path::new("/bin/true"), &[]));
    let diagnosed = Diagnosed::of(&path);
    assert_eq!(diagnosed.ids(), ["no-calls"]);
    assert_eq!(diagnosed.first()["severity"], "doubtful");
}

/// What doctor says of the traces that are kept; a trace that is not listed must be readable, whatever is found.
const GOLDEN: &[(&str, &[&str])] = &[
    ("cudart-12.9-on-535-without-gpu.cutape", &["init-no-device"]),
    ("ggml-backend-on-h100.cutape", &[]),
    (
        "ggml-backend-on-shim-uninitialized.cutape",
        &["meminfo-error"],
    ),
    ("ggml-startup-on-shim-fixed.cutape", &[]),
    (
        "ggml-startup-on-shim-uninitialized.cutape",
        &["meminfo-error"],
    ),
    ("pytorch-on-h100.cutape", &[]),
    ("pytorch-on-shim-uninitialized.cutape", &["meminfo-error"]),
];

#[test]
fn golden_traces_get_their_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "cutape")
        {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let diagnosed = Diagnosed::of(&path);
        assert!(matches!(diagnosed.end, End::Code(0 | 1)), "{name}");
        if let Some((_, verdict)) = GOLDEN.iter().find(|(known, _)| *known == name) {
            assert_eq!(diagnosed.ids(), *verdict, "{name}");
        }
    }
    assert!(GOLDEN.iter().all(|(name, _)| folder.join(name).exists()));
}

fn doctor(arguments: &[&str]) -> Finished {
    finish(&mut cutape(["doctor"].iter().chain(arguments)))
}

#[test]
fn the_report_tells_the_story_with_call_numbers() {
    let scratch = tempfile::tempdir().unwrap();
    let path = recorded(scratch.path(), "shim-uninitialized", GGML);
    let broken = doctor(&[path.to_str().unwrap()]);
    assert_eq!(broken.end, End::Code(1), "{}", broken.stderr);
    for expected in [
        "1 problem\n",
        "1. meminfo-error (fatal): The driver can't say how much memory the GPU has\n",
        "   call 16  cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)",
        "runs on the CPU [silent]",
        "    memory info         no         call 16         CUDA_ERROR_NOT_INITIALIZED (3)\n",
        "    unified addressing  yes        call 10         attribute 41 is 1\n",
        "=> GGML would not use this GPU: ",
    ] {
        assert!(
            broken.stdout.contains(expected),
            "{expected:?}: {}",
            broken.stdout
        );
    }
    assert!(!broken.stdout.contains('\x1b'), "no colours in a pipe");
    fs::remove_file(&path).unwrap();
    let fixed = recorded(scratch.path(), "shim-fixed", GGML);
    let fixed = doctor(&[fixed.to_str().unwrap()]);
    assert_eq!(fixed.end, End::Code(0), "{}", fixed.stdout);
    assert!(
        fixed.stdout.starts_with("nothing wrong found\n"),
        "{}",
        fixed.stdout
    );
    let offer = "=> GGML would offer this GPU: 78 GiB of 80 GiB free, compute 9.0\n";
    assert!(fixed.stdout.contains(offer), "{}", fixed.stdout);
}

#[test]
fn the_end_of_a_recording_names_the_command_that_says_why() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("broken.cutape");
    let mut command = record(&path, "sim:meminfo-zero", &client("ggml_startup"), &[]);
    let said = finish(&mut command).stderr;
    let expected = format!(
        "cutape: `cutape doctor {}` says why: meminfo-zero\n",
        path.display()
    );
    assert!(said.contains(&expected), "{said}");
    let path = scratch.path().join("fine.cutape");
    let said = finish(&mut record(&path, "sim", &client("ggml_startup"), &[])).stderr;
    assert!(!said.contains("cutape doctor"), "{said}");
}

#[test]
fn what_is_allowed_is_passed_over_with_what_follows_from_it() {
    let scratch = tempfile::tempdir().unwrap();
    let path = recorded(scratch.path(), "no-device", &["symptoms", "memory"]);
    let path = path.to_str().unwrap();
    let allowed = doctor(&["--allow", "init-no-device", path]);
    assert_eq!(allowed.end, End::Code(0), "{}", allowed.stdout);
    assert!(
        allowed
            .stdout
            .contains("passed over as allowed: init-no-device"),
        "{}",
        allowed.stdout
    );
    let other = doctor(&["--allow", "no-devices", path]);
    assert_eq!(other.end, End::Code(1));
}

#[test]
fn rules_are_explained_and_slips_are_understood() {
    let explained = doctor(&["--explain", "meminfo-error"]);
    assert_eq!(explained.end, End::Code(0));
    for expected in [
        "when\n",
        "[silent]",
        "what to try\n",
        "llama.cpp#25157",
        "follows from\n",
    ] {
        assert!(
            explained.stdout.contains(expected),
            "{expected}: {}",
            explained.stdout
        );
    }
    let benign = doctor(&["--explain", "benign-probe"]);
    assert!(
        benign.stdout.contains("look-up-found-nothing"),
        "{}",
        benign.stdout
    );
    for arguments in [["--explain", "meminfo-eror"], ["--allow", "meminfo-eror"]] {
        let mut arguments = arguments.to_vec();
        if arguments[0] == "--allow" {
            arguments.push("none.cutape");
        }
        let slip = doctor(&arguments);
        assert_eq!(slip.end, End::Code(2));
        assert!(
            slip.stderr.contains("did you mean meminfo-error?"),
            "{}",
            slip.stderr
        );
    }
    let unknown = doctor(&["--explain", "banana"]);
    assert!(
        unknown.stderr.contains("The rules are "),
        "{}",
        unknown.stderr
    );
    assert_eq!(doctor(&[]).end, End::Code(2));
}

#[test]
fn damaged_and_absent_traces_are_trouble_and_what_is_intact_is_judged() {
    let scratch = tempfile::tempdir().unwrap();
    let path = recorded(scratch.path(), "meminfo-zero", GGML);
    let bytes = fs::read(&path).unwrap();
    // Behind the calls are the blocks that say what they mean; the index goes first.
    fs::write(&path, &bytes[..bytes.len() - 40]).unwrap();
    let cut = doctor(&[path.to_str().unwrap()]);
    assert!(
        cut.stdout.contains("meminfo-zero"),
        "{}{}",
        cut.stdout,
        cut.stderr
    );
    fs::write(&path, b"").unwrap();
    let empty = doctor(&[path.to_str().unwrap()]);
    assert_eq!(empty.end, End::Code(2));
    assert!(empty.stderr.starts_with("cutape: "), "{}", empty.stderr);
    assert_eq!(doctor(&["/nowhere.cutape"]).end, End::Code(2));
}

/// docs/doctor.md has a row for each rule, and none for what is no rule.
#[test]
fn the_documentation_lists_the_rules_there_are() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md")).unwrap();
    let listed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(id, _)| id)
        .collect();
    let unknown = doctor(&["--explain", "banana"]).stderr;
    let known = unknown.trim().rsplit("The rules are ").next().unwrap();
    for id in known.split(", ") {
        let explained = doctor(&["--explain", id]).stdout;
        let is_rule = !explained.contains("(benign)");
        assert_eq!(is_rule, listed.contains(&id), "{id}");
    }
}
