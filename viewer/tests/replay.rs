//! Screen 6 with a report of `cutape replay --json`.

mod support;

use std::path::PathBuf;

use support::Driven;

const BROKEN: &str = "ggml-backend-on-shim-uninitialized";
const HEALTHY: &str = "ggml-backend-on-h100";

/// A report in this folder, made by `cutape replay --json` and shortened.
fn report(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/reports/{name}.json"))
}

#[test]
fn the_first_divergence_is_shown_field_by_field_at_three_sizes() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let mut driven = Driven::open(HEALTHY, (columns, rows));
        driven.compare(&report("ggml-on-shim"));
        insta::assert_snapshot!(format!("replay_{columns}x{rows}"), driven.picture());
    }
}

#[test]
fn divergences_are_gone_through_and_lead_to_their_calls() {
    let mut driven = Driven::open(HEALTHY, (120, 40));
    driven.compare(&report("ggml-on-shim"));
    let first = driven.picture();
    assert!(
        first.contains("1 of 2, the first divergence: changed cuDeviceGetAttribute"),
        "{first}"
    );
    assert!(first.contains("6 Replay"), "{first}");
    driven.press("e");
    assert!(
        driven
            .picture()
            .contains("2 of 2: regressed cuMemGetInfo_v2"),
        "{}",
        driven.picture()
    );
    driven.press("E Enter");
    assert_eq!(driven.current(), 592);
    assert!(
        driven.picture().contains("─ Arguments"),
        "{}",
        driven.picture()
    );
}

#[test]
fn another_trace_and_another_json_are_refused_with_a_reason() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.compare(&report("ggml-on-shim"));
    let picture = driven.picture();
    assert!(
        picture.contains("is about traces/ggml-backend-on-h100.cutape and not about"),
        "{picture}"
    );
    driven.compare(&report("foreign"));
    let picture = driven.picture();
    assert!(
        picture.contains("expected a report of `cutape replay --json`, found \"cutape.diff\""),
        "{picture}"
    );
}
