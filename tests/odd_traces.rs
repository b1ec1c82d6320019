//! Traces that are damaged, empty, of another version, still being recorded or none at all: every command that reads traces gives a
//! sensible answer and the right exit code.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cutape_cuda_api::{Direction, Extent, Function, Param, Type, Validity};
use cutape_test_clients::skip;
use cutape_trace_format::sample::SampleCapture;
use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::sample_schema::{INIT, MEM_GET_INFO, sample_schema};
use cutape_trace_format::schema::{Schema, schema_file};
use support::{End, Finished, client, cutape, environment_of, finish, program, record};

const GOOD: &str = "ggml-startup-on-shim-fixed.cutape";
const LONG: &str = "ggml-backend-on-h100.cutape";

fn golden(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("traces").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A command, and how it is asked about a trace. `{}` is the trace, `{good}` one with nothing wrong, `{out}` a file that is not there.
const COMMANDS: [(&str, &str); 12] = [
    ("info", "info {}"),
    ("print", "print {}"),
    ("stats", "stats {}"),
    ("compared", "stats {} {good}"),
    ("doctor", "doctor {}"),
    ("diff", "diff {} {good}"),
    ("against", "diff {good} {}"),
    ("trim", "trim {} --calls 1..3 -o {out}"),
    ("export", "export {} --to perfetto -o {out}"),
    ("replay", "replay {} --driver sim:shim-fixed"),
    ("view", "view {}"),
    ("verify", "verify {}"),
];

/// Exit codes of the commands in the order of [`COMMANDS`].
type Codes = [i32; COMMANDS.len()];

/// No trace that could be read: trouble.
const REFUSED: Codes = [2; COMMANDS.len()];
/// A trace of which a part is shown: trouble, but for `verify`, whose question it is.
const DAMAGED: Codes = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1];
/// A sound trace without calls: it differs from one with calls, doctor says so, and there is nothing to trim.
const NO_CALLS: Codes = [0, 0, 0, 0, 1, 1, 1, 2, 0, 0, 0, 0];

/// An odd trace.
struct Case {
    name: &'static str,
    make: fn(&Path) -> PathBuf,
    codes: Codes,
    /// Every command that doesn't succeed says this.
    says: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "a file that is not there",
        make: |folder| folder.join("absent.cutape"),
        codes: REFUSED,
        says: "absent.cutape: No such file or directory",
    },
    Case {
        name: "an empty file",
        make: |folder| edited(folder, GOOD, |bytes| bytes.clear()),
        codes: REFUSED,
        says: "not a cutape trace",
    },
    Case {
        name: "the beginning of a header",
        make: |folder| edited(folder, GOOD, |bytes| bytes.truncate(10)),
        codes: REFUSED,
        says: "not a cutape trace",
    },
    Case {
        name: "a text",
        make: |folder| edited(folder, GOOD, |bytes| *bytes = b"cuInit(0) = 0\n".to_vec()),
        codes: REFUSED,
        says: "not a cutape trace: expected a file that starts with \"cutTRACE\"",
    },
    Case {
        name: "a folder that is no recording",
        make: |folder| {
            fs::write(folder.join("notes.txt"), "hello").unwrap();
            folder.to_owned()
        },
        codes: REFUSED,
        says: "the folder has neither a file `recording` nor the folder of a process",
    },
    Case {
        name: "a later format version",
        make: |folder| edited(folder, GOOD, |bytes| bytes[8] = 2),
        codes: REFUSED,
        says: "format version 2, and this cutape reads up to 1; use a newer cutape",
    },
    Case {
        name: "a format version that never was",
        make: |folder| edited(folder, GOOD, |bytes| bytes[8] = 0),
        codes: REFUSED,
        says: "the file's header is damaged",
    },
    Case {
        name: "a header and nothing else",
        make: |folder| edited(folder, GOOD, |bytes| bytes.truncate(16)),
        codes: DAMAGED,
        says: "odd.cutape: at offset 16: ",
    },
    Case {
        name: "half a file",
        make: |folder| edited(folder, LONG, |bytes| bytes.truncate(bytes.len() / 2)),
        codes: DAMAGED,
        says: "692 calls are lost",
    },
    Case {
        name: "a block with other bytes",
        make: |folder| {
            edited(folder, LONG, |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle..middle + 64]
                    .iter_mut()
                    .for_each(|byte| *byte ^= 0xff);
            })
        },
        codes: DAMAGED,
        says: "692 calls are lost",
    },
    Case {
        name: "a recording without calls",
        make: |folder| {
            let trace = folder.join("nothing.cutape");
            let mut command = cutape(["record", "--driver", "sim", "-o"]);
            let done = finish(command.arg(&trace).args(["--", "/bin/true"]));
            assert_eq!(done.end, End::Code(0), "{}", done.stderr);
            trace
        },
        codes: NO_CALLS,
        says: "",
    },
    Case {
        name: "a recording folder without calls",
        make: |folder| {
            let trace = folder.join("nothing");
            drop(SampleRecording::create(&trace).unwrap());
            trace
        },
        codes: NO_CALLS,
        says: "",
    },
    Case {
        name: "a recording folder",
        make: |folder| folder_of(folder, "ggml_startup", &[]),
        codes: [0; COMMANDS.len()],
        says: "",
    },
];

