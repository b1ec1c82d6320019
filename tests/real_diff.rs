//! Two runs of real software on one driver are the same; a broken driver and a healthy one part where the driver is broken.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use cutape_test_clients::real::LlamaCpp;
use cutape_test_clients::{find_or_skip, programs, python};
use support::{End, Finished, cutape, finish};

/// Records a command on a profile into a folder; the trace.
fn recorded(
    folder: &Path,
    name: &str,
    profile: &str,
    add_program: impl Fn(&mut Command),
) -> PathBuf {
    let path = folder.join(format!("{name}.cutape"));
    let mut command = cutape(["record", "--driver", &format!("sim:{profile}"), "-o"]);
    command.arg(&path).arg("--");
    add_program(&mut command);
    let end = finish(&mut command);
    assert!(path.exists(), "{}", end.stderr);
    path
}

fn diff(a: &Path, b: &Path) -> Finished {
    finish(cutape(["diff"]).args([a, b]))
}

fn assert_same(folder: &Path, name: &str, add_program: impl Fn(&mut Command)) {
    let traces =
        ["one", "two"].map(|run| recorded(folder, &format!("{name}-{run}"), "h100", &add_program));
    let end = diff(&traces[0], &traces[1]);
    assert_eq!(
        end.end,
        End::Code(0),
        "{name}: {}{}",
        end.stdout,
        end.stderr
    );
    assert!(
        end.stdout.contains("no difference but time"),
        "{name}: {}",
        end.stdout
    );
}

#[test]
fn two_runs_of_nvidias_bindings_are_the_same() {
    let Some(folder) = find_or_skip("cuda-bindings@13") else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    assert_same(scratch.path(), "bindings", |command| {
        command
            .arg(python::interpreter())
            .arg(programs::python_script("bindings"))
            .env("PYTHONPATH", &folder);
    });
}

#[test]
fn two_runs_of_pytorch_are_the_same() {
    let Some(torch) = find_or_skip("torch") else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let steps = ["initialized", "copies", "streams", "allocator", "products"];
    assert_same(scratch.path(), "torch", |command| {
        command
            .arg(python::interpreter())
            .arg(programs::python_script("pytorch_startup"))
            .args(steps)
            .env("PYTHONPATH", &torch);
    });
}

#[test]
fn two_runs_of_ggml_are_the_same_and_a_broken_one_parts_where_the_driver_is_broken() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let backend = |command: &mut Command| llama.add_backend(command);
    let scratch = tempfile::tempdir().unwrap();
    assert_same(scratch.path(), "ggml", backend);
    let healthy = scratch.path().join("ggml-one.cutape");
    for (profile, call) in [
        ("shim-uninitialized", "cuMemGetInfo_v2"),
        ("ctx-retain-failed", "cuDevicePrimaryCtxRetain"),
        ("pci-missing", "cuDeviceGetPCIBusId"),
    ] {
        let broken = recorded(scratch.path(), profile, profile, backend);
        let end = diff(&healthy, &broken);
        assert_eq!(end.end, End::Code(1), "{profile}: {}", end.stdout);
        let first = end.stdout.lines().find(|line| line.starts_with("! "));
        assert!(
            first.is_some_and(|line| line.contains(call)),
            "{profile}: expected {call} first: {}",
            end.stdout
        );
    }
}
