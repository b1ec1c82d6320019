//! What is known about objects: who created and destroyed them, what handles and addresses stand for.

#[allow(dead_code)]
mod sample;

use cutape_analysis::objects::{
    Ending, Kind, Namer, Object, ObjectTracker, Objects, Origin, Part, ReferenceFinder, names_in,
};
use cutape_analysis::objects_info::ObjectsInfo;
use cutape_analysis::text::{Detail, push_named_call};
use cutape_trace_format::call::{Call, ProcessId};
use cutape_trace_format::sample::SampleCapture;
use sample::Sample;

const CONTEXT: u64 = 0x5040_0000_0000;
const PROCESS: ProcessId = ProcessId(0);

/// A call that answers one word behind its first parameter.
fn creates<'a>(sample: &'a mut Sample, name: &str, args: &[u64], word: u64) -> &'a mut Sample {
    let mut all = vec![0x7ffe_0000];
    all.extend_from_slice(args);
    sample.call_with(
        name,
        &all,
        Some(0),
        &[SampleCapture::after(0, &word.to_le_bytes())],
    )
}

/// A call that looks something up by name.
fn finds<'a>(sample: &'a mut Sample, api: &str, of: u64, name: &str, word: u64) -> &'a mut Sample {
    let text = format!("{name}\0");
    let word = word.to_le_bytes();
    let captures = [
        SampleCapture::after(0, &word),
        SampleCapture::before(2, text.as_bytes()),
    ];
    sample.call_with(api, &[0x7ffe_0000, of, 0x7ffe_1000], Some(0), &captures)
}

fn objects(sample: &mut Sample) -> Objects {
    Objects::of(&sample.open(), |_| ())
}

/// The object with a label, as it is in the end.
fn named<'a>(objects: &'a Objects, label: &str) -> &'a Object {
    let mut all = objects.all().iter();
    all.find(|object| object.label().to_string() == label)
        .unwrap_or_else(|| panic!("no {label}"))
}

/// The labels of the references of each call, as they are when calls are read one after the other.
fn labels(sample: &mut Sample) -> Vec<String> {
    let trace = sample.open();
    let mut tracker = ObjectTracker::default();
    let mut lines = Vec::new();
    for call in trace.calls() {
        let call: Call = call.expect("reads");
        let references = tracker.observe(trace.schema(), &call).to_vec();
        let label = |reference: &cutape_analysis::objects::Reference| {
            let object = tracker.object(reference.object);
            object
                .label_at(call.seq)
                .with_offset(reference.offset)
                .to_string()
        };
        lines.push(references.iter().map(label).collect::<Vec<_>>().join(" "));
    }
    lines
}

#[test]
fn objects_are_numbered_by_kind_and_known_from_creation_to_destruction() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuCtxCreate_v2", &[0, 0], CONTEXT);
    creates(&mut sample, "cuStreamCreate", &[1], 0x11);
    creates(&mut sample, "cuStreamCreate", &[1], 0x12);
    creates(&mut sample, "cuEventCreate", &[0], 0x21);
    sample.call("cuEventRecord", &[0x21, 0x12], Some(0));
    sample.call("cuStreamDestroy_v2", &[0x12], Some(0));
    let objects = objects(&mut sample);
    let stream = named(&objects, "stream#2");
    assert_eq!(
        (stream.created(), stream.ended()),
        (Some(3), Some((6, Ending::Destroyed)))
    );
    assert_eq!((stream.uses(), stream.last_used()), (2, Some(6)));
    assert_eq!(
        stream.parent(),
        Some(objects.find(PROCESS, Kind::Context, CONTEXT, 4).unwrap().0)
    );
    let left: Vec<String> = objects
        .left_behind()
        .map(|id| objects.get(id).unwrap().label().to_string())
        .collect();
    assert_eq!(left, ["ctx#1", "stream#1", "event#1"]);
    assert_eq!(objects.misuses().count, 0);
}

