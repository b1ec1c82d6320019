//! Screen 1 as a user meets it: keys in, picture out.

mod support;

use support::Driven;

const BROKEN: &str = "ggml-backend-on-shim-uninitialized";
const PYTORCH: &str = "pytorch-on-h100";

#[test]
fn it_looks_as_it_should_at_three_sizes() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let mut driven = Driven::open(BROKEN, (columns, rows));
        driven.press("e");
        insta::assert_snapshot!(format!("calls_{columns}x{rows}"), driven.picture());
    }
}

#[test]
fn structures_are_trees() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven
        .press("/")
        .type_text("cuMemGetAllocationGranularity")
        .press("Enter Enter");
    insta::assert_snapshot!("calls_tree", driven.picture());
    driven.press("z A");
    let closed = driven.picture();
    assert!(
        closed.contains("▸ prop") && !closed.contains("▾ location"),
        "{closed}"
    );
    driven.press("z A");
    assert!(driven.picture().contains("▾ location"));
}

#[test]
fn errors_are_found_both_ways_and_benign_ones_are_none() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("e");
    assert_eq!(driven.current(), 621);
    driven.press("e");
    assert_eq!(
        (driven.current(), driven.bottom()),
        (621, "no further failed call".to_owned())
    );
    driven.press("W");
    assert_eq!(
        driven.current(),
        615,
        "cuCtxGetDevice tells that there is no context yet"
    );
    driven.press("e");
    assert_eq!(driven.current(), 621);
    driven.press("g g E");
    assert_eq!(driven.bottom(), "no further failed call");
}

#[test]
fn searches_wrap_and_go_both_ways() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("/").type_text("cumemgetinfo").press("Enter");
    assert_eq!(driven.current(), 80, "also in the arguments of a look-up");
    driven.press("n");
    assert_eq!(driven.current(), 621);
    driven.press("n");
    assert_eq!(
        (driven.current(), driven.bottom()),
        (80, "from the other end: call 80".to_owned())
    );
    driven.press("N");
    assert_eq!(driven.current(), 621);
    driven.press("/").type_text("no such thing").press("Enter");
    assert_eq!(driven.bottom(), "no further match of \"no such thing\"");
}

#[test]
fn handles_are_followed_to_their_makers_and_users() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("G k k");
    let here = driven.picture();
    assert!(here.contains("ctx#1"), "{here}");
    driven.press("g d");
    assert_eq!(driven.current(), 618, "cuDevicePrimaryCtxRetain made it");
    driven.press("o");
    assert_eq!(driven.current(), 619);
    driven.press("[");
    assert_eq!(driven.current(), 618);
}

#[test]
fn marks_and_jumps() {
    let mut driven = Driven::open(PYTORCH, (80, 24));
    driven.press("G m a g g");
    assert_eq!(driven.current(), 1);
    driven.press("' a");
    assert_eq!(driven.current(), 686);
    driven.press("[ [ ]");
    driven.press(":").type_text("300").press("Enter");
    assert_eq!(driven.current(), 300);
    driven.press("' '");
    assert_ne!(driven.current(), 300);
    driven.press(":").type_text("9999").press("Enter");
    assert_eq!(driven.current(), 686);
    assert!(
        driven.bottom().starts_with("there is no call 9,999"),
        "{}",
        driven.bottom()
    );
    driven.press("' z");
    assert_eq!(driven.bottom(), "there is no mark z: mz sets it");
}

#[test]
fn copies_are_what_print_writes() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("e y y y c l y v");
    assert_eq!(
        driven.copied,
        [
            "cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)",
            "cutape print traces/ggml-backend-on-shim-uninitialized.cutape",
            "NOT_INITIALIZED (3) → 0, 0",
        ]
    );
}

#[test]
fn the_help_is_made_from_the_table_and_runs_what_is_chosen() {
    let mut driven = Driven::open(BROKEN, (80, 24));
    driven.press("?");
    insta::assert_snapshot!("help_80x24", driven.picture());
    driven.type_text("that failed").press("Enter");
    assert_eq!(driven.current(), 621);
    driven.press(":");
    insta::assert_snapshot!("palette_80x24", driven.picture());
    driven.type_text("theme neon").press("Enter");
    assert_eq!(
        driven.bottom(),
        "theme: expected one of ansi, dark, light, mono, found \"neon\""
    );
    driven.press(":").type_text("theme dark").press("Enter");
    assert_eq!(
        driven.saved.last().map(|settings| settings.theme.name()),
        Some("dark")
    );
    driven.press("q");
    assert!(driven.has_quit);
}

#[test]
fn panes_hide_grow_and_get_the_keyboard() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("\\");
    assert!(!driven.picture().contains("Arguments"));
    driven.press("\\ Tab Tab");
    assert!(driven.picture().contains("Arguments"));
    let before = driven.picture();
    driven.press("+ + +");
    let rule = |picture: &str| picture.lines().position(|line| line.contains("Arguments"));
    assert_eq!(rule(&driven.picture()).map(|line| line + 3), rule(&before));
}

