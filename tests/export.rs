//! `cutape export`, as users run it: what is written where, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GGML: &str = "ggml-backend-on-h100.cutape";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("traces")
        .join(name)
}

fn export(trace: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cutape"))
        .arg("export")
        .arg(trace)
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn json_lines_are_those_of_print_with_family_and_objects() {
    let output = export(&golden(GGML), &["--to", "jsonl"]);
    assert!(output.status.success());
    let printed = Command::new(env!("CARGO_BIN_EXE_cutape"))
        .args(["print", "--format", "jsonl"])
        .arg(golden(GGML))
        .output()
        .unwrap();
    let (exported, printed) = (text(&output.stdout), text(&printed.stdout));
    assert_eq!(
        exported.lines().next(),
        printed.lines().next(),
        "the header"
    );
    for (ours, plain) in exported.lines().zip(printed.lines()).skip(1) {
        let plain = plain.strip_suffix('}').unwrap();
        let more = ours.strip_prefix(plain).unwrap_or_else(|| panic!("{ours}"));
        assert!(more.starts_with(",\"family\":"), "{more}");
    }
    let copy = exported
        .lines()
        .find(|line| {
            line.contains("\"api\":\"cuMemcpyDtoHAsync_v2\",\"args\":{\"dstHost\"")
                && line.contains("0x2000")
        })
        .or_else(|| exported.lines().find(|line| line.contains("dptr#1+0x2000")))
        .unwrap();
    let copy: serde_json::Value = serde_json::from_str(copy).unwrap();
    assert_eq!(copy["objects"]["srcDevice"], "dptr#1+0x2000");
    assert_eq!(copy["family"], "Memcpy");
}

#[test]
fn csv_has_one_row_a_call_and_as_many_cells_as_columns() {
    let output = export(&golden(GGML), &["--to", "csv"]);
    let rows = text(&output.stdout);
    let header =
        "seq,pid,tid,comm,t_ns,dur_ns,caller,api,args,ret,ret_name,family,objects,injected";
    assert_eq!(rows.lines().next(), Some(header));
    assert_eq!(rows.lines().count(), 1 + 692);
    assert!(rows.contains(",Launch,config=stream#1 f=kernel#1,\n"));
}

#[test]
fn a_file_is_private_and_never_overwritten_unless_one_insists() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.pftrace");
    let to = file.to_str().unwrap();
    let arguments = ["--to", "perfetto", "-o", to];
    assert!(export(&golden(GGML), &arguments).status.success());
    let whole = fs::read(&file).unwrap();
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    fs::write(&file, "mine").unwrap();
    let refused = export(&golden(GGML), &arguments);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--force to replace it"));
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    let forced = export(&golden(GGML), &["--to", "perfetto", "-o", to, "--force"]);
    assert!(forced.status.success());
    assert_eq!(fs::read(&file).unwrap(), whole);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

#[test]
fn what_is_intact_of_a_damaged_trace_is_exported_and_the_exit_code_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.cutape");
    let mut bytes = fs::read(golden(GGML)).unwrap();
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    fs::write(&broken, bytes).unwrap();
    for to in ["perfetto", "jsonl", "csv"] {
        let output = export(&broken, &["--to", to]);
        assert_eq!(output.status.code(), Some(2), "{to}");
        assert!(text(&output.stderr).contains("damaged"), "{to}");
    }
    let empty = folder.path().join("empty.cutape");
    fs::write(&empty, "").unwrap();
    let output = export(&empty, &["--to", "csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("cutape: "));
}

#[test]
fn a_form_that_does_not_exist_is_refused_with_those_that_do() {
    let output = export(&golden(GGML), &["--to", "chrome"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("perfetto, jsonl, csv"));
}

#[test]
fn a_filter_chooses_calls_and_names_of_objects_stay_what_they_are() {
    let output = export(
        &golden(GGML),
        &["--to", "csv", "-e", "cuMemFree_v2 or cuStreamDestroy_v2"],
    );
    let rows = text(&output.stdout);
    assert_eq!(rows.lines().count(), 3, "{rows}");
    assert!(rows.contains(",dptr=dptr#1,\n") && rows.contains(",hStream=stream#1,\n"));
    let refused = export(&golden(GGML), &["--to", "csv", "-e", "pii == 1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
}
