//! Diagnosis of traces that say what no simulated driver does: many calls, many codes, contradictions, ends in the middle.

#[allow(dead_code)]
mod sample;

use cutape_analysis::doctor::checklist::{Answer, Decision};
use cutape_analysis::doctor::{Diagnosis, explain, json, report, rules};
use cutape_trace_format::sample::SampleCapture;
use sample::Sample;

fn diagnose(sample: &mut Sample) -> Diagnosis {
    Diagnosis::of(&sample.open(), &[], |_| {})
}

fn ids(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.findings.iter().map(|one| one.rule.id).collect()
}

/// `cuMemGetInfo_v2` with that answer.
fn memory_info(sample: &mut Sample, code: u32, free: u64, total: u64) {
    let (free, total) = (free.to_le_bytes(), total.to_le_bytes());
    let said = [
        SampleCapture::after(0, &free),
        SampleCapture::after(1, &total),
    ];
    sample.call_with("cuMemGetInfo_v2", &[0x10, 0x20], Some(code), &said);
}

fn attribute(sample: &mut Sample, number: u64, value: i32) {
    let value = value.to_le_bytes();
    let said = [SampleCapture::after(0, &value)];
    sample.call_with("cuDeviceGetAttribute", &[0x10, number, 0], Some(0), &said);
}

#[test]
fn one_problem_is_one_finding_however_often_it_happens() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    for _ in 0..1000 {
        memory_info(&mut sample, 3, 0, 0);
    }
    memory_info(&mut sample, 999, 0, 0);
    let diagnosis = diagnose(&mut sample);
    assert_eq!(ids(&diagnosis), ["meminfo-error"]);
    let finding = &diagnosis.findings[0];
    assert_eq!(finding.count, 1001);
    assert_eq!(finding.calls, [2, 3, 4, 5, 1002]);
    assert!(
        finding.what.contains("CUDA_ERROR_NOT_INITIALIZED (3)"),
        "{}",
        finding.what
    );
    assert!(
        finding.what.contains("CUDA_ERROR_UNKNOWN (999)"),
        "{}",
        finding.what
    );
    assert_eq!(finding.evidence.len(), 5);
}

#[test]
fn a_start_that_fails_and_then_succeeds_is_no_problem() {
    let mut sample = Sample::new();
    sample
        .call("cuInit", &[0], Some(3))
        .call("cuInit", &[0], Some(0));
    let diagnosis = diagnose(&mut sample);
    assert!(ids(&diagnosis).is_empty());
    // It is still said.
    assert_eq!(diagnosis.unexplained[0].api, "cuInit");
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(3));
    assert_eq!(ids(&diagnose(&mut sample)), ["init-not-initialized"]);
}

#[test]
fn what_fails_because_the_context_was_refused_is_folded_under_it() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    sample.call("cuDevicePrimaryCtxRetain", &[0x10, 0], Some(801));
    sample.call("cuCtxSetCurrent", &[0], Some(201));
    memory_info(&mut sample, 201, 0, 0);
    let diagnosis = diagnose(&mut sample);
    assert_eq!(ids(&diagnosis), ["ctx-retain-failed"]);
    let consequences = &diagnosis.findings[0].consequences;
    let consequences: Vec<_> = consequences.iter().map(|one| one.rule.id).collect();
    assert_eq!(consequences, ["ctx-set-failed", "meminfo-error"]);
    assert!(
        diagnosis.unexplained.is_empty(),
        "{:?}",
        diagnosis.unexplained
    );
}

#[test]
fn two_processes_have_their_own_problems() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(100));
    sample.process(200);
    sample.call("cuInit", &[0], Some(0));
    memory_info(&mut sample, 3, 0, 0);
    let diagnosis = diagnose(&mut sample);
    // The second process started, so its failure does not follow from the first one's.
    assert_eq!(ids(&diagnosis), ["init-no-device", "meminfo-error"]);
}

