//! What filters mean: on real recordings, and on calls made for it.

#[allow(dead_code)]
mod sample;

use std::ops::ControlFlow;
use std::path::Path;

use cutape_analysis::filter::{Filter, Matcher, Selection};
use cutape_analysis::index::Index;
use cutape_trace_format::sample::SampleCapture;
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;
use sample::Sample;

fn golden(name: &str) -> Trace {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces");
    Trace::open(&traces.join(name)).expect("opens")
}

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn selected(trace: &Trace, filter: &Filter) -> Selection {
    let index = Index::of(trace);
    filter
        .select(trace, &index, &mut |_| ControlFlow::Continue(()))
        .expect("nobody broke it off")
}

/// Numbers of the calls that a filter means: the same ones whichever way they are found.
fn matching(trace: &Trace, text: &str) -> Vec<u64> {
    let filter = filter(text);
    let selection = selected(trace, &filter);
    let mut matcher = Matcher::new(&filter);
    let calls = trace.calls().map(|call| call.expect("reads"));
    let one_by_one: Vec<u64> = calls
        .filter(|call| matcher.matches(trace, call))
        .map(|call| call.seq)
        .collect();
    assert!(
        selection.iter_from(1).eq(one_by_one.iter().copied()),
        "{text}"
    );
    assert_eq!(selection.count(), one_by_one.len() as u64);
    one_by_one
}

