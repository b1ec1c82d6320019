//! Module images, copied data and kernel arguments: what goes in comes out, from a folder, a sealed file, and what is left of them.

mod scratch;

use std::fs;
use std::path::Path;

use cutape_trace_format::call::Call;
use cutape_trace_format::capture_number::{KERNEL_ARGUMENTS, PAYLOAD, REGION};
use cutape_trace_format::kernel_arguments::{ArgumentForm, KernelLayout, LayoutOrigin, ParamPlace};
use cutape_trace_format::payload::{PayloadHash, PayloadKind, PayloadRef, PayloadState};
use cutape_trace_format::payloads::{PAYLOAD_FILE, PayloadError};
use cutape_trace_format::sample::SampleCapture;
use cutape_trace_format::sample_recording::{SampleProcess, SampleRecording};
use cutape_trace_format::sample_schema::LAUNCH_KERNEL;
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;
use cutape_trace_format::verify::verify;
use scratch::Scratch;

const ARGS: [u64; 11] = [7, 1, 1, 1, 32, 1, 1, 0, 0, 0x7ffe_1000, 0];

fn image(seed: u8, length: usize) -> Vec<u8> {
    let mut word = u64::from(seed) | 1;
    let mut bytes = b"\x7fELF".to_vec();
    bytes.resize_with(length, || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word as u8
    });
    bytes
}