/// A golden trace, changed.
fn edited(folder: &Path, name: &str, edit: impl Fn(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs::read(golden(name)).unwrap();
    edit(&mut bytes);
    let path = folder.join("odd.cutape");
    fs::write(&path, bytes).unwrap();
    path
}

/// The folder that a program on the driver of the good trace leaves behind, which nobody has sealed.
fn folder_of(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let trace = folder.join("unsealed");
    let options = ["-o", text(&trace), "--driver", "sim:shim-fixed"];
    let mut command = program(client(name));
    command.envs(environment_of(&options.map(AsRef::as_ref)));
    let done = finish(command.args(arguments));
    assert!(matches!(done.end, End::Code(_)), "{}", done.stderr);
    folder.join("unsealed.cutape")
}

/// Asks a command about a trace.
fn ask(form: &str, trace: &Path, folder: &Path) -> Finished {
    let out = folder.join("out");
    let good = golden(GOOD);
    let word = |word: &str| match word {
        "{}" => text(trace).to_owned(),
        "{good}" => text(&good).to_owned(),
        "{out}" => text(&out).to_owned(),
        other => other.to_owned(),
    };
    let done = finish(&mut cutape(form.split(' ').map(word)));
    if out.exists() {
        fs::remove_file(&out).unwrap();
    }
    done
}

/// Fails unless a command ended with that code, in words of cutape's own.
fn assert_sensible(what: &str, done: &Finished, code: i32) {
    let said = &done.stderr;
    assert_eq!(done.end, End::Code(code), "{what}: {}\n{said}", done.stdout);
    assert!(!said.contains("panicked"), "{what}: {said}");
    assert_eq!(done.own_stderr(), "", "{what}");
    assert!(
        code != 2 || !said.is_empty(),
        "{what}: trouble without a word"
    );
}

#[test]
fn every_command_answers_sensibly_to_every_odd_trace() {
    for case in CASES {
        let scratch = tempfile::tempdir().unwrap();
        let trace = (case.make)(scratch.path());
        for ((command, form), code) in COMMANDS.iter().zip(case.codes) {
            let what = format!("{command} of {}", case.name);
            let done = ask(form, &trace, scratch.path());
            assert_sensible(&what, &done, code);
            let told = format!("{}{}", done.stdout, done.stderr);
            assert!(code == 0 || told.contains(case.says), "{what}: {told}");
        }
    }
}

#[test]
fn a_file_that_one_may_not_read_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let open_to_all = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open_to_all(scratch.path(), 0o755);
    let trace = edited(scratch.path(), GOOD, |_| ());
    open_to_all(&trace, 0o000);
    for form in [
        "info {}",
        "doctor {}",
        "diff {good} {}",
        "view {}",
        "verify {}",
    ] {
        let words = form.split(' ').map(|word| match word {
            "{}" => trace.clone(),
            "{good}" => golden(GOOD),
            other => PathBuf::from(other),
        });
        let mut command = cutape(words);
        // SAFETY: geteuid has no preconditions.
        if unsafe { libc::geteuid() } == 0 {
            // Root may read everything; nobody may not.
            command.uid(65534);
        }
        match command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        {
            Ok(child) => {
                let done = Finished::from(child.wait_with_output().unwrap());
                assert_sensible(form, &done, 2);
                let said = "odd.cutape: Permission denied";
                assert!(done.stderr.contains(said), "{form}: {}", done.stderr);
            }
            Err(error) => return skip(&format!("another user can't run the command: {error}")),
        }
    }
}

#[test]
fn a_trace_against_itself_has_no_difference() {
    for entry in fs::read_dir(golden("")).unwrap() {
        let trace = entry.unwrap().path();
        if trace.extension().is_none_or(|ending| ending != "cutape") {
            continue;
        }
        for mode in ["auto", "sequence", "profile"] {
            let done = finish(cutape(["diff", "--mode", mode]).args([&trace, &trace]));
            let what = format!("{mode} of {}", trace.display());
            assert_sensible(&what, &done, 0);
            assert!(
                done.stdout
                    .lines()
                    .last()
                    .unwrap()
                    .starts_with("no difference"),
                "{what}"
            );
        }
        let done = finish(cutape(["stats"]).args([&trace, &trace]));
        assert_sensible("stats", &done, 0);
        let changes = done
            .stdout
            .lines()
            .skip(1)
            .filter(|line| line.contains('%'));
        assert!(
            changes
                .flat_map(|line| line.split("  "))
                .all(|cell| !cell.contains('%') || cell.trim() == "+0 %"),
            "{}",
            done.stdout
        );
    }
}

