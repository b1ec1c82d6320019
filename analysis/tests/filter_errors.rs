//! What a filter that can't be understood says of itself, and what it offers to go on with.

use cutape_analysis::filter::{Filter, complete};
use cutape_trace_format::sample::Chance;

fn message(text: &str) -> String {
    match Filter::parse(text) {
        Ok(_) => panic!("{text} is understood"),
        Err(error) => error.message(),
    }
}

#[test]
fn errors_say_what_was_expected_and_found_and_what_was_meant() {
    let cases = [
        (
            "",
            "expected a filter, found the end; such as: cuMem* and ret != 0",
        ),
        ("pdi == 3", "expected a field, found pdi; did you mean pid?"),
        (
            "kernal ~ x*",
            "expected a field, found kernal; did you mean kernel?",
        ),
        (
            "ret = 3",
            "expected a field, an operator or a value, found =; did you mean ==?",
        ),
        (
            "ret == 3 & ok",
            "expected a field, an operator or a value, found &; did you mean && or and?",
        ),
        (
            "ret == NOT_INITALIZED",
            "expected a return code, such as 3 or CUDA_ERROR_NOT_INITIALIZED, found NOT_INITALIZED; did you mean NOT_INITIALIZED?",
        ),
        ("pid == abc", "expected a whole number, found abc"),
        (
            "pid ~ 3*",
            "expected ==, !=, <, <=, >, >= or in, found ~; pid is compared with a whole number",
        ),
        (
            "dur > 5",
            "expected a time with its unit, such as 12us or 1.5ms, found 5; did you mean 5ns, 5us or 5ms?",
        ),
        (
            "dur > 5KiB",
            "expected a time with its unit, such as 12us or 1.5ms, found 5KiB",
        ),
        (
            "bytes > 1ms",
            "expected a number of bytes, such as 4096 or 256KiB, found 1ms",
        ),
        (
            "api == cuMem*",
            "expected a name, found cuMem*; a pattern is compared with ~: api ~ cuMem*",
        ),
        (
            "api > cuMem",
            "expected ==, !=, ~, =~, contains or in, found >; api is compared with a name",
        ),
        ("ok == yes", "expected true or false, found yes"),
        ("api =~ cu(", "expected a regular expression, found "),
        (
            "api ~ cu[ab",
            "expected a ] for the [ of the pattern, found cu[ab",
        ),
        (
            "(ret == 3",
            "expected and, or, or ), found the end; the ( at column 1 is not closed",
        ),
        (
            "ret == 3)",
            "expected and, or, or the end, found ); there is no ( for it",
        ),
        (
            "ret == 3 amd ok",
            "expected and, or, or the end, found amd; did you mean and?",
        ),
        ("ret in {}", "expected at least one value, found }"),
        ("ret in 3", "expected {, found 3; such as: ret in {3, 100}"),
        ("ret in {3", "expected , or }, found the end"),
        ("comm == \"main", "expected a second \", found the end"),
        (
            "ret ==",
            "expected a return code, such as 3 or CUDA_ERROR_NOT_INITIALIZED, found the end",
        ),
        (
            "arg.hStrem",
            "expected an argument of some function, found hStrem; did you mean hStream?",
        ),
        (
            "arg.prop.loc == 1",
            "expected a field of arg.prop, found loc; did you mean location?",
        ),
        (
            "arg.attrib == COMPUTE_CAPABILITY_MAJR",
            "expected a number or the name of a value, found COMPUTE_CAPABILITY_MAJR",
        ),
        (
            "ctx == stream#1",
            "expected a handle, such as 0x504000000000, or a name, such as stream#2, found stream#1",
        ),
        (
            "obj == strem#1",
            "expected a handle, such as 0x504000000000, or a name, such as stream#2, found strem#1; did you mean stream#1?",
        ),
        (
            "\"cuInit\"",
            "expected a field or a function, found \"cuInit\"; a text is compared with a field: api == \"cuInit\"",
        ),
        (
            "and ok",
            "expected a field, a function, not, or (, found and",
        ),
    ];
    for (text, expected) in cases {
        let message = message(text);
        assert!(
            message.starts_with(expected),
            "{text}\n  says {message}\n  not  {expected}"
        );
    }
}

