//! NVIDIA's Python bindings of the driver API on the simulated GPU: tests/clients/bindings.py makes calls of every family.

mod support;

use cutape_test_clients::{find_or_skip, programs, python};
use support::{End, Recorded, cutape, finish};

#[test]
fn bindings_12_make_over_a_hundred_calls_and_recording_changes_nothing() {
    compare("cuda-bindings@12");
}

#[test]
fn bindings_13_make_over_a_hundred_calls_and_recording_changes_nothing() {
    compare("cuda-bindings@13");
}

fn compare(bindings: &str) {
    let Some(folder) = find_or_skip(bindings) else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bindings.cutape");
    let mut alone = cutape(["sim", "--"]);
    let mut recorded = cutape(["record", "--driver", "sim", "-o"]);
    recorded.arg(&path).arg("--");
    let [alone, recorded] = [&mut alone, &mut recorded].map(|command| {
        command
            .arg(python::interpreter())
            .arg(programs::python_script("bindings"))
            .env("PYTHONPATH", &folder);
        finish(command)
    });
    assert_eq!(alone.end, End::Code(0), "{}{}", alone.stdout, alone.stderr);
    let golden = include_str!("golden/bindings-h100.txt");
    for (number, (found, expected)) in alone.stdout.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {bindings}", number + 1);
    }
    assert_eq!(alone.stdout.lines().count(), golden.lines().count());
    recorded.assert_same_as(&alone);

    let trace = Recorded::open(&path);
    trace.assert_nothing_lost();
    let called = trace.counts();
    let functions = called.keys().filter(|name| **name != "cuGetProcAddress_v2");
    assert!(functions.count() > 100, "{called:?}");
}
