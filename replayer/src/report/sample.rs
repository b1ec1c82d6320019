//! A made-up report for the tests of what writes reports.

use super::{FunctionTally, ProcessReport, Report, SkipTally, TraceReport};
use crate::answer::{Answer, AnswerClass, Code, Difference, Part};
use crate::divergence::{Divergence, PlayedCall};
use crate::skip::SkipReason;
use crate::verdict::{Tally, Verdict};

/// A divergence without any difference.
pub fn diverged(seq: u64, function: &str, verdict: Verdict) -> Divergence {
    Divergence {
        call: PlayedCall {
            seq,
            pid: 4411,
            tid: 4412,
            function: function.to_owned(),
            text: format!("{function}() = CUDA_SUCCESS (0)"),
        },
        verdict,
        recorded: Answer::default(),
        replayed: None,
        differences: Vec::new(),
        skipped: None,
        detail: None,
        cause: None,
        expected: None,
    }
}

fn answer(number: u32, name: &str) -> Answer {
    Answer {
        code: Some(Code {
            number,
            name: Some(name.to_owned()),
        }),
        duration_ns: Some(1200),
    }
}

fn difference(part: Part, class: AnswerClass, values: (&str, &str), brief: &str) -> Difference {
    Difference {
        part,
        class,
        recorded: values.0.to_owned(),
        replayed: values.1.to_owned(),
        brief: brief.to_owned(),
    }
}

fn memory_query(seq: u64) -> Divergence {
    let mut one = diverged(seq, "cuMemGetInfo_v2", Verdict::Regressed);
    one.call.text =
        "cuMemGetInfo_v2(free=83751862272 (78 GiB), total=85899345920 (80 GiB)) = CUDA_SUCCESS (0)"
            .to_owned();
    one.recorded = answer(0, "CUDA_SUCCESS");
    one.replayed = Some(answer(3, "CUDA_ERROR_NOT_INITIALIZED"));
    one.differences = vec![
        difference(
            Part::Returned,
            AnswerClass::Code,
            ("CUDA_SUCCESS (0)", "CUDA_ERROR_NOT_INITIALIZED (3)"),
            "0 -> 3",
        ),
        difference(
            Part::Argument("free".to_owned()),
            AnswerClass::FreeMemory,
            ("83751862272 (78 GiB)", "0"),
            "78 GiB -> 0",
        ),
    ];
    one
}

fn consequence(seq: u64, function: &str) -> Divergence {
    let mut one = diverged(seq, function, Verdict::Skipped);
    one.skipped = Some(SkipReason::Consequence);
    one.cause = Some(30);
    one
}

fn tally(verdicts: &[(Verdict, u64)]) -> Tally {
    let mut tally = Tally::default();
    for &(verdict, calls) in verdicts {
        (0..calls).for_each(|_| tally.add(verdict));
    }
    tally
}

/// One trace: something regressed twice, a crash with consequences, something fixed, something expected, something left out.
pub fn report() -> TraceReport {
    let mut crashed = diverged(30, "cuMemAlloc_v2", Verdict::Crashed);
    crashed.detail = Some("SIGSEGV".to_owned());
    let mut fixed = diverged(12, "cuCtxGetCurrent", Verdict::Fixed);
    fixed.recorded = answer(201, "CUDA_ERROR_INVALID_CONTEXT");
    fixed.replayed = Some(answer(0, "CUDA_SUCCESS"));
    let mut expected = diverged(14, "cuDeviceGetName", Verdict::Changed);
    expected.expected = Some("another GPU <on purpose>".to_owned());
    let functions = [
        ("cuMemGetInfo_v2", &[(Verdict::Regressed, 2)][..], 2),
        (
            "cuMemAlloc_v2",
            &[(Verdict::Same, 3), (Verdict::Crashed, 1)],
            1,
        ),
        ("cuInit", &[(Verdict::Same, 1)], 0),
        ("cuCtxGetCurrent", &[(Verdict::Fixed, 1)], 0),
        ("cuDeviceGetName", &[(Verdict::Changed, 1)], 0),
        ("cuMemcpyHtoD_v2", &[(Verdict::Skipped, 1)], 0),
        ("cuMemFree_v2", &[(Verdict::Skipped, 1)], 0),
    ];
    TraceReport {
        expected_skips: 0,
        trace: "traces/llama.cutape".into(),
        processes: vec![ProcessReport {
            pid: 4411,
            calls: 11,
            called_back: 0,
            deaths: 1,
            printed: "driver says \x1b[31mhello\n".to_owned(),
            ..ProcessReport::default()
        }],
        functions: functions
            .iter()
            .map(|(function, verdicts, reproaches)| FunctionTally {
                function: (*function).to_owned(),
                tally: tally(verdicts),
                reproaches: *reproaches,
                recorded_ns: 1000,
                replayed_ns: 2_500_000,
            })
            .collect(),
        divergences: vec![
            fixed,
            expected,
            memory_query(16),
            memory_query(20),
            crashed,
            consequence(31, "cuMemcpyHtoD_v2"),
            consequence(32, "cuMemFree_v2"),
        ],
        omitted: 0,
        reproaches: 3,
        expected: 1,
        not_compared: Vec::new(),
        skips: vec![
            SkipTally {
                reason: SkipReason::Consequence,
                function: "cuMemFree_v2".to_owned(),
                calls: 1,
            },
            SkipTally {
                reason: SkipReason::Consequence,
                function: "cuMemcpyHtoD_v2".to_owned(),
                calls: 1,
            },
        ],
        consequences: vec![(30, 2)],
        calls: None,
        troubles: Vec::new(),
        wall_ns: 12_345_678,
    }
}

/// A suite of that one trace.
pub fn suite() -> Report {
    Report {
        driver: "./build/libcuda.so.1".to_owned(),
        traces: vec![report()],
        unused_policy: vec!["policy.toml:12: cuInit: \"old\"".to_owned()],
    }
}
