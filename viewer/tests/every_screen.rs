//! Every screen on several golden traces, at the three sizes that it has to be good at.

mod support;

use support::{Driven, golden};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// Golden traces, and the one that each is compared with.
const TRACES: [(&str, &str); 4] = [
    (
        "cudart-12.9-on-535-without-gpu",
        "pytorch-on-shim-uninitialized",
    ),
    (
        "ggml-startup-on-shim-uninitialized",
        "ggml-startup-on-shim-fixed",
    ),
    ("pytorch-on-h100", "pytorch-on-shim-uninitialized"),
    (
        "pytorch-on-shim-uninitialized",
        "ggml-backend-on-shim-uninitialized",
    ),
];

/// Screens by name, with the keys that show what is most of use on them.
const SCREENS: [(&str, &str); 6] = [
    ("calls", "e Tab"),
    ("timeline", "2 Esc w w"),
    ("objects", "3 j"),
    ("stats", "4 j"),
    ("diagnosis", "5"),
    ("diff", "6"),
];

#[test]
fn every_screen_of_several_traces_looks_as_it_should() {
    for (trace, other) in TRACES {
        let mut driven = Driven::open(trace, SIZES[0]);
        driven.compare(&golden(other));
        for (screen, keys) in SCREENS {
            let mut pictures = String::new();
            for (columns, rows) in SIZES {
                driven.resize(columns, rows).press("1 Esc g g").press(keys);
                let picture = driven.picture();
                assert_eq!(picture.lines().count(), usize::from(rows));
                pictures.push_str(&picture);
                pictures.push('\n');
            }
            insta::assert_snapshot!(format!("{trace}_{screen}"), pictures);
        }
    }
}