/// One launch in a process of its own, with these captures.
fn launch(recording: &SampleRecording, pid: u32, captures: &[SampleCapture<'_>]) -> SampleProcess {
    let mut process = recording.process(pid, 0).expect("creates");
    process.ring().thread(0, 0, pid, "main");
    let ring = &mut process.rings[0];
    let id = ring.begin_from(2_000_000, LAUNCH_KERNEL, (1, &ARGS), captures);
    ring.end(2_000_100, id, 0);
    process
}

fn first_call(trace: &Trace) -> Call {
    trace.call(1).expect("readable").expect("there")
}

fn sealed(scratch: &Scratch, folder: &Path) -> Trace {
    let out = scratch.path("sealed.cutape");
    seal(folder, &out, SealOptions::default(), &mut |_| {}).expect("seals");
    Trace::open(&out).expect("opens")
}

#[test]
fn an_image_comes_back_from_folder_and_sealed_file_and_is_stored_once() {
    let scratch = Scratch::new();
    let folder = scratch.path("recording.cutape");
    let recording = SampleRecording::create(&folder).expect("creates");
    let content = image(1, 10_000);
    for pid in [100, 200] {
        let reference = PayloadRef::stored(
            PayloadHash::of(&content),
            content.len() as u64,
            PayloadKind::Elf,
        );
        let mut process = launch(
            &recording,
            pid,
            &[SampleCapture::before(PAYLOAD, &reference.to_bytes())],
        );
        process.payload(&content, 3000).expect("writes");
        if pid == 200 {
            process.payload(b"another one", 3000).expect("writes");
        }
        process.flush().expect("flushes");
    }
    assert!(verify(&folder).expect("verifies").is_sound());
    for trace in [
        Trace::open(&folder).expect("opens"),
        sealed(&scratch, &folder),
    ] {
        let reference = first_call(&trace).payload(0).expect("captured");
        assert_eq!(reference.state, PayloadState::Stored);
        let hash = reference.hash.expect("named");
        assert_eq!(trace.payload(&hash).expect("there"), content);
        assert_eq!(trace.payloads().count(), 2);
        assert_eq!(trace.payloads().bytes(), 10_011);
        let absent = PayloadHash::of(b"absent");
        assert_eq!(trace.payload(&absent), Err(PayloadError::Absent(absent)));
    }
    let file = scratch.path("sealed.cutape");
    assert!(verify(&file).expect("verifies").is_sound());
    // Without its index the file is scanned.
    let mut bytes = fs::read(&file).expect("reads");
    bytes.truncate(bytes.len() - 24);
    fs::write(&file, bytes).expect("writes");
    let trace = Trace::open(&file).expect("opens");
    assert_eq!(
        trace.payload(&PayloadHash::of(&content)).expect("there"),
        content
    );
}

#[test]
fn a_process_killed_while_it_stores_an_image_loses_only_that_one() {
    let scratch = Scratch::new();
    let folder = scratch.path("recording.cutape");
    let recording = SampleRecording::create(&folder).expect("creates");
    let mut process = launch(&recording, 100, &[]);
    let whole = process.payload(&image(1, 5000), 1000).expect("writes");
    let cut = process.payload(&image(2, 5000), 1000).expect("writes");
    process.flush().expect("flushes");
    let file = process.folder.join(PAYLOAD_FILE);
    let mut bytes = fs::read(&file).expect("reads");
    bytes.truncate(bytes.len() - 1500);
    fs::write(&file, bytes).expect("writes");
    assert!(verify(&folder).expect("verifies").is_sound());
    for trace in [
        Trace::open(&folder).expect("opens"),
        sealed(&scratch, &folder),
    ] {
        assert_eq!(trace.payload(&whole).expect("there"), image(1, 5000));
        assert_eq!(trace.payload(&cut), Err(PayloadError::Absent(cut)));
        assert_eq!(trace.payloads().damages(), []);
    }
}

#[test]
fn content_that_is_not_what_its_hash_says_is_damage() {
    let scratch = Scratch::new();
    let folder = scratch.path("recording.cutape");
    let recording = SampleRecording::create(&folder).expect("creates");
    let mut process = launch(&recording, 100, &[]);
    process.payload(b"the right content", 1000).expect("writes");
    process.flush().expect("flushes");
    // The same blocks under checksums that are right: an image that changed while it was read.
    let hash = PayloadHash::of(b"the right content");
    let file = process.folder.join(PAYLOAD_FILE);
    let mut bytes = cutape_trace_format::block::file_header().to_vec();
    let piece = cutape_trace_format::payload_block::Piece {
        hash,
        bytes: 5,
        offset: 0,
        data: b"wrong",
    };
    let mut blocks = cutape_trace_format::block::BlockBuilder::new(1).expect("zstd has memory");
    piece.append(&mut blocks, &mut bytes).expect("fits");
    fs::write(&file, bytes).expect("writes");
    let trace = Trace::open(&folder).expect("opens");
    let error = trace.payload(&hash).expect_err("not the content");
    assert!(error.to_string().contains("damaged"), "{error}");
    let verified = verify(&folder).expect("verifies");
    assert_eq!(verified.problems.len(), 1, "{:?}", verified.problems);
    assert!(verified.problems[0].problem.contains("hash"));
}

#[test]
fn kernel_arguments_come_back_by_parameter() {
    let scratch = Scratch::new();
    let folder = scratch.path("recording.cutape");
    let recording = SampleRecording::create(&folder).expect("creates");
    let layout = KernelLayout {
        origin: LayoutOrigin::Driver,
        params: vec![
            ParamPlace { offset: 0, size: 8 },
            ParamPlace { offset: 8, size: 4 },
            ParamPlace {
                offset: 16,
                size: 8,
            },
        ],
    };
    let mut buffer = vec![0; layout.buffer_bytes()];
    buffer[..8].copy_from_slice(&0x7f00_dead_0000u64.to_le_bytes());
    buffer[8..12].copy_from_slice(&1000u32.to_le_bytes());
    buffer[16..].copy_from_slice(&2.5f64.to_le_bytes());
    let places = layout.to_bytes(ArgumentForm::Pointers);
    let number = KERNEL_ARGUMENTS | 9;
    let mut process = launch(
        &recording,
        100,
        &[
            SampleCapture::before(number, &places),
            SampleCapture::before(number, &buffer),
        ],
    );
    // A second launch, of a kernel of which nothing is known, whose memory could not be read.
    let unknown = KernelLayout::UNKNOWN.to_bytes(ArgumentForm::Pointers);
    let id = process.rings[0].begin_from(
        3_000_000,
        LAUNCH_KERNEL,
        (1, &ARGS),
        &[
            SampleCapture::before(number, &unknown),
            SampleCapture::before(number, &[]),
        ],
    );
    process.rings[0].end(3_000_100, id, 0);
    process.flush().expect("flushes");
    for trace in [
        Trace::open(&folder).expect("opens"),
        sealed(&scratch, &folder),
    ] {
        let arguments = first_call(&trace).kernel_arguments(9);
        assert_eq!(arguments.len(), 1);
        let arguments = &arguments[0];
        assert_eq!(arguments.origin, LayoutOrigin::Driver);
        let values: Vec<_> = arguments
            .params
            .iter()
            .map(|param| (param.offset, param.size, param.bytes.clone()))
            .collect();
        assert_eq!(
            values,
            [
                (0, 8, Some(0x7f00_dead_0000u64.to_le_bytes().to_vec())),
                (8, 4, Some(1000u32.to_le_bytes().to_vec())),
                (16, 8, Some(2.5f64.to_le_bytes().to_vec())),
            ]
        );
        let second = trace.call(2).expect("readable").expect("there");
        let unknown = second.kernel_arguments(9);
        assert_eq!(unknown.len(), 1);
        assert_eq!(unknown[0].origin, LayoutOrigin::Unknown);
        assert_eq!(unknown[0].buffer, b"");
        assert_eq!(second.kernel_arguments(8), []);
    }
}

#[test]
fn memory_behind_a_pointer_in_a_structure_is_found_by_its_address() {
    let scratch = Scratch::new();
    let folder = scratch.path("recording.cutape");
    let recording = SampleRecording::create(&folder).expect("creates");
    let region = |address: u64, content: &[u8]| {
        let mut bytes = address.to_le_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes
    };
    let (one, other) = (region(0x1000, b"attributes"), region(0x2000, b"more"));
    let mut process = launch(
        &recording,
        100,
        &[
            SampleCapture::before(REGION, &one),
            SampleCapture::before(REGION, &other),
        ],
    );
    process.flush().expect("flushes");
    let trace = sealed(&scratch, &folder);
    let call = first_call(&trace);
    let found = |address| {
        call.region(0, false, address)
            .map(|capture| capture.bytes.to_vec())
    };
    assert_eq!(found(0x1000), Some(b"attributes".to_vec()));
    assert_eq!(found(0x2000), Some(b"more".to_vec()));
    assert_eq!(found(0x3000), None);
    assert_eq!(call.region(1, false, 0x1000), None);
}
