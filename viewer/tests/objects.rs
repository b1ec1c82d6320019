//! Screen 3: the driver's objects.

mod support;

use support::Driven;

const HEALTHY: &str = "ggml-backend-on-h100";

#[test]
fn it_looks_as_it_should_at_three_sizes() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let mut driven = Driven::open(HEALTHY, (columns, rows));
        driven.press("3");
        insta::assert_snapshot!(format!("objects_{columns}x{rows}"), driven.picture());
    }
}

#[test]
fn kinds_are_chosen_and_columns_sort() {
    let mut driven = Driven::open(HEALTHY, (120, 40));
    driven.press("3 Tab");
    let contexts = driven.picture();
    assert!(
        contexts.contains("only contexts · 1 of 8 objects"),
        "{contexts}"
    );
    assert!(!contexts.contains("dptr#1"), "{contexts}");
    driven.press("Esc");
    assert!(driven.picture().contains("all kinds · 8 objects"));
    // By size: the only one with a size comes first.
    driven.press("h g g");
    assert!(
        driven.picture().contains("▶ dptr#1"),
        "{}",
        driven.picture()
    );
}

#[test]
fn enter_leads_to_the_call_that_created_it() {
    let mut driven = Driven::open(HEALTHY, (120, 40));
    driven.press("3 j Enter");
    assert_eq!(driven.current(), 624);
    let picture = driven.picture();
    assert!(picture.contains("cuMemAlloc_v2"), "{picture}");
}

#[test]
fn the_calls_of_an_object_are_listed_by_a_key() {
    let mut driven = Driven::open(HEALTHY, (120, 40));
    driven.press("3 j =");
    let picture = driven.picture();
    assert!(picture.contains("filter  obj == dptr#1"), "{picture}");
    assert!(picture.contains("─ Arguments"), "{picture}");
    assert_eq!(driven.current(), 624, "the call that made it comes first");
    driven.press("u 3 !");
    let picture = driven.picture();
    assert!(picture.contains("filter  not obj == dptr#1"), "{picture}");
}