/// Names of the functions of those calls, each once.
fn functions(trace: &Trace, text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for seq in matching(trace, text) {
        let call = trace.call(seq).expect("reads").expect("is there");
        let name = trace.function_name(call.function).into_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[test]
fn the_call_that_costs_ggml_its_gpu_is_found_by_what_is_known_of_it() {
    let trace = golden("ggml-startup-on-shim-uninitialized.cutape");
    let all = [
        "ret == 3",
        "ret == NOT_INITIALIZED",
        "ret == CUDA_ERROR_NOT_INITIALIZED",
        "ret ~ *INITIALIZED",
        "ret =~ NOT_INIT and not ok",
        "ok == false",
        "not ok",
        "ret != 0",
        "ret > 0",
        "ret in {3, 100}",
        "ret in {1..10}",
        "cuMemGetInfo",
        "cuMemGetInfo_v2",
        "api == cuMemGetInfo",
        "api contains GetInfo",
        "arg.free == 0 and arg.total == 0",
        "arg.free",
        "seq == 16 || seq > 1000",
    ];
    for text in all {
        assert_eq!(matching(&trace, text), [16], "{text}");
    }
    assert_eq!(matching(&trace, "true_or_not"), [0u64; 0]);
    assert_eq!(matching(&trace, "ok or not ok").len(), 16);
    assert_eq!(
        functions(&trace, "arg.attrib == COMPUTE_CAPABILITY_MAJOR"),
        ["cuDeviceGetAttribute"]
    );
    assert_eq!(
        matching(&trace, "arg.attrib == MAJOR"),
        matching(&trace, "arg.attrib == 75")
    );
    assert_eq!(
        functions(
            &trace,
            "arg.prop.location.type == CU_MEM_LOCATION_TYPE_DEVICE"
        ),
        ["cuMemGetAllocationGranularity"]
    );
    assert_eq!(
        functions(&trace, "arg.name contains H100"),
        ["cuDeviceGetName"]
    );
    assert_eq!(
        functions(&trace, "family == Init"),
        ["cuInit", "cuDriverGetVersion"]
    );
    assert_eq!(matching(&trace, "caller == ggml_startup").len(), 16);
    assert_eq!(matching(&trace, "caller ~ ggml_startup+0x1bb4"), [12]);
    let contexts = functions(&trace, "ctx == ctx#1");
    assert!(
        contexts.contains(&"cuCtxSetCurrent".to_owned()),
        "{contexts:?}"
    );
    assert!(
        contexts.contains(&"cuMemGetInfo_v2".to_owned()),
        "in that context: {contexts:?}"
    );
    assert!(!contexts.contains(&"cuInit".to_owned()), "{contexts:?}");
}

#[test]
fn what_pytorch_copies_is_found_by_stream_size_and_object() {
    let trace = golden("pytorch-on-h100.cutape");
    assert_eq!(
        functions(&trace, "stream and bytes"),
        ["cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2"]
    );
    let memory = functions(&trace, "obj == dptr#1");
    assert!(
        memory.contains(&"cuMemcpyHtoDAsync_v2".to_owned()),
        "{memory:?}"
    );
    assert_eq!(
        matching(&trace, "obj ~ dptr#*"),
        matching(&trace, "obj =~ ^dptr#")
    );
    let looked_up = matching(&trace, "cuGetProcAddress and arg.symbol ~ cuMem*");
    assert!(looked_up.len() > 20, "{looked_up:?}");
}

fn made() -> Sample {
    let mut sample = Sample::new();
    let stream = 0x5500u64.to_le_bytes();
    sample.call("cuInit", &[0], Some(0)); // 1
    sample.call_with(
        "cuStreamCreate",
        &[0x10, 1],
        Some(0),
        &[SampleCapture::after(0, &stream)],
    );
    sample.call("cuMemAlloc_v2", &[0x10, 5 << 20], Some(2)); // 3
    sample.call("cuStreamSynchronize", &[0x5500], Some(0));
    sample.call("cuStreamSynchronize", &[0], Some(0)); // 5
    sample.process(200);
    sample.call(
        "cuMemcpyHtoDAsync_v2",
        &[0x7f00_0000, 0x10, 4096, 0x5500],
        Some(0),
    ); // 6
    sample.call("cuStreamSynchronize", &[0x5500], None); // 7, never returns
    sample.call_number(9_999, &[1, 2, 3, 4, 5, 6], Some(7), &[]); // 8, of no known function
    sample
}

#[test]
fn fields_mean_what_they_say() {
    let mut sample = made();
    let trace = sample.open();
    let cases: [(&str, &[u64]); 32] = [
        ("pid == 200", &[6, 7, 8]),
        ("pid != 200", &[1, 2, 3, 4, 5]),
        ("tid in {100}", &[1, 2, 3, 4, 5]),
        ("comm == main and pid == 100", &[1, 2, 3, 4, 5]),
        ("stream", &[2, 4, 5, 6, 7]),
        ("stream == 0x5500", &[2, 4, 6, 7]),
        ("stream == stream#1", &[2, 4]),
        ("stream == NULL", &[5]),
        ("obj == 0x5500 and pid == 100", &[2, 4]),
        ("bytes >= 5MiB", &[3]),
        ("bytes < 5MiB", &[6]),
        ("bytes in {4KiB..1MiB}", &[6]),
        ("bytes == 5242880", &[3]),
        ("dur", &[1, 2, 3, 4, 5, 6, 8]),
        ("not dur", &[7]),
        ("dur == 250ns and ret == 0", &[1, 2, 4, 5, 6]),
        ("dur < 0.3us and not ok == true", &[3]),
        ("dur > 250ns", &[]),
        ("t < 2us", &[1]),
        ("t >= 6us", &[6, 7, 8]),
        ("gap == 750ns", &[2, 3, 4, 5, 7]),
        ("gap >= 1us", &[8]),
        ("not gap", &[1, 6]),
        ("ret", &[1, 2, 3, 4, 5, 6, 8]),
        ("ret != 0", &[3, 8]),
        ("not ret == 0", &[3, 7, 8]),
        ("arg.arg2 == 3", &[8]),
        ("arg.hStream == 0x5500", &[4, 6, 7]),
        ("arg.phStream == 0x5500", &[2]),
        ("arg.Flags == NON_BLOCKING", &[2]),
        ("caller ~ libclient.so*", &[1, 2, 3, 4, 5, 6, 7, 8]),
        ("injected or injected == true", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(matching(&trace, text), expected, "{text}");
    }
}

#[test]
fn sealing_changes_no_answer() {
    let mut sample = made();
    let folder = sample.open();
    let out = sample.path("b.cutape");
    seal(
        &sample.recording.path,
        &out,
        SealOptions::default(),
        &mut |_| {},
    )
    .expect("seals");
    let file = Trace::open(&out).expect("opens");
    for text in [
        "stream == stream#1",
        "gap > 700ns and gap < 800ns",
        "bytes or arg.hStream",
        "caller contains client and ret == 0",
        "not (ok or pid == 200)",
    ] {
        assert_eq!(matching(&folder, text), matching(&file, text), "{text}");
    }
}

#[test]
fn a_kernel_has_the_name_under_which_it_was_looked_up() {
    let mut sample = Sample::new();
    let handle = |word: u64| word.to_le_bytes();
    let name = |name: &'static [u8]| SampleCapture::before(2, name);
    sample.call_with(
        "cuModuleGetFunction",
        &[0x10, 0x77, 0x20],
        Some(0),
        &[name(b"gemm\0"), SampleCapture::after(0, &handle(0xf1))],
    );
    sample.call_with(
        "cuLibraryGetKernel",
        &[0x10, 0x88, 0x20],
        Some(0),
        &[name(b"softmax\0"), SampleCapture::after(0, &handle(0xf2))],
    );
    sample.call(
        "cuLaunchKernel",
        &[0xf1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        Some(0),
    );
    sample.call(
        "cuLaunchKernel",
        &[0xf2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        Some(0),
    );
    sample.call(
        "cuLaunchKernel",
        &[0xf3, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        Some(0),
    );
    let trace = sample.open();
    assert_eq!(matching(&trace, "kernel == gemm"), [1, 3]);
    assert_eq!(
        matching(&trace, "kernel == softmax and cuLaunchKernel"),
        [4]
    );
    assert_eq!(matching(&trace, "cuLaunchKernel and not kernel"), [5]);
    assert_eq!(
        matching(&trace, "kernel in {ge*, softmax} and cuLaunch*"),
        [3, 4]
    );
}

#[test]
fn an_in_out_parameter_matches_before_and_after() {
    let mut sample = Sample::new();
    let (before, after) = (8u64.to_le_bytes(), 3u64.to_le_bytes());
    let both_of = |param| {
        [
            SampleCapture::before(param, &before),
            SampleCapture::after(param, &after),
        ]
    };
    // const void *buffer, size_t *size, flags: how long it is, and how long the text was.
    sample.call_with(
        "cuLogsDumpToMemory",
        &[0, 0x10, 0x20, 0],
        Some(0),
        &both_of(2),
    );
    let trace = sample.open();
    for text in ["== 8", "== 3", "in {1..4}", "> 7"] {
        assert_eq!(matching(&trace, &format!("arg.size {text}")), [1], "{text}");
    }
    assert_eq!(matching(&trace, "arg.size.after == 8"), [0u64; 0]);
    assert_eq!(matching(&trace, "arg.size.before == 8"), [1]);
    assert_eq!(
        matching(&trace, "arg.size != 3"),
        [0u64; 0],
        "one of them is 3"
    );
    assert_eq!(matching(&trace, "arg.size != 5"), [1]);
}

#[test]
fn a_slip_in_a_name_is_pointed_out() {
    let trace = golden("ggml-startup-on-shim-uninitialized.cutape");
    let warnings = |text: &str| filter(text).warnings(&trace);
    assert_eq!(
        warnings("cuMemGetInof"),
        ["no function of the trace is called like cuMemGetInof; did you mean cuMemGetInfo?"]
    );
    assert_eq!(
        warnings("family == Devise"),
        ["no family of the trace is called Devise; did you mean Device?"]
    );
    assert_eq!(
        warnings("cuMem* and family == Device or api != cuFoo"),
        [""; 0]
    );
}

#[test]
fn selecting_can_be_broken_off() {
    let mut sample = made();
    let trace = sample.open();
    let index = Index::of(&trace);
    let mut calls = 0;
    let selection = filter("ok").select(&trace, &index, &mut |done| {
        calls = done;
        ControlFlow::Break(())
    });
    assert_eq!((selection, calls), (None, 8));
}