#[test]
fn a_handle_that_the_driver_uses_again_is_another_object() {
    let mut sample = Sample::new();
    for _ in 0..2 {
        creates(&mut sample, "cuEventCreate", &[0], 0x21);
        sample.call("cuEventRecord", &[0x21, 0], Some(0));
        sample.call("cuEventDestroy_v2", &[0x21], Some(0));
    }
    assert_eq!(
        labels(&mut sample),
        [
            "event#1", "event#1", "event#1", "event#2", "event#2", "event#2"
        ]
    );
    let objects = objects(&mut sample);
    let at = |seq| objects.find(PROCESS, Kind::Event, 0x21, seq).unwrap().0;
    assert_eq!(objects.get(at(3)).unwrap().label().to_string(), "event#1");
    assert_eq!(objects.get(at(4)).unwrap().label().to_string(), "event#2");
}

#[test]
fn addresses_are_shown_by_their_allocation_and_offset() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuMemAlloc_v2", &[0x1000], 0x7f00_0000_0000);
    creates(&mut sample, "cuMemAlloc_v2", &[0x1000], 0x7f00_0000_1000);
    sample.call(
        "cuMemcpyDtoD_v2",
        &[0x7f00_0000_1040, 0x7f00_0000_0fff, 1],
        Some(0),
    );
    sample.call("cuMemsetD8_v2", &[0x7f00_0000_2000, 0, 1], Some(1));
    assert_eq!(
        labels(&mut sample),
        ["dptr#1", "dptr#2", "dptr#2+0x40 dptr#1+0xfff", ""]
    );
    let objects = objects(&mut sample);
    assert_eq!(named(&objects, "dptr#1").bytes(), Some(0x1000));
    let found = objects.find(PROCESS, Kind::DeviceMemory, 0x7f00_0000_1fff, 3);
    assert_eq!(found.map(|(_, offset)| offset), Some(0xfff));
    assert_eq!(
        objects.find(PROCESS, Kind::DeviceMemory, 0x7f00_0000_1fff, 1),
        None
    );
}

#[test]
fn uses_after_the_end_are_told_and_questions_about_an_address_are_none() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuMemAlloc_v2", &[0x1000], 0x7f00_0000_0000);
    sample.call("cuMemFree_v2", &[0x7f00_0000_0000], Some(0));
    sample.call("cuPointerGetAttribute", &[0, 1, 0x7f00_0000_0000], Some(1));
    sample.call("cuMemsetD8_v2", &[0x7f00_0000_0010, 0, 1], Some(700));
    sample.call("cuMemFree_v2", &[0x7f00_0000_0000], Some(1));
    let objects = objects(&mut sample);
    let calls: Vec<u64> = objects
        .misuses()
        .first
        .iter()
        .map(|misuse| misuse.seq)
        .collect();
    assert_eq!((calls, objects.misuses().count), (vec![4, 5], 2));
    assert_eq!(
        named(&objects, "dptr#1").ended(),
        Some((2, Ending::Destroyed))
    );
}

#[test]
fn what_fails_creates_and_destroys_nothing() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuStreamCreate", &[0], 0x11);
    sample.call_with(
        "cuStreamCreate",
        &[0x10, 0],
        Some(2),
        &[SampleCapture::after(0, &[7; 8])],
    );
    sample.call("cuStreamDestroy_v2", &[0x11], Some(4));
    sample.call("cuStreamDestroy_v2", &[0x11], None);
    let objects = objects(&mut sample);
    assert_eq!(objects.all().len(), 1);
    assert!(objects.all()[0].is_alive());
}

#[test]
fn a_context_takes_with_it_what_lives_in_it_but_not_what_lives_in_the_process() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuCtxCreate_v2", &[0, 0], CONTEXT);
    creates(&mut sample, "cuMemAlloc_v2", &[0x100], 0x7f00_0000_0000);
    creates(&mut sample, "cuModuleLoadData", &[0x30], 0x31);
    finds(&mut sample, "cuModuleGetFunction", 0x31, "saxpy", 0x41);
    creates(
        &mut sample,
        "cuLibraryLoadData",
        &[0x30, 0, 0, 0, 0, 0, 0],
        0x51,
    );
    creates(&mut sample, "cuMemCreate", &[0x20_0000, 0, 0], 0x61);
    sample.call("cuCtxDestroy_v2", &[CONTEXT], Some(0));
    creates(&mut sample, "cuEventCreate", &[0], 0x21);
    let objects = objects(&mut sample);
    for gone in ["dptr#1", "mod#1", "func#1"] {
        assert_eq!(
            named(&objects, gone).ended(),
            Some((7, Ending::WithParent)),
            "{gone}"
        );
    }
    for stays in ["lib#1", "phys#1"] {
        assert!(named(&objects, stays).is_alive(), "{stays}");
    }
    assert_eq!(named(&objects, "event#1").parent(), None);
}

