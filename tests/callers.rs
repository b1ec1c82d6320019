//! Who called, by name: what sealing finds in program files, and what the commands make of it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{End, Finished, client, cutape, finish, record};

const BROKEN: &str = "sim:shim-uninitialized";

/// A recording of a program on a driver that fails one of its calls.
struct Run {
    path: PathBuf,
    folder: tempfile::TempDir,
}

impl Run {
    fn of(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.cutape");
        let recorded = finish(&mut record(&path, BROKEN, program, &[]));
        assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
        Self { path, folder }
    }

    fn command(&self, words: &[&str]) -> Finished {
        let mut command = cutape(&words[..1]);
        finish(command.arg(&self.path).args(&words[1..]))
    }

    /// The column of callers.
    fn callers(&self, more: &[&str]) -> Vec<String> {
        let words = [&["print", "--columns", "caller"], more].concat();
        let printed = self.command(&words).stdout;
        let caller = |line: &str| line.split("  ").next().unwrap_or_default().to_owned();
        printed.lines().map(caller).collect()
    }
}

#[test]
fn a_call_says_which_function_made_it() {
    let run = Run::of(&client("ggml_startup"));
    let callers = run.callers(&[]);
    assert_eq!(callers.len(), 16);
    let of = |function: &str| {
        let start = format!("ggml_startup {function}+0x");
        callers
            .iter()
            .filter(|caller| caller.starts_with(&start))
            .count()
    };
    // A static function, and the one that is exported by every program.
    assert_eq!((of("attribute"), of("main")), (4, 12), "{callers:?}");
    let raw = run.callers(&["--raw"]);
    assert!(
        raw.iter()
            .all(|caller| caller.starts_with("ggml_startup+0x")),
        "{raw:?}"
    );
    // Where the function starts and where it was called from agree.
    let json = run
        .command(&["print", "--format", "jsonl", "-e", "caller == attribute"])
        .stdout;
    let calls: Vec<serde_json::Value> = json
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let hex = |value: &serde_json::Value| {
        u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
    };
    let starts = calls.iter().map(|call| {
        assert_eq!(call["caller"]["symbol"], "attribute");
        hex(&call["caller"]["offset"]) - hex(&call["caller"]["symbol_offset"])
    });
    let starts: Vec<u64> = starts.collect();
    assert_eq!(starts, [starts[0]; 4]);
}

#[test]
fn filters_and_statistics_know_the_function() {
    let run = Run::of(&client("ggml_startup"));
    for (filter, calls) in [
        ("caller == attribute", 4),
        ("caller == \"ggml_startup attribute\"", 4),
        ("caller ~ main+*", 12),
        ("caller == ggml_startup", 16),
        ("caller ~ ggml_startup+0x*", 16),
        ("caller == nobody", 0),
    ] {
        assert_eq!(run.callers(&["-e", filter]).len(), calls, "{filter}");
    }
    let stats = run.command(&["stats", "--by", "caller"]).stdout;
    assert!(stats.contains("ggml_startup main\n"), "{stats}");
    assert!(stats.contains("ggml_startup attribute\n"), "{stats}");
}

#[test]
fn a_stripped_program_has_offsets_and_no_neighbours_names() {
    let folder = tempfile::tempdir().unwrap();
    let stripped = folder.path().join("stripped");
    let strip = std::process::Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(client("ggml_startup"))
        .status();
    assert!(strip.unwrap().success());
    let callers = Run::of(&stripped).callers(&[]);
    assert!(
        callers
            .iter()
            .all(|caller| caller.starts_with("stripped+0x")),
        "{callers:?}"
    );
}

#[test]
fn a_program_that_was_built_anew_meanwhile_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::copy(client("ggml_startup"), &program).unwrap();
    let run = Run::of(&program);
    // A folder, so that it can be sealed again when another program is there.
    let live = run.folder.path().join("live.cutape");
    let options = [
        "--driver".as_ref(),
        BROKEN.as_ref(),
        "-o".as_ref(),
        live.as_os_str(),
    ];
    let environment = support::environment_of(&options);
    let mut command = support::program(&program);
    assert_eq!(finish(command.envs(environment)).end, End::Code(0));
    fs::remove_file(&program).unwrap();
    fs::copy(client("conformance"), &program).unwrap();
    let sealed = finish(cutape(["seal"]).arg(&live));
    assert_eq!(sealed.end, End::Code(0), "{}", sealed.stderr);
    let callers = Run { path: live, ..run }.callers(&[]);
    assert_eq!(callers.len(), 16);
    assert!(
        callers
            .iter()
            .all(|caller| caller.starts_with("program+0x")),
        "{callers:?}"
    );
}

#[test]
fn parts_keep_the_names_and_redaction_finds_the_paths() {
    let run = Run::of(&client("ggml_startup"));
    let part = run.folder.path().join("part.cutape");
    let words = ["trim", "--calls", "16..16", "--redact", "paths", "-o"];
    let trimmed = finish(cutape(&words[..]).arg(&part).arg(&run.path));
    assert_eq!(trimmed.end, End::Code(0), "{}", trimmed.stderr);
    let json = finish(cutape(["print", "--format", "jsonl"]).arg(&part)).stdout;
    let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(last["caller"]["module"], "ggml_startup");
    assert_eq!(last["caller"]["symbol"], "main");
    let content = fs::read(&part).unwrap();
    assert!(!content.windows(6).any(|bytes| bytes == b"/home/"));
    let verified = finish(cutape(["verify"]).arg(&part));
    assert_eq!(verified.end, End::Code(0), "{}", verified.stdout);
}
