//! A structure is recorded alike wherever it lies, and a call without one is recorded without.

mod support;

use std::collections::BTreeSet;

use cutape_trace_format::capture_number::CaptureOf;
use support::{End, Recorded, SeenCall, client, compare_on_simulated_gpu, cutape, finish};

/// Stack, heap, end of a page, another stack; then NULL.
const PLACES: usize = 4;

/// What the client puts into a structure of so many bytes.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n * 7 + 0x81) as u8).collect()
}

/// Parameters behind which something was found before the call, with that.
fn structures(call: &SeenCall) -> Vec<(u8, Vec<u8>)> {
    let captures = call.call.captures().filter(|capture| !capture.out);
    captures
        .filter_map(|capture| match CaptureOf::number(capture.param) {
            CaptureOf::Parameter(param) => Some((param, capture.bytes.to_vec())),
            _ => None,
        })
        .collect()
}

#[test]
fn structures_from_everywhere_are_recorded_alike() {
    for payload in ["none", "modules", "full"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.cutape");
        let mut command = cutape(["record", "--driver", "sim", "--payload", payload, "-o"]);
        command.arg(&path).arg("--").arg(client("structures"));
        let finished = finish(&mut command);
        assert_eq!(finished.end, End::Code(0), "{}", finished.stderr);
        let recorded = Recorded::open(&path);
        let names: BTreeSet<&str> = finished
            .stdout
            .lines()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        assert!(names.len() >= 8, "the simulated driver has them: {names:?}");
        for name in names {
            let calls = recorded.of(name);
            let [with @ .., without] = calls.as_slice() else {
                panic!("{name} was not recorded");
            };
            assert_eq!(with.len(), PLACES, "{name}");
            let [(param, first)] = &structures(with[0])[..] else {
                panic!("{name}: {:?}", structures(with[0]));
            };
            assert_eq!(first, &pattern(first.len()), "{name}, --payload {payload}");
            for call in with {
                assert_eq!(
                    structures(call),
                    [(*param, first.clone())],
                    "{name}, --payload {payload}"
                );
            }
            assert_eq!(structures(without), [], "{name} with NULL");
        }
    }
}

#[test]
fn a_program_that_passes_structures_notices_nothing() {
    compare_on_simulated_gpu(&client("structures"), &[]);
}
