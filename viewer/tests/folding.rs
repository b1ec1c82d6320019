//! Repeated sequences in the list of calls: a line each when closed, and never in the way.

mod support;

use support::Driven;

const BROKEN: &str = "ggml-backend-on-shim-uninitialized";

/// Numbers in the column of the calls that are listed.
fn numbers(driven: &Driven) -> Vec<u64> {
    let picture = driven.picture();
    let number = |line: &str| {
        let after_signs: String = line.chars().skip(2).collect();
        let word = after_signs.split_whitespace().next()?.replace(',', "");
        word.parse().ok()
    };
    picture.lines().skip(4).map_while(number).collect()
}

#[test]
fn all_are_folded_and_unfolded_by_a_key() {
    let mut driven = Driven::open(BROKEN, (110, 30));
    let flat = numbers(&driven);
    assert_eq!(flat[..3], [1, 2, 3]);
    driven.press("z A");
    insta::assert_snapshot!("folded_110x30", driven.picture());
    let folded = numbers(&driven);
    assert!(
        folded.windows(2).any(|pair| pair[1] > pair[0] + 3),
        "{folded:?}"
    );
    driven.press("z A");
    assert_eq!(numbers(&driven), flat);
}

#[test]
fn one_is_opened_and_closed_at_the_cursor() {
    let mut driven = Driven::open(BROKEN, (110, 30));
    driven.press("z A g g");
    let folded = numbers(&driven);
    let gap = folded
        .windows(2)
        .position(|pair| pair[1] > pair[0] + 3)
        .expect("a loop");
    for _ in 0..gap {
        driven.press("j");
    }
    assert_eq!(driven.current(), folded[gap]);
    driven.press("Enter");
    let open = numbers(&driven);
    assert!(open.contains(&(folded[gap] + 1)), "{open:?}");
    assert_eq!(driven.current(), folded[gap]);
    driven.press("j j z a");
    assert_eq!(numbers(&driven), folded);
    assert_eq!(
        driven.current(),
        folded[gap],
        "the cursor is on the line that stands for the call"
    );
}

#[test]
fn a_call_may_be_folded_without_the_others() {
    let mut driven = Driven::open(BROKEN, (110, 30));
    driven.press("z A g g");
    let folded = numbers(&driven);
    let gap = folded
        .windows(2)
        .position(|pair| pair[1] > pair[0] + 3)
        .expect("a loop");
    let mut driven = Driven::open(BROKEN, (110, 30));
    driven
        .press(":")
        .type_text(&(folded[gap] + 1).to_string())
        .press("Enter z a");
    assert_eq!(driven.current(), folded[gap]);
    assert!(!numbers(&driven).contains(&(folded[gap] + 1)));
}

#[test]
fn what_is_jumped_to_is_never_hidden() {
    let mut driven = Driven::open(BROKEN, (110, 30));
    driven.press("z A");
    for keys in ["/ c u m e m g e t i n f o Enter", "e", "W", "' '"] {
        driven.press(keys);
        let here = driven.current();
        assert!(numbers(&driven).contains(&here), "{keys}: {here}");
    }
    driven.press(":").type_text("17").press("Enter");
    assert_eq!(driven.current(), 17);
    assert!(numbers(&driven).contains(&17));
}

#[test]
fn loops_are_those_of_the_filter() {
    let mut driven = Driven::open(BROKEN, (110, 30));
    driven
        .press("z A &")
        .type_text("cuDeviceGetAttribute")
        .press("Enter");
    let folded = numbers(&driven);
    assert!(
        folded.len() <= 3,
        "one function that always answered the same: {folded:?}"
    );
    driven.press("u");
    assert_eq!(numbers(&driven)[0], 1);
}

#[test]
fn a_loop_says_whether_all_of_its_calls_failed_or_some() {
    let mut driven = Driven::open("pytorch-on-h100", (110, 400));
    driven.press("z A");
    assert!(driven.picture().contains("some failed, harmless"));
    driven
        .press("&")
        .type_text("cuCtxGetDevice*")
        .press("Enter");
    let picture = driven.picture();
    assert!(picture.contains("all failed, harmless"), "{picture}");
}