#[test]
fn a_damaged_trace_against_itself_is_not_known_to_be_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let half = edited(scratch.path(), LONG, |bytes| {
        bytes.truncate(bytes.len() / 2)
    });
    let done = finish(cutape(["diff"]).args([&half, &half]));
    assert_sensible("diff", &done, 2);
    assert!(
        done.stdout.contains("no difference in what is on record"),
        "{}",
        done.stdout
    );
    // Calls are missing, and nobody knows how many: those of the other trace may be among them.
    let nothing = edited(scratch.path(), LONG, |bytes| bytes.truncate(16));
    let done = finish(cutape(["diff"]).args([&nothing, &golden(GOOD)]));
    assert_sensible("diff", &done, 2);
    let last = done.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("16 calls only in B on record, and calls are missing"),
        "{last}"
    );
}

/// Records a program on a driver that answers that it is of a CUDA version.
fn on_cuda(version: &str, folder: &Path) -> PathBuf {
    let profile = folder.join(format!("cuda-{version}.toml"));
    let text = format!("extends = \"h100\"\ncuda_version = \"{version}\"\n");
    fs::write(&profile, text).unwrap();
    let trace = folder.join(format!("cuda-{version}.cutape"));
    let driver = format!("sim:{}", profile.display());
    let done = finish(&mut record(&trace, driver, &client("ggml_startup"), &[]));
    assert_eq!(done.end, End::Code(0), "{}", done.stderr);
    trace
}

#[test]
fn recordings_on_drivers_of_two_cuda_versions_differ_in_what_they_say_of_themselves() {
    let scratch = tempfile::tempdir().unwrap();
    let (old, new) = (
        on_cuda("12.4", scratch.path()),
        on_cuda("13.1", scratch.path()),
    );
    let done = finish(cutape(["diff"]).args([&old, &new]));
    assert_sensible("diff", &done, 1);
    let change =
        "cuDriverGetVersion: driverVersion 12040 (12.4) -> 13010 (13.1) = CUDA_SUCCESS (0)";
    assert!(done.stdout.contains(change), "{}", done.stdout);
    assert!(
        done.stdout.ends_with("1 call changed; 15 calls the same\n"),
        "{}",
        done.stdout
    );
    assert_sensible("stats", &finish(cutape(["stats"]).args([&old, &new])), 0);
    for trace in [&old, &new] {
        let done = finish(cutape(["doctor"]).arg(trace));
        assert_sensible("doctor", &done, 0);
    }
    let driver = format!("sim:{}", scratch.path().join("cuda-13.1.toml").display());
    let done = finish(cutape(["replay", "--driver", &driver]).arg(&old));
    assert_sensible("replay", &done, 1);
    let ending = "16 calls: 15 same, 1 changed\ndiverges: 1 call answers otherwise than recorded, and not better\n";
    assert!(
        done.stdout.trim_end().ends_with(ending.trim_end()),
        "{}",
        done.stdout
    );
}

#[test]
fn two_traces_beside_each_other_need_a_terminal() {
    let (a, b) = (golden(GOOD), golden(LONG));
    let done = finish(cutape(["view"]).args([&a, &b]));
    assert_sensible("view", &done, 2);
    let command = format!("`cutape diff {} {}`", a.display(), b.display());
    assert!(done.stderr.contains(&command), "{}", done.stderr);
}

#[test]
fn a_recording_that_goes_on_is_compared_with_a_sealed_one() {
    let scratch = tempfile::tempdir().unwrap();
    let (live, sealed) = (
        scratch.path().join("live.cutape"),
        scratch.path().join("sealed.cutape"),
    );
    let done = finish(&mut record(&sealed, "sim", &client("step"), &[]));
    assert_eq!(done.end, End::Code(0), "{}", done.stderr);
    let mut recording = record(&live, "sim", &client("step"), &[]);
    let mut recording = recording
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The program says the code of cuInit when the call is on record, and then waits for us.
    let mut line = String::new();
    BufReader::new(recording.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "cuInit = 0\n");
    let done = finish(cutape(["diff"]).args([&live, &sealed]));
    let trimmed = finish(
        cutape(["trim", "--calls", "1..", "-o"])
            .arg(scratch.path().join("part"))
            .arg(&live),
    );
    let stats = finish(cutape(["stats"]).args([&live, &sealed]));
    drop(recording.stdin.take());
    assert!(recording.wait().unwrap().success());
    assert_sensible("diff", &done, 0);
    let heading = done.stdout.lines().next().unwrap();
    assert!(heading.ends_with(", still being recorded"), "{heading}");
    assert_sensible("stats", &stats, 0);
    assert_sensible("trim", &trimmed, 0);
}