#[test]
fn the_place_is_marked_under_the_filter() {
    let error = Filter::parse("ok and \u{e4}\u{f6} == 1").expect_err("no such field");
    let shown = error.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[1..], ["  ok and \u{e4}\u{f6} == 1", "         ^^"]);
    let end = Filter::parse("ret ==").expect_err("no value").to_string();
    assert!(end.ends_with("\n  ret ==\n        ^"), "{end}");
    let broken = Filter::parse("ok and\nret = 1")
        .expect_err("one =")
        .to_string();
    assert!(broken.ends_with("\n  ret = 1\n      ^"), "{broken}");
}

#[test]
fn nothing_that_is_typed_panics_or_takes_the_stack() {
    for text in [
        "(".repeat(100_000),
        "not ".repeat(100_000),
        "!".repeat(100_000),
    ] {
        assert!(message(&text).contains("brackets in each other"));
    }
    let long = "ok and ".repeat(20_000) + "ok";
    assert!(Filter::parse(&long).is_ok(), "length is no nesting");
    let pieces = [
        "api",
        "ret",
        "arg.",
        "arg.prop.",
        "dur",
        "in",
        "{",
        "}",
        "(",
        ")",
        "==",
        "=~",
        "~",
        "!=",
        "\"",
        "'",
        "12us",
        "0x",
        "..",
        "1..2",
        "[",
        "\\",
        " ",
        "\u{e4}",
        "and",
        "or",
        "not",
        "contains",
        "*",
        ",",
        "=",
        "\n",
    ];
    let mut chance = Chance::new(41);
    for _ in 0..3_000 {
        let text: String = (0..chance.below(9))
            .map(|_| pieces[chance.below(pieces.len() as u64) as usize])
            .collect();
        if let Err(error) = Filter::parse(&text) {
            assert!(error.to_string().contains("expected"), "{text}");
        }
        let found = complete(&text, chance.below(text.len() as u64 + 2) as usize, None);
        assert!(
            text.get(found.replaces.clone()).is_some(),
            "{text} {found:?}"
        );
    }
}

#[test]
fn completions_are_what_can_come_next() {
    let offered = |text: &str| -> Vec<String> {
        let found = complete(text, text.len(), None);
        found
            .candidates
            .into_iter()
            .map(|candidate| candidate.text)
            .collect()
    };
    assert_eq!(offered("ker")[0], "kernel");
    assert!(offered("cuMemGetIn").contains(&"cuMemGetInfo_v2".to_owned()));
    assert!(
        offered("ret ").contains(&"==".to_owned()) && offered("ok ").contains(&"and".to_owned())
    );
    assert_eq!(offered("ret == NOT_INIT")[0], "CUDA_ERROR_NOT_INITIALIZED");
    assert_eq!(
        offered("ret in {3, CUDA_ERROR_OUT")[0],
        "CUDA_ERROR_OUT_OF_MEMORY"
    );
    assert_eq!(offered("ret in "), ["{"]);
    assert_eq!(offered("ret in {3 "), [",", "}"]);
    assert_eq!(offered("ret == 3 "), ["and", "or", ")"]);
    assert_eq!(offered("arg.prop.location.t"), ["arg.prop.location.type"]);
    assert!(offered("arg.attrib == CAPABILITY_MAJ")[0].ends_with("COMPUTE_CAPABILITY_MAJOR"));
    assert_eq!(offered("ok == t"), ["true"]);
    assert_eq!(offered("pid == \"x"), [""; 0]);
    assert_eq!(
        offered("ret == nonsense and k")[..],
        [""; 0],
        "what stands before is wrong"
    );
    let inside = complete("ok and ker and ret == 3", 10, None);
    assert_eq!(
        (inside.replaces, inside.candidates[0].text.as_str()),
        (7..10, "kernel")
    );
}
