//! Screen 2: what happened when.

mod support;

use support::Driven;

const HEALTHY: &str = "ggml-backend-on-h100";

#[test]
fn it_looks_as_it_should_at_three_sizes() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let mut driven = Driven::open(HEALTHY, (columns, rows));
        driven.press("2");
        insta::assert_snapshot!(format!("timeline_{columns}x{rows}"), driven.picture());
    }
}

#[test]
fn zooming_shows_calls_by_name_and_escape_shows_all_again() {
    let mut driven = Driven::open(HEALTHY, (120, 40));
    driven.press("2");
    let whole = driven.picture();
    assert!(whole.contains("17.6ms of 17.6ms"), "{whole}");
    driven.press("w w w w w w w");
    let near = driven.picture();
    assert!(near.contains("138us of 17.6ms"), "{near}");
    assert!(near.contains("├cuDriverGetVersion─"), "{near}");
    driven.press("Esc");
    assert_eq!(driven.picture(), whole);
}

#[test]
fn the_call_is_the_same_on_all_screens() {
    let mut driven = Driven::open(HEALTHY, (120, 40));
    driven.press("2 w w w w e");
    assert_eq!(driven.current(), 658, "errors are found from here, too");
    let picture = driven.picture();
    assert!(
        picture.contains("#658"),
        "the time moves with it: {picture}"
    );
    driven.press("l");
    assert_eq!(driven.current(), 659, "the lane's next call");
    driven.press("h h Enter");
    assert_eq!(driven.current(), 657);
}

#[test]
fn keys_of_this_screen_mean_something_else_on_others() {
    let mut driven = Driven::open(HEALTHY, (120, 40));
    driven.press("2 d");
    driven.press("1 g g d");
    assert!(driven.current() > 1, "half a screen down");
}