/// A program recorded by another cutape: `free` has another name, `total` is not known, and there is a function that this one has never heard of.
fn other_schema() -> Schema {
    let mut schema = sample_schema();
    let future = |name: &str, ty: &str| Param {
        name: name.to_owned(),
        ty: Type::Named(ty.to_owned()),
        direction: Direction::Value,
        extent: Extent::One,
        valid: Validity::OnSuccess,
        unit: None,
    };
    let memory = schema
        .functions
        .iter_mut()
        .find(|(number, _)| *number == MEM_GET_INFO);
    let (_, memory) = memory.unwrap();
    let params = &mut memory.signature.as_mut().unwrap().params;
    params[0].name = "bytesFree".to_owned();
    params.truncate(1);
    let mut init: Function = schema.functions[0].1.clone();
    init.name = "cuFutureThing_v9".to_owned();
    init.base = "cuFutureThing".to_owned();
    init.signature.as_mut().unwrap().params = vec![
        future("thing", "CUfutureHandle"),
        future("how", "CUfutureFlags"),
    ];
    schema.functions.push((FUTURE, init));
    schema
}

/// The number of a function that no cutape has.
const FUTURE: u32 = 4000;

/// A recording of three calls by a schema.
fn by_schema(folder: &Path, name: &str, schema: &Schema, with_future: bool) -> PathBuf {
    let path = folder.join(name);
    let recording = SampleRecording::create(&path).unwrap();
    fs::write(path.join("schema"), schema_file(schema).unwrap()).unwrap();
    let mut process = recording.process(100, 0).unwrap();
    let ring = process.ring();
    ring.thread(1_000_000, 0, 100, "main");
    let id = ring.begin(1_100_000, INIT, &[0]);
    ring.end(1_110_000, id, 0);
    let id = ring.begin(1_200_000, MEM_GET_INFO, &[0x1000, 0x2000]);
    let bytes = (1u64 << 30).to_le_bytes();
    ring.end_with(
        1_210_000,
        id,
        0,
        &[
            SampleCapture::after(0, &bytes),
            SampleCapture::after(1, &bytes),
        ],
    );
    if with_future {
        let id = ring.begin(1_300_000, FUTURE, &[0x77, 3]);
        ring.end(1_310_000, id, 0);
    }
    process.leave().unwrap();
    path
}

#[test]
fn what_another_cutape_recorded_is_read_by_its_own_words() {
    let scratch = tempfile::tempdir().unwrap();
    let ours = by_schema(scratch.path(), "ours", &sample_schema(), false);
    let other = by_schema(scratch.path(), "other", &other_schema(), true);
    let done = finish(cutape(["diff"]).args([&ours, &other]));
    assert_sensible("diff", &done, 1);
    let note =
        "describe 1 function differently, whose calls may differ for that alone: cuMemGetInfo_v2";
    assert!(done.stdout.contains(note), "{}", done.stdout);
    let ending = "1 call changed, 1 call only in B; 1 call the same\n";
    assert!(done.stdout.ends_with(ending), "{}", done.stdout);
    for (form, line) in [
        ("info {}", "calls          3, 0 failed"),
        (
            "print {}",
            "cuMemGetInfo_v2(bytesFree=1073741824 (1 GiB), arg1=0x2000) = CUDA_SUCCESS (0)",
        ),
        (
            "print {}",
            "cuFutureThing_v9(thing=x\"7700000000000000\", how=x\"0300000000000000\") = CUDA_SUCCESS (0)",
        ),
        ("stats {}", "cuFutureThing_v9"),
        ("stats {} {good}", "cuFutureThing_v9"),
        ("doctor {}", "nothing wrong found"),
        ("export {} --to csv", ",cuFutureThing_v9,"),
        // No number of another version's prototype is taken for an address.
        ("replay {} --driver sim", "3 calls: 1 same, 2 skipped"),
    ] {
        let done = ask(form, &other, scratch.path());
        assert_sensible(form, &done, 0);
        assert!(done.stdout.contains(line), "{form}: {}", done.stdout);
    }
    let part = scratch.path().join("part");
    let done = finish(cutape(["trim", "--calls", "2..", "-o"]).args([&part, &other]));
    assert_sensible("trim", &done, 0);
    let done = ask("print {}", &part, scratch.path());
    assert!(
        done.stdout.contains("cuFutureThing_v9(thing=x"),
        "{}",
        done.stdout
    );
}
