//! `cutape trim` and `--redact`, as users run them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use cutape_trace_format::block::{FILE_HEADER_BYTES, HEADER_BYTES, Header};
use support::{End, Finished, Recorded, client, cutape, finish};

const GGML: &str = "ggml-backend-on-h100.cutape";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("traces")
        .join(name)
}

fn trim(trace: &Path, arguments: &[&str], out: &Path) -> Finished {
    finish(
        cutape(["trim"])
            .arg(trace)
            .args(arguments)
            .arg("-o")
            .arg(out),
    )
}

fn trimmed(trace: &Path, arguments: &[&str], out: &Path) -> Recorded {
    let finished = trim(trace, arguments, out);
    assert_eq!(finished.end, End::Code(0), "{}", finished.stderr);
    let verified = finish(cutape(["verify"]).arg(out));
    assert_eq!(verified.end, End::Code(0), "{}", verified.stdout);
    Recorded::open(out)
}

/// The functions of all calls but those that ask for export tables, which every program with a CUDA runtime needs.
fn functions(trace: &Recorded) -> Vec<&str> {
    let calls = trace.calls.iter();
    let names = calls.map(|call| call.function.as_str());
    names.filter(|name| *name != "cuGetExportTable").collect()
}

/// All that is in the blocks of a sealed file, unpacked.
fn content(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let mut at = FILE_HEADER_BYTES;
    let mut all = Vec::new();
    while let Some(head) = bytes.get(at..at + HEADER_BYTES) {
        let Ok(header) = Header::read(head.try_into().unwrap()) else {
            break;
        };
        let end = at + usize::try_from(header.total_bytes()).unwrap();
        all.extend(header.unpack(&bytes[at + HEADER_BYTES..end]).unwrap());
        at = end;
    }
    assert!(!all.is_empty());
    all
}

fn has(content: &[u8], text: &str) -> bool {
    content
        .windows(text.len())
        .any(|bytes| bytes == text.as_bytes())
}

#[test]
fn a_part_has_what_its_calls_need_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("part.cutape");
    let part = trimmed(&golden(GGML), &["--calls", "669..670"], &out);
    assert_eq!(
        functions(&part),
        [
            "cuInit",
            "cuCtxSetCurrent",
            "cuDevicePrimaryCtxRetain",
            "cuStreamCreate",
            "cuLibraryLoadData",
            "cuLibraryGetKernel",
            "cuStreamBeginCapture_v2",
            "cuLaunchKernelEx",
            "cuStreamEndCapture",
            "cuGraphInstantiateWithFlags",
            "cuGraphExecUpdate_v2",
            "cuGraphLaunch",
            "cuStreamSynchronize",
        ]
    );
    let notes = part.notes("trimmed");
    assert!(
        notes[0].contains("has 692 calls: calls 669..670; kept for them: "),
        "{notes:?}"
    );
    let printed = finish(cutape(["print", "-n", "-1", "--columns", "none"]).arg(&out));
    assert_eq!(
        printed.stdout,
        "cuStreamSynchronize(hStream=stream#1) = CUDA_SUCCESS (0)\n"
    );
}

#[test]
fn a_part_of_a_part_is_a_trace_too() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (
        folder.path().join("1.cutape"),
        folder.path().join("2.cutape"),
    );
    trimmed(&golden(GGML), &["--calls", "660.."], &first);
    let part = trimmed(&first, &["-e", "cuMemFree_v2"], &second);
    assert_eq!(
        functions(&part),
        [
            "cuInit",
            "cuCtxSetCurrent",
            "cuDevicePrimaryCtxRetain",
            "cuMemAlloc_v2",
            "cuMemFree_v2"
        ]
    );
    assert_eq!(part.notes("trimmed").len(), 2);
}

#[test]
fn what_can_not_be_done_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("part.cutape");
    let refused = |arguments: &[&str], expected: &str| {
        let finished = trim(&golden(GGML), arguments, &out);
        assert_eq!(finished.end, End::Code(2), "{arguments:?}");
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
        assert!(!out.exists());
    };
    refused(&[], "--calls <A..B>");
    refused(&["--calls", "9..3"], "the first comes first");
    refused(&["--calls", "5000..6000"], "no call of");
    refused(&["-e", "api = 1"], "expected");
    refused(&["--calls", "1..2", "-e", "cuInit"], "cannot be used with");
    refused(
        &["--calls", "1..2", "--redact", "host"],
        "did you mean \"hosts\"?",
    );
    fs::write(&out, "mine").unwrap();
    let finished = trim(&golden(GGML), &["--calls", "1..2"], &out);
    assert_eq!(finished.end, End::Code(2));
    assert!(finished.stderr.contains("--force"));
    assert_eq!(fs::read(&out).unwrap(), b"mine");
}

