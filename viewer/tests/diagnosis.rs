//! Screens 5 and 6 as a user meets them: why, and what is different elsewhere.

mod support;

use support::{Driven, golden};

const BROKEN: &str = "ggml-backend-on-shim-uninitialized";

#[test]
fn it_looks_as_it_should_at_three_sizes() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let mut driven = Driven::open(BROKEN, (columns, rows));
        driven.press("5");
        insta::assert_snapshot!(format!("diagnosis_{columns}x{rows}"), driven.picture());
    }
}

#[test]
fn a_newcomer_finds_the_call_and_the_reason_in_four_keys() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("e");
    let call = driven.picture();
    assert!(
        call.contains("NOT_INITIALIZED") && call.contains("meminfo-error"),
        "{call}"
    );
    driven.press("5");
    let why = driven.picture();
    assert!(why.contains("1. meminfo-error (fatal)"), "{why}");
    assert!(why.contains("runs on the CPU [silent]"), "{why}");
    assert!(why.contains("make the driver answer cuMemGetInfo"), "{why}");
    driven.press("e Enter");
    assert_eq!(driven.current(), 621, "the evidence");
    assert!(driven.picture().contains("cuMemGetInfo_v2"));
}

#[test]
fn a_healthy_trace_says_so() {
    let mut driven = Driven::open("ggml-backend-on-h100", (120, 40));
    driven.press("5");
    let picture = driven.picture();
    assert!(picture.contains("nothing wrong found"), "{picture}");
    assert!(
        picture.contains("GGML would offer this GPU: 78 GiB of 80 GiB free"),
        "{picture}"
    );
}

fn compared(a: &str, b: &str, size: (u16, u16)) -> Driven {
    let mut driven = Driven::open(a, size);
    driven.compare(&golden(b));
    driven
}

#[test]
fn two_runs_stand_beside_each_other_with_the_first_difference_under_the_cursor() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let driven = compared(BROKEN, "ggml-backend-on-h100", (columns, rows));
        insta::assert_snapshot!(format!("diff_{columns}x{rows}"), driven.picture());
    }
}

#[test]
fn the_arguments_of_a_changed_call_are_compared() {
    let mut driven = compared(BROKEN, "ggml-backend-on-h100", (160, 50));
    let picture = driven.picture();
    assert!(
        picture.contains("! free") && picture.contains("78 GiB"),
        "{picture}"
    );
    driven.press("Enter");
    assert_eq!(driven.current(), 621);
}

#[test]
fn two_programs_are_compared_by_what_they_ask() {
    let driven = compared(BROKEN, "pytorch-on-shim-uninitialized", (120, 40));
    let picture = driven.picture();
    assert!(picture.contains("cuMemGetInfo"), "{picture}");
    insta::assert_snapshot!("diff_of_two_programs", picture);
}

#[test]
fn a_second_trace_that_is_none_is_said() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("6");
    assert!(
        driven
            .picture()
            .contains("no second trace: `:compare PATH`")
    );
    driven
        .press(":")
        .type_text("compare /nonexistent/trace")
        .press("Enter");
    assert!(
        driven.picture().contains("No such file"),
        "{}",
        driven.picture()
    );
}