#[test]
fn an_answer_that_changes_breaks_the_runtime_s_check() {
    let mut sample = Sample::new();
    for uuid in [[1u8; 16], [2u8; 16]] {
        let said = [SampleCapture::after(0, &uuid)];
        sample.call_with("cuDeviceGetUuid_v2", &[0x10, 0], Some(0), &said);
    }
    let diagnosis = diagnose(&mut sample);
    assert_eq!(ids(&diagnosis), ["integrity-mismatch"]);
    assert_eq!(diagnosis.findings[0].calls, [1, 2]);
    // On a slice of a GPU the two functions rightly differ.
    let mut slice = Sample::new();
    for (name, uuid) in [
        ("cuDeviceGetUuid", [1u8; 16]),
        ("cuDeviceGetUuid_v2", [2u8; 16]),
    ] {
        let said = [SampleCapture::after(0, &uuid)];
        slice.call_with(name, &[0x10, 0], Some(0), &said);
    }
    assert!(ids(&diagnose(&mut slice)).is_empty());
}

#[test]
fn a_call_that_hung_when_everything_was_killed_is_named() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    sample.call("cuDevicePrimaryCtxRetain", &[0x10, 0], None);
    let diagnosis = diagnose(&mut sample);
    assert_eq!(ids(&diagnosis), ["killed-in-call"]);
    assert_eq!(diagnosis.findings[0].calls, [2]);
    let what = &diagnosis.findings[0].what;
    assert!(
        what.contains("cuDevicePrimaryCtxRetain had not returned"),
        "{what}"
    );
}

#[test]
fn an_attribute_that_an_older_driver_does_not_know_is_no_problem() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    sample.call("cuDeviceGetAttribute", &[0x10, 144, 0], Some(1));
    assert!(ids(&diagnose(&mut sample)).is_empty());
    sample.call("cuDeviceGetAttribute", &[0x10, 16, 0], Some(999));
    assert_eq!(ids(&diagnose(&mut sample)), ["device-query-failed"]);
}

#[test]
fn a_quick_driver_with_one_slow_answer_is_not_too_slow() {
    let mut sample = Sample::new();
    for _ in 0..100 {
        sample.call("cuDeviceGetCount", &[0x10], Some(0));
    }
    assert!(ids(&diagnose(&mut sample)).is_empty());
}

#[test]
fn ggml_s_decision_names_what_was_not_asked() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    attribute(&mut sample, 75, 9);
    attribute(&mut sample, 76, 0);
    let diagnosis = diagnose(&mut sample);
    let list = &diagnosis.processes[0].checklists[0];
    assert_eq!(list.decision, Decision::Unknown(vec!["memory info"]));
    memory_info(&mut sample, 0, 78 << 30, 80 << 30);
    let diagnosis = diagnose(&mut sample);
    let list = &diagnosis.processes[0].checklists[0];
    let offer = Decision::Offer {
        free: 78 << 30,
        total: 80 << 30,
        compute: (9, 0),
    };
    assert_eq!(list.decision, offer);
    let answer = |id| {
        let mut questions = list.questions.iter();
        questions.find(|one| one.id == id).map(|one| one.answer)
    };
    assert_eq!(answer("memory info"), Some(Answer::Yes));
    assert_eq!(answer("unified addressing"), Some(Answer::NotAsked));
}

#[test]
fn failures_that_no_rule_speaks_of_are_listed_and_benign_ones_are_not() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    sample.call("cuCtxGetDevice", &[0x10], Some(201));
    for _ in 0..3 {
        sample.call("cuStreamSynchronize", &[0], Some(700));
    }
    let diagnosis = diagnose(&mut sample);
    assert!(ids(&diagnosis).is_empty());
    assert_eq!(diagnosis.unexplained.len(), 1);
    let one = &diagnosis.unexplained[0];
    assert_eq!((one.code, one.calls, one.first), (700, 3, 3));
    assert_eq!(one.answer, "CUDA_ERROR_ILLEGAL_ADDRESS (700)");
}

