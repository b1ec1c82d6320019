//! Rules of a recording under real software, from the user's cache of clients: llama.cpp's own CUDA backend, which loses its GPU by an
//! injected fault, and gets it back on a broken driver by an override.

mod support;

use std::path::Path;

use cutape_test_clients::real::LlamaCpp;
use support::{End, Finished, Recorded, cutape, finish};

fn record_ggml(llama: &LlamaCpp, trace: &Path, options: &[&str]) -> Finished {
    let mut command = cutape(["record", "-o"]);
    command.arg(trace).args(options).arg("--");
    llama.add_backend(&mut command);
    finish(&mut command)
}

fn calls_acted_on(trace: &Recorded) -> Vec<&str> {
    let calls = trace.calls.iter();
    calls
        .filter(|seen| seen.call.is_injected())
        .map(|seen| seen.function.as_str())
        .collect()
}

#[test]
fn an_override_of_free_memory_gives_ggml_its_gpu_on_a_driver_that_does_not_say() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cured.cutape");
    let cure = "cuMemGetInfo_v2:free=78GiB,total=80GiB,ret=0";
    let driver = "sim:shim-uninitialized";
    let run = record_ggml(&llama, &path, &["--driver", driver, "--override", cure]);
    assert_eq!(run.end, End::Code(0), "{}", run.stderr);
    for line in [
        "device: CUDA0 (NVIDIA H100 80GB HBM3), 79872 MiB free of 81920 MiB\n",
        "backend: CUDA0\n",
        "tensor: came back\n",
    ] {
        assert!(run.stdout.contains(line), "{line}{}", run.stdout);
    }
    let trace = Recorded::open(&path);
    trace.assert_nothing_lost();
    let acted_on = calls_acted_on(&trace);
    assert!(!acted_on.is_empty());
    assert!(
        acted_on
            .iter()
            .all(|function| *function == "cuMemGetInfo_v2")
    );
    // What the driver itself said is what costs GGML its GPU without the rule.
    for seen in trace.of("cuMemGetInfo_v2") {
        let own = seen.call.as_the_driver_answered().expect("it was asked");
        assert_eq!((own.returned, seen.returned), (Some(3), Some(0)));
    }
}

#[test]
fn an_error_in_a_query_costs_ggml_its_gpu_on_a_driver_that_works() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.cutape");
    let fault = "cuMemGetInfo:error=NOT_INITIALIZED,free=0,total=0";
    let run = record_ggml(&llama, &path, &["--driver", "sim", "--inject", fault]);
    assert!(
        run.stdout.contains("0 MiB free of 0 MiB\nbackend: CPU\n"),
        "{}",
        run.stdout
    );
    let doctor = finish(cutape(["doctor"]).arg(&path));
    assert_eq!(doctor.end, End::Code(1), "{}", doctor.stderr);
    assert!(doctor.stdout.contains("meminfo-error"), "{}", doctor.stdout);
    assert!(
        doctor.stdout.contains("by a rule of its own"),
        "{}",
        doctor.stdout
    );
}