#[test]
fn ascii_means_ascii() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press(":").type_text("ascii").press("Enter e");
    let picture = driven.picture();
    assert!(picture.is_ascii(), "{picture}");
    insta::assert_snapshot!("calls_ascii", picture);
}

#[test]
fn any_size_can_be_drawn_with_anything_open() {
    let mut driven = Driven::open(BROKEN, (80, 24));
    for keys in ["e", "Tab", "Tab", "Tab", "Tab ?", "Esc :", "Esc /"] {
        driven.press(keys);
        for (columns, rows) in [
            (0, 0),
            (1, 1),
            (3, 2),
            (20, 4),
            (37, 9),
            (80, 24),
            (300, 100),
        ] {
            driven.resize(columns, rows).picture();
        }
    }
}

#[test]
fn filters_narrow_and_are_taken_back() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven.press("&");
    insta::assert_snapshot!("filter_offers", driven.picture());
    driven.type_text("cuMem* and nod ok");
    assert!(
        driven.picture().contains("expected"),
        "{}",
        driven.picture()
    );
    driven
        .press("ctrl-w ctrl-w")
        .type_text("not ok")
        .press("Enter");
    assert_eq!(driven.current(), 621);
    let picture = driven.picture();
    assert!(picture.contains("1 of 622"), "{picture}");
    driven.press("y c");
    assert_eq!(
        driven.copied,
        ["cutape print -e 'cuMem* and not ok' traces/ggml-backend-on-shim-uninitialized.cutape"]
    );
    driven.press("u");
    assert!(driven.picture().contains("filter  none"));
    driven.press("u");
    assert_eq!(driven.bottom(), "there was no filter before");
}

#[test]
fn the_value_under_the_cursor_is_a_filter() {
    let mut driven = Driven::open(BROKEN, (180, 40));
    driven.press("e =");
    assert_eq!(filter(&driven), "api == cuMemGetInfo_v2");
    driven.press("u e l =");
    assert_eq!(filter(&driven), "ret == CUDA_ERROR_NOT_INITIALIZED");
    assert_eq!(driven.current(), 621);
    driven
        .press("u /")
        .type_text("COMPUTE_CAPABILITY_MAJOR")
        .press("Enter Tab j j");
    driven.press("=");
    assert_eq!(
        filter(&driven),
        "arg.attrib == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR"
    );
    driven.press("BackTab h !");
    assert!(
        filter(&driven).ends_with(" and not api == cuDeviceGetAttribute"),
        "{}",
        filter(&driven)
    );
    assert!(
        driven.picture().contains("no call matches"),
        "{}",
        driven.picture()
    );
}

/// The filter as the line below the top shows it.
fn filter(driven: &Driven) -> String {
    let picture = driven.picture();
    let line = picture.lines().nth(1).unwrap_or_default().trim();
    let text = line.strip_prefix("filter").unwrap_or_default().trim();
    let end = text
        .rfind("  ")
        .map_or(text.len(), |_| text.find("  ").unwrap_or(text.len()));
    text[..end].trim().to_owned()
}

#[test]
fn damage_is_counted_and_said() {
    let mut bytes = std::fs::read(support::golden(BROKEN)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 400].fill(0x55);
    let folder = std::env::temp_dir().join(format!("cutape-viewer-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("damaged.cutape");
    std::fs::write(&path, bytes).unwrap();
    let trace = cutape_trace_format::trace::Trace::open(&path).unwrap();
    let driven = Driven::of(trace, (120, 40));
    std::fs::remove_dir_all(&folder).unwrap();
    let picture = driven.picture();
    assert!(picture.contains("lost 622"), "{picture}");
    assert!(picture.contains("(damaged: can't be read)"), "{picture}");
    assert!(
        driven.bottom().contains("`cutape verify` says where"),
        "{}",
        driven.bottom()
    );
}

#[test]
fn the_bytes_of_a_field_are_marked_and_named() {
    let mut driven = Driven::open(BROKEN, (120, 40));
    driven
        .press("/")
        .type_text("cuMemGetAllocationGranularity(")
        .press("Enter Enter");
    let unmarked = driven.picture();
    assert!(unmarked.contains("─ Bytes ─"), "{unmarked}");
    let id = unmarked
        .lines()
        .skip_while(|line| !line.contains("─ Arguments"))
        .skip(1)
        .position(|line| line.contains("  id "));
    for _ in 0..id.expect("the field") {
        driven.press("j");
    }
    insta::assert_snapshot!("calls_bytes_of_a_field", driven.picture());
    let marked = driven.picture();
    assert!(
        marked.contains("─ Bytes: [prop.location.(2).id] at 0xc, 4 long"),
        "{marked}"
    );
    assert!(marked.contains("[00 00 00 00]"), "{marked}");
}
