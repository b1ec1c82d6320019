//! Handles and addresses have names in what the commands show.

use std::path::Path;
use std::process::Command;

fn cutape(arguments: &[&str], trace: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("traces")
        .join(trace);
    let output = Command::new(env!("CARGO_BIN_EXE_cutape"))
        .args(arguments)
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const GGML: &str = "ggml-backend-on-h100.cutape";

#[test]
fn a_real_program_shows_its_objects_by_name_from_creation_to_destruction() {
    let text = cutape(&["print", "--columns", "none"], GGML);
    let lines = |name: &str| -> Vec<String> {
        let named = text.lines().filter(|line| line.contains(name));
        named
            .map(|line| line.split('(').next().unwrap().to_owned())
            .collect()
    };
    let stream = lines("stream#1");
    assert_eq!(stream.first().map(String::as_str), Some("cuStreamCreate"));
    assert_eq!(
        stream.last().map(String::as_str),
        Some("cuStreamDestroy_v2")
    );
    let memory = lines("dptr#1");
    assert_eq!(memory.first().map(String::as_str), Some("cuMemAlloc_v2"));
    assert_eq!(memory.last().map(String::as_str), Some("cuMemFree_v2"));
    assert!(
        text.contains("srcDevice=dptr#1+0x1000"),
        "interior pointers"
    );
    assert!(
        text.contains("f=kernel#1 <_Z11k_bin_bcast"),
        "the kernel that is launched"
    );
    assert!(
        text.contains("cuCtxSetCurrent(ctx=ctx?0x504000000000)"),
        "a context from an export table"
    );
}

#[test]
fn raw_output_has_the_numbers_that_crossed_the_boundary() {
    let text = cutape(&["print", "--raw", "--columns", "none"], GGML);
    assert!(text.contains("cuCtxSetCurrent(ctx=0x504000000000)"));
    assert!(!text.contains('#'), "no name of an object");
}

#[test]
fn the_last_calls_are_named_as_in_the_whole() {
    let whole = cutape(&["print", "--columns", "none"], GGML);
    let last = cutape(&["print", "--columns", "none", "-n", "-9"], GGML);
    let expected: Vec<&str> = whole.lines().rev().take(9).collect();
    let found: Vec<&str> = last.lines().rev().collect();
    assert_eq!(found, expected);
    assert!(last.contains("stream#1") && last.contains("lib#1"));
}

#[test]
fn info_says_nothing_about_objects_of_a_tidy_program() {
    let text = cutape(&["info"], GGML);
    assert!(!text.contains("used when gone"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&cutape(&["info", "--json"], GGML)).unwrap();
    assert_eq!(json["objects"]["uses_after_end"], 0);
}
