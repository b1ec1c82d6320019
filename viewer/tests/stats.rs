//! Screen 4: calls counted.

mod support;

use support::Driven;

const BROKEN: &str = "ggml-backend-on-shim-uninitialized";

#[test]
fn it_looks_as_it_should_at_three_sizes() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let mut driven = Driven::open(BROKEN, (columns, rows));
        driven.press("4");
        insta::assert_snapshot!(format!("stats_{columns}x{rows}"), driven.picture());
    }
}

#[test]
fn sorting_by_failures_and_enter_lead_to_the_failed_call() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("4 l l");
    let picture = driven.picture();
    let first = picture.lines().find(|line| line.starts_with('▶'));
    assert!(
        first.is_some_and(|line| line.contains("cuMemGetInfo_v2")),
        "{picture}"
    );
    driven.press("Enter");
    assert_eq!(driven.current(), 621);
}

#[test]
fn tab_counts_by_thread_and_process() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("4 Tab");
    assert!(driven.picture().contains("18825 ggml_backend"));
    driven.press("Tab");
    let picture = driven.picture();
    assert!(
        picture.contains("process") && picture.contains("622"),
        "{picture}"
    );
}
