//! What arguments are shown as.

mod scratch;

use cutape_trace_format::decode::decode;
use cutape_trace_format::sample::SampleCapture;
use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::sample_schema::{
    DEVICE_GET_NAME, LAUNCH_KERNEL, MEM_CREATE, MEM_GET_INFO,
};
use cutape_trace_format::trace::Trace;
use cutape_trace_format::value::Value;
use scratch::Scratch;

/// Records one call and shows its arguments and answer.
fn show(
    function: u32,
    args: &[u64],
    answer: Option<u64>,
    captures: &[SampleCapture<'_>],
) -> Vec<(String, String)> {
    let scratch = Scratch::new();
    let recording = SampleRecording::create(&scratch.path("a.cutape")).expect("creates");
    let mut process = recording.process(100, 0).expect("creates");
    let ring = process.ring();
    ring.thread(0, 0, 100, "main");
    let before: Vec<_> = captures
        .iter()
        .filter(|capture| !capture.out)
        .copied()
        .collect();
    let after: Vec<_> = captures
        .iter()
        .filter(|capture| capture.out)
        .copied()
        .collect();
    let id = ring.begin_from(10, function, (0, args), &before);
    if let Some(answer) = answer {
        ring.end_with(20, id, answer, &after);
    }
    process.flush().expect("flushes");
    let trace = Trace::open(&recording.path).expect("opens");
    let call = trace.call(1).expect("reads").expect("is there");
    let decoded = decode(trace.schema(), &call);
    let mut shown: Vec<_> = decoded
        .arguments
        .iter()
        .map(|argument| (argument.name.to_string(), format!("{:?}", argument.value)))
        .collect();
    shown.push(("=".to_owned(), format!("{:?}", decoded.returned)));
    shown
}

fn is(value: &Value<'_>) -> String {
    format!("{value:?}")
}

#[test]
fn out_parameters_that_are_always_written_are_shown_when_the_call_failed() {
    let zero = [0; 8];
    let captures = [
        SampleCapture::after(0, &zero),
        SampleCapture::after(1, &zero),
    ];
    let shown = show(MEM_GET_INFO, &[0x1000, 0x2000], Some(3), &captures);
    assert_eq!(shown[0], ("free".to_owned(), is(&Value::Uint(0))));
    assert_eq!(shown[1], ("total".to_owned(), is(&Value::Uint(0))));
    let error = Value::Enum {
        value: 3,
        name: Some("CUDA_ERROR_NOT_INITIALIZED"),
    };
    assert_eq!(shown[2].1, format!("{:?}", Some(error)));
}

#[test]
fn what_was_not_captured_is_never_made_up() {
    let shown = show(MEM_GET_INFO, &[0x1000, 0], Some(0), &[]);
    assert_eq!(shown[0].1, is(&Value::NotCaptured(0x1000)));
    assert_eq!(shown[1].1, is(&Value::Null));
    let in_flight = show(MEM_GET_INFO, &[0x1000, 0x2000], None, &[]);
    assert_eq!(in_flight[0].1, is(&Value::NotCaptured(0x1000)));
    assert_eq!(in_flight[2].1, "None");
    let name = [SampleCapture::after(0, b"stale\0")];
    let failed = show(DEVICE_GET_NAME, &[0x1000, 64, 0], Some(1), &name);
    assert_eq!(
        failed[0].1,
        is(&Value::NotCaptured(0x1000)),
        "a buffer is not valid after a failure"
    );
    let short = show(LAUNCH_KERNEL, &[0xf, 1, 2], Some(0), &[]);
    assert_eq!(
        short[3].1,
        is(&Value::NotRecorded),
        "only three words are on record"
    );
}

#[test]
fn texts_numbers_handles_and_addresses_have_their_own_look() {
    let name = [SampleCapture::after(0, b"NVIDIA H100\0rest")];
    let shown = show(DEVICE_GET_NAME, &[0x1000, 64, u64::MAX], Some(0), &name);
    assert_eq!(
        shown[0].1,
        is(&Value::Text {
            text: "NVIDIA H100".to_owned(),
            full_bytes: None
        })
    );
    assert_eq!(shown[1].1, is(&Value::Int(64)));
    assert_eq!(
        shown[2].1,
        is(&Value::Int(-1)),
        "an int in the low half of its word"
    );
    let launch = show(
        LAUNCH_KERNEL,
        &[0xf00, 8, 1, 1, 256, 1, 1, 0, 0, 0x7ffe, 0],
        Some(0),
        &[],
    );
    assert_eq!(launch[0].1, is(&Value::Handle(0xf00)));
    assert_eq!(launch[1].1, is(&Value::Uint(8)));
    assert_eq!(launch[8].1, is(&Value::Handle(0)));
    assert_eq!(launch[9].1, is(&Value::Address(0x7ffe)));
    assert_eq!(launch[10].1, is(&Value::Null));
}

#[test]
fn structures_are_shown_by_field() {
    let mut property = [0; 32];
    property[0] = 1;
    property[4] = 9;
    property[8] = 1;
    property[12..16].copy_from_slice(&(-2i32).to_le_bytes());
    let handle = 0x1234u64.to_le_bytes();
    let captures = [
        SampleCapture::before(2, &property),
        SampleCapture::after(0, &handle),
    ];
    let shown = show(
        MEM_CREATE,
        &[0x1000, 2 << 20, 0x3000, 0],
        Some(0),
        &captures,
    );
    assert_eq!(shown[0].1, is(&Value::Uint(0x1234)));
    let location = Value::Struct(vec![
        (
            "type",
            Value::Enum {
                value: 1,
                name: Some("CU_MEM_LOCATION_TYPE_DEVICE"),
            },
        ),
        ("id", Value::Int(-2)),
    ]);
    let expected = Value::Struct(vec![
        (
            "type",
            Value::Enum {
                value: 1,
                name: Some("CU_MEM_ALLOCATION_TYPE_PINNED"),
            },
        ),
        (
            "requestedHandleTypes",
            Value::Flags {
                value: 9,
                names: vec!["POSIX", "FABRIC"],
                rest: 0,
            },
        ),
        ("location", location),
        ("win32HandleMetaData", Value::Null),
        (
            "reserved",
            Value::Bytes {
                bytes: vec![0; 8],
                full_bytes: None,
            },
        ),
    ]);
    assert_eq!(shown[2].1, is(&expected));
}