#[test]
fn functions_have_names_and_are_the_same_when_asked_for_again() {
    let mut sample = Sample::new();
    creates(
        &mut sample,
        "cuLibraryLoadData",
        &[0x30, 0, 0, 0, 0, 0, 0],
        0x51,
    );
    finds(&mut sample, "cuLibraryGetKernel", 0x51, "gemm", 0x71);
    finds(&mut sample, "cuLibraryGetKernel", 0x51, "gemm", 0x71);
    creates(&mut sample, "cuKernelGetFunction", &[0x71], 0x81);
    sample.call(
        "cuLaunchKernel",
        &[0x71, 1, 1, 1, 1, 1, 1, 0, 2, 0, 0],
        Some(0),
    );
    sample.call(
        "cuLaunchKernel",
        &[0x81, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0],
        Some(0),
    );
    sample.call("cuLibraryUnload", &[0x51], Some(0));
    assert_eq!(
        labels(&mut sample),
        [
            "lib#1",
            "lib#1 kernel#1",
            "lib#1 kernel#1",
            "kernel#1 func#1",
            "kernel#1",
            "func#1",
            "lib#1"
        ]
    );
    let objects = objects(&mut sample);
    let (function, _) = objects.find(PROCESS, Kind::Function, 0x81, 5).unwrap();
    assert_eq!(objects.name(function), Some("gemm"));
    assert_eq!(
        named(&objects, "func#1").ended(),
        Some((7, Ending::WithParent))
    );
}

#[test]
fn a_kernel_from_an_export_table_has_the_name_that_a_record_tells() {
    let mut sample = Sample::new();
    sample.call("cuCtxSetCurrent", &[CONTEXT], Some(0));
    creates(&mut sample, "cuModuleLoadData", &[0x7ffe_2000], 0x51);
    // cuFuncSetAttribute failed before it succeeded.
    sample.call("cuFuncSetAttribute", &[0x81, 8, 0], Some(1));
    let told = [&0x51u64.to_le_bytes()[..], b"radix"].concat();
    let captures = [SampleCapture::after(0, &told)];
    sample.call_with("cuFuncSetAttribute", &[0x81, 8, 0], Some(0), &captures);
    let launch = [0x81, 1, 1, 1, 1, 1, 1, 0, 2, 0, 0];
    sample.call("cuLaunchKernel", &launch, Some(0));
    let trace = sample.open();
    let mut namer = Namer::default();
    let mut lines = Vec::new();
    let mut calls = trace.calls();
    let mut call = Call::default();
    while calls.read_next(&mut call).expect("sound") {
        let names = namer.observe(trace.schema(), &call);
        let mut line = String::new();
        push_named_call(&mut line, trace.schema(), (&call, names), &Detail::LINE);
        lines.push(line);
    }
    assert!(lines[2].starts_with("cuFuncSetAttribute(hfunc=func?0x81,"));
    let told = "cuFuncSetAttribute(hfunc=func#1 <radix>,";
    assert!(lines[3].starts_with(told), "{}", lines[3]);
    assert!(
        lines[4].starts_with("cuLaunchKernel(f=func#1 <radix>,"),
        "{}",
        lines[4]
    );
    let objects = objects(&mut sample);
    let (function, _) = objects
        .find(PROCESS, Kind::Function, 0x81, 5)
        .expect("known");
    let module = objects.get(function).and_then(Object::parent);
    assert_eq!(
        module.and_then(|id| objects.get(id)).map(Object::kind),
        Some(Kind::Module)
    );
}

#[test]
fn a_primary_context_lives_until_its_last_release() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuDevicePrimaryCtxRetain", &[0], CONTEXT);
    creates(&mut sample, "cuDevicePrimaryCtxRetain", &[0], CONTEXT);
    sample.call("cuDevicePrimaryCtxRelease_v2", &[0], Some(0));
    sample.call("cuCtxSetCurrent", &[CONTEXT], Some(0));
    sample.call("cuDevicePrimaryCtxRelease_v2", &[0], Some(0));
    let objects = objects(&mut sample);
    assert_eq!(objects.all().len(), 1);
    assert_eq!(objects.all()[0].ended(), Some((5, Ending::Destroyed)));
    assert_eq!(objects.misuses().count, 0);
}