#[test]
fn a_part_of_a_damaged_trace_is_sound_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (broken, out) = (
        folder.path().join("broken.cutape"),
        folder.path().join("part.cutape"),
    );
    let mut bytes = fs::read(golden(GGML)).unwrap();
    let end = bytes.len() - 300;
    bytes.truncate(end);
    fs::write(&broken, bytes).unwrap();
    let finished = trim(&broken, &["--calls", "1..10"], &out);
    assert_eq!(finished.end, End::Code(2), "{}", finished.stderr);
    assert_eq!(finish(cutape(["verify"]).arg(&out)).end, End::Code(0));
    assert!(!Recorded::open(&out).notes("damaged").is_empty());
}

#[test]
fn nothing_of_what_is_taken_out_is_left_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("sent.cutape");
    let before = content(&golden(GGML));
    assert!(has(&before, "/opt/golden") && has(&before, "ggml_backend"));
    let all = ["--calls", "1..", "--redact", "all"];
    let sent = trimmed(&golden(GGML), &all, &out);
    assert_eq!(sent.calls.len(), 692);
    let after = content(&out);
    for gone in ["golden", "/opt", "/usr", "libggml-cpu-x64"] {
        assert!(!has(&after, gone), "{gone}");
    }
    let printed = finish(cutape(["print", "-n", "1"]).arg(&out)).stdout;
    assert!(
        printed.contains("  libcudart.so.13+0x"),
        "files keep their names: {printed}"
    );
    let notes = sent.notes("redacted");
    assert_eq!(notes, ["taken out: payload, paths, hosts, environment"]);
    let exported = finish(cutape(["export", "--to", "jsonl", "--redact", "all"]).arg(golden(GGML)));
    assert_eq!(exported.end, End::Code(0));
    assert!(!exported.stdout.contains("golden") && !exported.stdout.contains("/usr"));
}

/// Records the client `payloads`, which loads a module from a file and launches kernels, with all payloads.
fn recorded_with_payloads(folder: &Path) -> PathBuf {
    let module = folder.join("module.ptx");
    let image = ".version 8.0\n.target sm_70\n.address_size 64\n.visible .entry from_file()\n{\n    ret;\n}\n";
    fs::write(&module, image).unwrap();
    let trace = folder.join("whole.cutape");
    let mut command = cutape(["record", "--driver", "sim", "--payload", "full", "-o"]);
    command.arg(&trace).arg("--").arg(client("payloads"));
    let finished = finish(command.arg(&module));
    assert_eq!(finished.end, End::Code(0), "{}", finished.stderr);
    trace
}

#[test]
fn module_images_that_the_calls_need_come_along() {
    let folder = tempfile::tempdir().unwrap();
    let trace = recorded_with_payloads(folder.path());
    let whole = Recorded::open(&trace);
    let launch = whole.of("cuLaunchKernel")[0].call.seq;
    let out = folder.path().join("launch.cutape");
    let part = trimmed(&trace, &["--calls", &launch.to_string()], &out);
    let payloads: Vec<_> = part.trace.payloads().list().collect();
    assert!(!payloads.is_empty(), "the image of the kernel's module");
    assert!(part.trace.payloads().count() <= whole.trace.payloads().count());
    for (hash, _) in payloads {
        part.trace.payload(&hash).expect("is whole");
    }
}

#[test]
fn payloads_and_folders_can_be_taken_out_alone() {
    let folder = tempfile::tempdir().unwrap();
    let trace = recorded_with_payloads(folder.path());
    let secret = folder.path().file_name().unwrap().to_str().unwrap();
    let before = content(&trace);
    assert!(has(&before, ".target sm_70") && has(&before, secret));
    let out = folder.path().join("out.cutape");
    let part = trimmed(&trace, &["--calls", "1..", "--redact", "payload"], &out);
    assert_eq!(part.trace.payloads().count(), 0);
    assert!(
        part.calls
            .iter()
            .all(|call| call.call.payloads().count() == 0)
    );
    let after = content(&out);
    assert!(!has(&after, ".target sm_70") && has(&after, secret));
    let out = folder.path().join("folders.cutape");
    trimmed(&trace, &["--calls", "1..", "--redact", "paths"], &out);
    let after = content(&out);
    assert!(has(&after, ".target sm_70") && !has(&after, secret));
    assert!(has(&after, "module.ptx"));
}

#[test]
fn a_part_is_played_back_like_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let trace = recorded_with_payloads(folder.path());
    let whole = Recorded::open(&trace);
    let launch = whole.of("cuLaunchKernel").last().unwrap().call.seq;
    let out = folder.path().join("launch.cutape");
    trimmed(&trace, &["--calls", &launch.to_string()], &out);
    let played = finish(cutape(["replay", "--driver", "sim"]).arg(&out));
    assert_eq!(
        played.end,
        End::Code(0),
        "{}{}",
        played.stdout,
        played.stderr
    );
    assert!(played.stdout.contains("conforms"), "{}", played.stdout);
    // The runtime's contexts come through an export table, unseen.
    let out = folder.path().join("ggml.cutape");
    trimmed(&golden(GGML), &["--calls", "680..690"], &out);
    let played = finish(cutape(["replay", "--driver", "sim"]).arg(&out));
    assert_eq!(
        played.end,
        End::Code(0),
        "{}{}",
        played.stdout,
        played.stderr
    );
}
