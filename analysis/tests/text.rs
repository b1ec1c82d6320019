//! How calls read.

#[allow(dead_code)]
mod sample;

use cutape_analysis::text::{Detail, push_call};
use cutape_trace_format::sample::SampleCapture;
use sample::Sample;

/// The text of the calls of a sample.
fn texts(sample: &mut Sample, detail: Detail) -> Vec<String> {
    let trace = sample.open();
    let text = |call| {
        let mut out = String::new();
        push_call(&mut out, trace.schema(), &call, &detail);
        out
    };
    trace
        .calls()
        .map(|call| text(call.expect("reads")))
        .collect()
}

fn text(name: &str, args: &[u64], answer: Option<u32>, captures: &[SampleCapture<'_>]) -> String {
    let mut sample = Sample::new();
    sample.call_with(name, args, answer, captures);
    texts(&mut sample, Detail::LINE).remove(0)
}

#[test]
fn the_failed_memory_query_of_a_broken_shim_shows_the_zeros_that_its_client_read() {
    let zero = [0; 8];
    let captures = [
        SampleCapture::after(0, &zero),
        SampleCapture::after(1, &zero),
    ];
    assert_eq!(
        text("cuMemGetInfo_v2", &[0x10, 0x20], Some(3), &captures),
        "cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)"
    );
}

#[test]
fn text_that_the_driver_keeps_is_shown_as_text() {
    let name = SampleCapture::after(1, b"CUDA_ERROR_INVALID_VALUE\0");
    assert_eq!(
        text("cuGetErrorName", &[1, 0x10], Some(0), &[name]),
        "cuGetErrorName(error=CUDA_ERROR_INVALID_VALUE (1), pStr=\"CUDA_ERROR_INVALID_VALUE\") = CUDA_SUCCESS (0)"
    );
}

#[test]
fn sizes_are_exact_and_readable() {
    let (free, total) = ((78u64 << 30).to_le_bytes(), 85_045_141_504u64.to_le_bytes());
    let captures = [
        SampleCapture::after(0, &free),
        SampleCapture::after(1, &total),
    ];
    assert_eq!(
        text("cuMemGetInfo_v2", &[0x10, 0x20], Some(0), &captures),
        "cuMemGetInfo_v2(free=83751862272 (78 GiB), total=85045141504 (~79.2 GiB)) = CUDA_SUCCESS (0)"
    );
    let address = 0x7f12_3400_0000u64.to_le_bytes();
    assert_eq!(
        text(
            "cuMemAlloc_v2",
            &[0x10, 1 << 20],
            Some(0),
            &[SampleCapture::after(0, &address)]
        ),
        "cuMemAlloc_v2(dptr=0x7f1234000000, bytesize=1048576 (1 MiB)) = CUDA_SUCCESS (0)"
    );
}

#[test]
fn enumerations_have_names_and_unknown_values_stay_numbers() {
    let nine = 9u32.to_le_bytes();
    let captures = [SampleCapture::after(0, &nine)];
    assert_eq!(
        text("cuDeviceGetAttribute", &[0x10, 75, 0], Some(0), &captures),
        "cuDeviceGetAttribute(pi=9, attrib=CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR (75), dev=0) = CUDA_SUCCESS (0)"
    );
    assert_eq!(
        text("cuDeviceGetAttribute", &[0x10, 987_654, 0], Some(4711), &[]),
        "cuDeviceGetAttribute(pi=0x10, attrib=987654, dev=0) = 4711"
    );
}

#[test]
fn flags_are_joined_and_bits_without_a_name_are_kept() {
    let call = |flags| text("cuMemHostAlloc", &[0x10, 1, flags], None, &[]);
    assert_eq!(
        call(0b11),
        "cuMemHostAlloc(pp=0x10, bytesize=1, Flags=CU_MEMHOSTALLOC_DEVICEMAP|CU_MEMHOSTALLOC_PORTABLE) = ? <in flight>"
    );
    assert_eq!(
        call(0x4001),
        "cuMemHostAlloc(pp=0x10, bytesize=1, Flags=CU_MEMHOSTALLOC_PORTABLE|0x4000) = ? <in flight>"
    );
    assert_eq!(
        call(0),
        "cuMemHostAlloc(pp=0x10, bytesize=1, Flags=0) = ? <in flight>"
    );
}

#[test]
fn export_tables_have_the_names_that_people_gave_them() {
    let guid = [
        0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d,
        0xf9,
    ];
    let table = 0x7f00_0000_1234u64.to_le_bytes();
    let captures = [
        SampleCapture::after(0, &table),
        SampleCapture::before(1, &guid),
    ];
    assert_eq!(
        text("cuGetExportTable", &[0x10, 0x20], Some(0), &captures),
        "cuGetExportTable(ppExportTable=0x7f0000001234, pExportTableId=CUDART_INTERFACE 6bd5fb6c-5bf4-e74a-8987-d93912fd9df9) = CUDA_SUCCESS (0)"
    );
    let uuid: Vec<u8> = (0..16).collect();
    assert_eq!(
        text(
            "cuDeviceGetUuid_v2",
            &[0x10, 0],
            Some(0),
            &[SampleCapture::after(0, &uuid)]
        ),
        "cuDeviceGetUuid_v2(uuid=00010203-0405-0607-0809-0a0b0c0d0e0f, dev=0) = CUDA_SUCCESS (0)",
        "a UUID is 16 bytes, whichever of them are NUL"
    );
}

#[test]
fn strings_are_quoted_escaped_and_cut() {
    let symbol = b"a\"b\\c\n\x1b[31m\xc2\x85 \xe2\x84\xa2\0";
    let args = [0x10, 0x20, 12_090, 0, 0];
    let shown = text(
        "cuGetProcAddress_v2",
        &args,
        None,
        &[SampleCapture::before(0, symbol)],
    );
    assert!(
        shown.starts_with(r#"cuGetProcAddress_v2(symbol="a\"b\\c\n\x1b[31m\xc2\x85 ™", pfn=0x20, cudaVersion=12090 (12.9),"#),
        "no control character reaches a terminal: {shown}"
    );
    let mut long = vec![b'x'; 300];
    long.push(0);
    let mut sample = Sample::new();
    sample.call_with(
        "cuGetProcAddress_v2",
        &args,
        None,
        &[SampleCapture::before(0, &long)],
    );
    let line = texts(&mut sample, Detail::LINE).remove(0);
    let cut = format!("symbol=\"{}\"... /* 200 of 300 bytes */", "x".repeat(200));
    assert!(line.contains(&cut), "{line}");
    let full = texts(&mut sample, Detail::FULL).remove(0);
    assert!(
        full.contains(&format!("symbol=\"{}\",", "x".repeat(300))),
        "{full}"
    );
}

#[test]
fn text_cut_by_the_recorder_says_so_in_every_detail() {
    let capture = SampleCapture {
        full: Some(20_000),
        ..SampleCapture::before(0, b"cuDevice")
    };
    let mut sample = Sample::new();
    sample.call_with(
        "cuGetProcAddress_v2",
        &[0x10, 0x20, 0, 0, 0],
        None,
        &[capture],
    );
    for detail in [Detail::LINE, Detail::FULL] {
        let line = texts(&mut sample, detail).remove(0);
        assert!(
            line.contains(r#"symbol="cuDevice"... /* 8 of 20000 bytes */"#),
            "{line}"
        );
    }
}

#[test]
fn structures_and_arrays_are_shown_by_field_and_element() {
    let mut property = [0; 32];
    property[0] = 1;
    property[8] = 1;
    property[12] = 2;
    assert_eq!(
        text(
            "cuMemCreate",
            &[0x10, 2 << 20, 0x20, 0],
            Some(2),
            &[SampleCapture::before(2, &property)]
        ),
        "cuMemCreate(handle=0x10, size=2097152 (2 MiB), prop={type=CU_MEM_ALLOCATION_TYPE_PINNED (1), \
         requestedHandleTypes=CU_MEM_HANDLE_TYPE_NONE, location={type=CU_MEM_LOCATION_TYPE_DEVICE (1), {id=2 | localized={deviceId=2, localityDomainId=0}}}, \
         win32HandleMetaData=NULL, allocFlags={compressionType=0, gpuDirectRDMACapable=0, usage=0}}, flags=0) = \
         CUDA_ERROR_OUT_OF_MEMORY (2)"
    );
    let options: Vec<u8> = (0..20u32).flat_map(u32::to_le_bytes).collect();
    let shown = text(
        "cuLibraryLoadData",
        &[0x10, 0x20, 0x30, 0, 20, 0, 0, 0],
        None,
        &[SampleCapture::before(2, &options)],
    );
    assert!(
        shown.contains("jitOptions=[CU_JIT_MAX_REGISTERS (0), CU_JIT_THREADS_PER_BLOCK (1), "),
        "{shown}"
    );
    assert!(
        shown.contains(", CU_JIT_OPTIMIZATION_LEVEL (7), ... /* 8 of 20 items */]"),
        "{shown}"
    );
}

#[test]
fn null_and_what_was_not_captured_differ() {
    assert_eq!(
        text("cuMemGetInfo_v2", &[0, 0x7ffe_0018], Some(0), &[]),
        "cuMemGetInfo_v2(free=NULL, total=0x7ffe0018) = CUDA_SUCCESS (0)"
    );
    assert_eq!(
        text("cuStreamSynchronize", &[0], Some(0), &[]),
        "cuStreamSynchronize(hStream=NULL) = CUDA_SUCCESS (0)"
    );
}

#[test]
fn a_function_known_by_name_only_shows_its_words_and_claims_nothing_about_them() {
    let mut sample = Sample::new();
    sample.processes[0].rings[0].function(40_000, "cuFromTheFuture");
    sample.call_number(40_000, &[1, 2, 3, 4, 5, 0xffff], Some(3), &[]);
    assert_eq!(
        texts(&mut sample, Detail::LINE),
        [
            "cuFromTheFuture(0x1, 0x2, 0x3, 0x4, 0x5, 0xffff /* prototype unknown */) = 0x3 /* type unknown */"
        ]
    );
}

#[test]
fn no_name_in_a_trace_can_send_a_command_to_a_terminal() {
    let mut sample = Sample::new();
    sample.processes[0].rings[0].function(40_000, "cu\x1b]0;title\x07");
    sample.call_number(40_000, &[], None, &[]);
    let line = texts(&mut sample, Detail::LINE).remove(0);
    assert!(!line.contains(char::is_control), "{line:?}");
}

#[test]
fn in_out_parameters_show_both_sides() {
    let (before, after) = (8u32.to_le_bytes(), 3u32.to_le_bytes());
    let call = |answer, captures: &[SampleCapture<'_>]| {
        text(
            "cuDevSmResourceSplitByCount",
            &[0, 0x10, 0, 0, 0, 2],
            answer,
            captures,
        )
    };
    let both = [
        SampleCapture::before(1, &before),
        SampleCapture::after(1, &after),
    ];
    assert!(
        call(Some(0), &both).contains("nbGroups=8 => 3, "),
        "{}",
        call(Some(0), &both)
    );
    let same = [
        SampleCapture::before(1, &before),
        SampleCapture::after(1, &before),
    ];
    assert!(
        call(Some(0), &same).contains("nbGroups=8, "),
        "{}",
        call(Some(0), &same)
    );
    assert!(
        call(None, &both[..1]).contains("nbGroups=8 => ?, "),
        "{}",
        call(None, &both[..1])
    );
}

#[test]
fn opaque_bytes_are_shown_whole_whichever_of_them_are_zero() {
    let mut handle = [0; 64];
    (handle[1], handle[63]) = (0xaa, 0xbb);
    let mut sample = Sample::new();
    sample.call_with(
        "cuIpcGetMemHandle",
        &[0x10, 0x20],
        Some(0),
        &[SampleCapture::after(0, &handle)],
    );
    let line = texts(&mut sample, Detail::FULL).remove(0);
    let bytes = format!("00aa{}bb", "00".repeat(61));
    assert_eq!(
        line,
        format!(
            "cuIpcGetMemHandle(pHandle={{reserved=x\"{bytes}\"}}, dptr=0x20) = CUDA_SUCCESS (0)"
        )
    );
}