#[test]
fn a_primary_context_that_the_runtime_holds_unseen_outlives_what_is_seen() {
    let mut sample = Sample::new();
    sample.call("cuCtxSetCurrent", &[CONTEXT], Some(0));
    creates(&mut sample, "cuDevicePrimaryCtxRetain", &[0], CONTEXT);
    sample.call("cuDevicePrimaryCtxRelease_v2", &[0], Some(0));
    sample.call("cuCtxSetCurrent", &[CONTEXT], Some(0));
    assert_eq!(
        labels(&mut sample),
        ["ctx?0x504000000000", "ctx#1", "", "ctx#1"]
    );
    let objects = objects(&mut sample);
    assert!(objects.all()[0].is_alive());
    assert_eq!(objects.all()[0].first_call(), 1);
}

#[test]
fn what_no_call_created_is_foreign_and_not_left_behind() {
    let mut sample = Sample::new();
    sample.call("cuStreamSynchronize", &[0x77], Some(0));
    sample.call("cuStreamDestroy_v2", &[0x77], Some(0));
    sample.call("cuStreamSynchronize", &[1], Some(0));
    sample.call("cuStreamSynchronize", &[0], Some(0));
    assert_eq!(labels(&mut sample), ["stream?0x77", "stream?0x77", "", ""]);
    let objects = objects(&mut sample);
    assert_eq!(objects.all()[0].origin(), Origin::Foreign);
    assert_eq!(objects.left_behind().count(), 0);
}

#[test]
fn page_locked_memory_is_known_under_its_address_for_the_device_too() {
    let mut sample = Sample::new();
    sample.call("cuMemHostRegister_v2", &[0x9000, 0x1000, 0], Some(0));
    creates(
        &mut sample,
        "cuMemHostGetDevicePointer_v2",
        &[0x9000, 0],
        0x7f00_0000_0000,
    );
    sample.call("cuMemcpyHtoD_v2", &[0x7f00_0000_0020, 0x9010, 4], Some(0));
    sample.call("cuMemHostUnregister", &[0x9000], Some(0));
    sample.call("cuMemcpyHtoD_v2", &[0x7f00_0000_0020, 0x9010, 4], Some(0));
    assert_eq!(
        labels(&mut sample),
        [
            "host#1",
            "host#1 host#1",
            "host#1+0x20 host#1+0x10",
            "host#1",
            ""
        ]
    );
    let objects = objects(&mut sample);
    assert!(
        objects
            .find(PROCESS, Kind::DeviceMemory, 0x7f00_0000_0020, 3)
            .is_some()
    );
    assert!(
        objects
            .find(PROCESS, Kind::DeviceMemory, 0x7f00_0000_0020, 5)
            .is_none()
    );
}

#[test]
fn objects_of_processes_are_counted_apart() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuStreamCreate", &[0], 0x11);
    sample.process(200);
    creates(&mut sample, "cuStreamCreate", &[0], 0x11);
    assert_eq!(labels(&mut sample), ["stream#1", "stream#1"]);
    assert!(objects(&mut sample).all().iter().all(Object::is_alive));
}

#[test]
fn a_single_call_finds_its_objects_without_those_before_it() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuMemAlloc_v2", &[0x1000], 0x7f00_0000_0000);
    creates(&mut sample, "cuStreamCreate", &[1], 0x11);
    sample.call("cuMemsetD8Async", &[0x7f00_0000_0010, 0, 1, 0x11], Some(0));
    sample.call("cuStreamDestroy_v2", &[0x11], Some(0));
    sample.call("cuStreamSynchronize", &[0x11], Some(400));
    let trace = sample.open();
    let objects = Objects::of(&trace, |_| ());
    let mut finder = ReferenceFinder::default();
    let mut parts = |seq| {
        let call = trace.call(seq).unwrap().unwrap();
        let found = finder.find(&objects, trace.schema(), &call);
        found
            .iter()
            .map(|reference| (reference.param, reference.offset, reference.part))
            .collect::<Vec<_>>()
    };
    assert_eq!(parts(1), [(0, 0, Part::Created)]);
    assert_eq!(parts(3), [(0, 0x10, Part::Used), (3, 0, Part::Used)]);
    assert_eq!(parts(4), [(0, 0, Part::Destroyed)]);
    assert_eq!(parts(5), [(0, 0, Part::UsedAfterEnd)]);
}