/// Ollama tries one folder of libraries after the other, each in a process of its own.
#[test]
fn a_driver_too_old_for_one_of_ollama_s_folders_is_no_finding_if_another_folder_works() {
    let number = |sample: &mut Sample, name: &str, value: i32| {
        let value = value.to_le_bytes();
        sample.call_with(name, &[0x10], Some(0), &[SampleCapture::after(0, &value)]);
    };
    for devices in [None, Some(0), Some(1)] {
        let mut sample = Sample::new();
        number(&mut sample, "cuDriverGetVersion", 12_080);
        sample.process(101);
        number(&mut sample, "cuDriverGetVersion", 12_080);
        if let Some(devices) = devices {
            sample.call("cuInit", &[0], Some(0));
            number(&mut sample, "cuDeviceGetCount", devices);
        }
        let mut trace = sample.open();
        for (process, version) in trace.processes_mut().iter_mut().zip([13, 12]) {
            let libraries = &mut process.libraries[0].libraries;
            let library = libraries[0].clone();
            libraries.extend(
                ["libggml-cuda.so", &format!("libcudart.so.{version}")].map(|name| {
                    let mut mapped = library.clone();
                    mapped.path = format!("/usr/lib/ollama/cuda_v{version}/{name}");
                    mapped
                }),
            );
        }
        let diagnosis = Diagnosis::of(&trace, &[], |_| {});
        let is_too_old = ids(&diagnosis).contains(&"driver-too-old");
        assert_eq!(is_too_old, devices != Some(1), "{devices:?}");
    }
}

#[test]
fn a_diagnosis_can_be_stopped() {
    let mut sample = Sample::new();
    for _ in 0..70_000 {
        sample.call("cuCtxSynchronize", &[], Some(0));
    }
    let trace = sample.open();
    let mut told = Vec::new();
    let stopped = Diagnosis::watched(&trace, &[], |calls| {
        told.push(calls);
        std::ops::ControlFlow::Break(())
    });
    assert!(stopped.is_none());
    assert_eq!(told, [65_536]);
    assert_eq!(Diagnosis::of(&trace, &[], |_| {}).calls, 70_000);
}

#[test]
fn a_trace_of_nonsense_is_diagnosed_without_a_word_of_control() {
    let mut sample = Sample::new();
    let name = b"\x1b[31mGPU\x07\0";
    let said = [SampleCapture::after(0, name)];
    sample.call("cuInit", &[0], Some(0));
    sample.call_with("cuDeviceGetName", &[0x10, 256, u64::MAX], Some(0), &said);
    sample.call_number(4_000, &[1, 2], Some(7), &[]);
    sample.call("cuMemGetInfo_v2", &[], Some(u32::MAX));
    sample.call("cuGetProcAddress_v2", &[], Some(0));
    sample.call("cuDriverGetVersion", &[0x10], Some(0));
    let trace = sample.open();
    let diagnosis = Diagnosis::of(&trace, &[], |_| {});
    let text = report::report(&trace, &diagnosis).plain();
    assert!(text.contains("GPU"), "{text}");
    let is_clean = |letter: char| letter == '\n' || !letter.is_control();
    assert!(text.chars().all(is_clean), "{text:?}");
    let parsed: serde_json::Value =
        serde_json::from_str(&json::to_json(&trace, &diagnosis)).unwrap();
    assert_eq!(parsed["schema"], "cutape.doctor");
    assert_eq!(parsed["version"], 1);
}

#[test]
fn rules_are_whole_and_explain_only_each_other() {
    let known: Vec<&str> = rules::RULES.iter().map(|rule| rule.id).collect();
    for (place, rule) in rules::RULES.iter().enumerate() {
        let id = rule.id;
        assert!(!known[..place].contains(&id), "{id} twice");
        assert!(
            id.bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_lowercase()),
            "{id}"
        );
        assert!(!rule.checks.is_empty() && !rule.advice.is_empty(), "{id}");
        assert!(
            !rule.sources.is_empty() && !rule.reactions.is_empty(),
            "{id}"
        );
        assert!(
            rule.when.ends_with('.') && !rule.title.ends_with('.'),
            "{id}"
        );
        for cause in rule.follows.iter().copied().flatten() {
            assert!(known.contains(cause), "{id} follows {cause}");
            let back = rules::rule(cause).is_some_and(|other| other.is_explained_by(id));
            assert!(!back, "{id} and {cause} explain each other");
        }
    }
    assert!(explain::ids().all(|id| explain::explain(id).is_some()));
}
