//! `cutape sim`: what it lists, and what it refuses.

mod support;

use cutape_cuda_api::Api;
use support::{End, client, cutape, finish, record};

#[test]
fn it_lists_every_function_with_what_it_does() {
    let listed = finish(&mut cutape(["sim", "--list"]));
    assert_eq!(listed.end, End::Code(0), "{}", listed.stderr);
    let functions = Api::get().functions();
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), functions.len() + 1);
    for (line, function) in lines.iter().zip(functions) {
        let (name, answer) = line.split_once(' ').expect("a name and an answer");
        assert_eq!(name, function.name);
        let known = [
            "implemented",
            "answers CUDA_ERROR_NOT_SUPPORTED",
            "answers NVML_ERROR_NOT_SUPPORTED",
        ];
        assert!(known.contains(&answer.trim()), "{line}");
    }
    let answer_of = |name: &str| {
        let line = lines
            .iter()
            .find(|line| line.split(' ').next() == Some(name));
        line.map(|line| line.rsplit(' ').next().unwrap_or_default())
    };
    assert_eq!(answer_of("cuMemAlloc_v2"), Some("implemented"));
    assert_eq!(
        answer_of("cuGraphicsUnmapResources"),
        Some("CUDA_ERROR_NOT_SUPPORTED")
    );
}

#[test]
fn it_lists_the_profiles_with_a_line_each() {
    let listed = finish(&mut cutape(["sim", "--profiles"]));
    assert_eq!(listed.end, End::Code(0), "{}", listed.stderr);
    let names = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("  "));
        lines
            .map(|line| {
                let (name, summary) = line.trim().split_once("  ").expect("a name and a summary");
                assert!(!summary.trim().is_empty(), "{line}");
                name.to_owned()
            })
            .collect::<Vec<_>>()
    };
    let (working, broken) = listed.stdout.split_once("\n\n").expect("two lists");
    assert_eq!(
        names(working),
        [
            "a100",
            "h100",
            "h200",
            "integrated",
            "l4",
            "shim-fixed",
            "t4",
            "two-gpu"
        ]
    );
    let broken = names(broken);
    assert!(
        broken.contains(&"shim-uninitialized".to_owned()),
        "{broken:?}"
    );
}

#[test]
fn each_working_profile_shows_its_gpu_to_a_program() {
    let expected = [
        (
            "h100",
            "NVIDIA H100 80GB HBM3, compute 9.0, 79872 MiB free of 81920 MiB",
        ),
        (
            "h200",
            "NVIDIA H200, compute 9.0, 143360 MiB free of 144384 MiB",
        ),
        (
            "a100",
            "NVIDIA A100-SXM4-80GB, compute 8.0, 79872 MiB free of 81920 MiB",
        ),
        ("l4", "NVIDIA L4, compute 8.9, 21504 MiB free of 22528 MiB"),
        ("t4", "Tesla T4, compute 7.5, 14336 MiB free of 15360 MiB"),
        (
            "two-gpu",
            "NVIDIA H100 80GB HBM3, compute 9.0, 79872 MiB free of 81920 MiB",
        ),
        (
            "integrated",
            "Orin, compute 8.7, 59392 MiB free of 62464 MiB",
        ),
        (
            "shim-fixed",
            "NVIDIA H100 80GB HBM3, compute 9.0, 79872 MiB free of 81920 MiB",
        ),
    ];
    for (profile, gpu) in expected {
        let mut command = cutape(["sim", "--profile", profile, "--"]);
        let printed = finish(command.arg(client("ggml_startup")));
        assert_eq!(
            printed.stdout,
            format!("backend: CUDA0 ({gpu})\n"),
            "{profile}"
        );
    }
}

#[test]
fn a_wrong_profile_is_refused_before_the_program_runs() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("mine.toml");
    std::fs::write(&file, "extends = \"h100\"\ntotal_memry = \"8 GiB\"\n").unwrap();
    for (profile, told) in [
        (file.to_str().unwrap(), "line 2: unknown key `total_memry`"),
        ("h10", "did you mean \"h100\"?"),
        ("/nowhere/mine.toml", "could not be read"),
    ] {
        let mut sim = cutape(["sim", "--profile", profile, "--", "echo", "it ran"]);
        let trace = scratch.path().join("trace");
        let driver = format!("sim:{profile}");
        let mut recorded = record(&trace, driver, "echo".as_ref(), &["it ran"]);
        for command in [&mut sim, &mut recorded] {
            let refused = finish(command);
            assert_eq!(refused.end, End::Code(125), "{profile}");
            assert_eq!(refused.stdout, "", "{profile}");
            let is_told = refused.stderr.starts_with("cutape: ") && refused.stderr.contains(told);
            assert!(is_told, "{profile}: {}", refused.stderr);
        }
    }
}

#[test]
fn without_a_command_and_without_a_list_it_says_what_is_missing() {
    let refused = finish(&mut cutape(["sim", "--profile", "h100"]));
    assert_ne!(refused.end, End::Code(0));
    assert!(refused.stderr.contains("<CMD>"), "{}", refused.stderr);
}