/// The calls as `cutape print` shows them.
fn texts(sample: &mut Sample) -> Vec<String> {
    let trace = sample.open();
    let mut namer = Namer::default();
    let mut text = |call: Call| {
        let mut out = String::new();
        let names = namer.observe(trace.schema(), &call);
        push_named_call(&mut out, trace.schema(), (&call, names), &Detail::LINE);
        out
    };
    trace
        .calls()
        .map(|call| text(call.expect("reads")))
        .collect()
}

#[test]
fn calls_show_names_where_they_know_them_and_numbers_where_they_do_not() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuMemAlloc_v2", &[0x1000], 0x7f00_0000_0000);
    sample.call("cuMemcpyDtoD_v2", &[0x7f00_0000_0010, 0x9000, 16], Some(0));
    sample.call("cuMemFree_v2", &[0x7f00_0000_0000], Some(0));
    sample.call("cuMemFree_v2", &[0x7f00_0000_0000], Some(1));
    sample.call("cuStreamSynchronize", &[0x77], Some(0));
    sample.call("cuStreamSynchronize", &[2], Some(0));
    assert_eq!(
        texts(&mut sample),
        [
            "cuMemAlloc_v2(dptr=dptr#1 (0x7f0000000000), bytesize=4096 (4 KiB)) = CUDA_SUCCESS (0)",
            "cuMemcpyDtoD_v2(dstDevice=dptr#1+0x10, srcDevice=0x9000, ByteCount=16) = CUDA_SUCCESS (0)",
            "cuMemFree_v2(dptr=dptr#1) = CUDA_SUCCESS (0)",
            "cuMemFree_v2(dptr=dptr#1 /* gone since call 3 */) = CUDA_ERROR_INVALID_VALUE (1)",
            "cuStreamSynchronize(hStream=stream?0x77) = CUDA_SUCCESS (0)",
            "cuStreamSynchronize(hStream=CU_STREAM_PER_THREAD (0x2)) = CUDA_SUCCESS (0)",
        ]
    );
}

#[test]
fn what_is_launched_shows_its_own_name_cut_where_it_is_long() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuModuleLoadData", &[0x30], 0x31);
    let name = format!("_Z{}", "x".repeat(60));
    finds(&mut sample, "cuModuleGetFunction", 0x31, &name, 0x41);
    sample.call(
        "cuLaunchKernel",
        &[0x41, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        Some(0),
    );
    let shown = format!("(f=func#1 <_Z{}...>, gridDimX=1", "x".repeat(46));
    assert!(
        texts(&mut sample)[2].contains(&shown),
        "{}",
        texts(&mut sample)[2]
    );
}

#[test]
fn names_of_the_last_calls_are_those_that_the_calls_before_give_them() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuStreamCreate", &[0], 0x11);
    creates(&mut sample, "cuStreamCreate", &[0], 0x12);
    sample.call("cuStreamSynchronize", &[0x12], Some(0));
    let trace = sample.open();
    let mut last = trace.call(3).unwrap().unwrap();
    last.seq = 77;
    let names = names_in(&trace, &[last]);
    assert_eq!(
        names[0].find(0, 0x12).unwrap().label.to_string(),
        "stream#2"
    );
}

#[test]
fn info_tells_what_was_left_behind_and_what_was_used_when_it_was_gone() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuMemAlloc_v2", &[1 << 30], 0x7f00_0000_0000);
    creates(&mut sample, "cuStreamCreate", &[0], 0x11);
    sample.call("cuStreamDestroy_v2", &[0x11], Some(0));
    let info = ObjectsInfo::of(&objects(&mut sample));
    assert_eq!(info.left_behind_text().as_deref(), Some("1 dptr (1 GiB)"));
    assert_eq!(info.uses_after_end_text(), None);
    sample.call("cuStreamSynchronize", &[0x11], Some(400));
    sample.call("cuStreamSynchronize", &[0x11], Some(400));
    let info = ObjectsInfo::of(&objects(&mut sample));
    assert_eq!(
        info.uses_after_end_text().as_deref(),
        Some("2 uses, the first in call 4: stream#1, gone since call 3")
    );
}
