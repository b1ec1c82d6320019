//! What is counted, and which failures count.

#[allow(dead_code)]
mod sample;

use chrono::{FixedOffset, Offset, Utc};
use cutape_analysis::benign::BENIGN_PROBES;
use cutape_analysis::filter::Filter;
use cutape_analysis::info::Info;
use cutape_analysis::info_text::info_text;
use cutape_analysis::stats::{SortBy, Stats, StatsQuery};
use cutape_analysis::stats_comparison::StatsComparison;
use cutape_analysis::stats_group::GroupBy;
use cutape_analysis::stats_text::stats_text;
use cutape_analysis::summary::summary_lines;
use cutape_analysis::survey::Survey;
use cutape_trace_format::sample::SampleCapture;
use cutape_trace_format::trace::Trace;
use sample::Sample;

const TOLERATED: [u8; 16] = [
    0xf8, 0xcf, 0xf9, 0x51, 0x21, 0x46, 0x8b, 0x4e, 0xb9, 0xe2, 0xfb, 0x46, 0x9e, 0x7c, 0x0d, 0xd9,
];
const CONTEXT_CHECKS: [u8; 16] = [
    0x26, 0x3e, 0x88, 0x60, 0x7c, 0xd2, 0x61, 0x43, 0x92, 0xf6, 0xbb, 0xd5, 0x00, 0x6d, 0xfa, 0x7e,
];
const CUDART_INTERFACE: [u8; 16] = [
    0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9,
];

fn info(trace: &Trace) -> Info {
    Info::of(trace, &Survey::of(trace, |_| {}))
}

fn first_failure(sample: &mut Sample) -> Option<u64> {
    info(&sample.open())
        .first_failure
        .map(|failure| failure.seq)
}

fn refuse_table(sample: &mut Sample, guid: &[u8; 16]) {
    let asked = [SampleCapture::before(1, guid)];
    sample.call_with("cuGetExportTable", &[0x10, 0x20], Some(1), &asked);
}

fn look_up(sample: &mut Sample, version: u64) {
    sample.call("cuGetProcAddress_v2", &[0x10, 0x20, version, 0, 0], Some(0));
}

#[test]
fn benign_probes_are_passed_over_in_search_of_the_first_failure() {
    let mut sample = Sample::new();
    sample.call("cuGetProcAddress", &[0x10, 0x20, 12_090, 0], Some(500));
    refuse_table(&mut sample, &TOLERATED);
    sample.call("cuCtxGetDevice", &[0x10], Some(201));
    sample.call("cuStreamQuery_ptsz", &[0], Some(600));
    sample.call("cuEventQuery", &[0x10], Some(600));
    sample.call("cuMemGetInfo_v2", &[0x10, 0x20], Some(3));
    sample.call("cuInit", &[0], Some(100));
    let trace = sample.open();
    let info = info(&trace);
    assert_eq!(
        (info.count.calls, info.count.failed, info.benign),
        (7, 7, 5)
    );
    assert_eq!(info.first_failure.map(|failure| failure.seq), Some(6));
}

#[test]
fn the_same_calls_with_other_codes_are_failures() {
    for (name, args, code) in [
        ("cuGetProcAddress_v2", &[0x10, 0x20, 12_090, 0, 0][..], 1),
        ("cuCtxGetDevice", &[0x10], 3),
        ("cuStreamQuery", &[0], 700),
        ("cuEventQuery", &[0x10], 400),
        ("cuCtxGetCurrent", &[0x10], 201),
    ] {
        let mut sample = Sample::new();
        sample.call(name, args, Some(code));
        assert_eq!(first_failure(&mut sample), Some(1), "{name} = {code}");
    }
}

#[test]
fn which_export_tables_may_be_refused_depends_on_the_runtime() {
    let mut sample = Sample::new();
    refuse_table(&mut sample, &CUDART_INTERFACE);
    assert_eq!(
        first_failure(&mut sample),
        Some(1),
        "no runtime does without this one"
    );
    let mut sample = Sample::new();
    look_up(&mut sample, 12_090);
    refuse_table(&mut sample, &CONTEXT_CHECKS);
    assert_eq!(first_failure(&mut sample), None, "12.9 does");
    let mut sample = Sample::new();
    look_up(&mut sample, 13_000);
    refuse_table(&mut sample, &CONTEXT_CHECKS);
    assert_eq!(first_failure(&mut sample), Some(2), "13.0 does not");
    let mut sample = Sample::new();
    refuse_table(&mut sample, &CONTEXT_CHECKS);
    assert_eq!(
        first_failure(&mut sample),
        Some(1),
        "an unknown runtime is not given the benefit of the doubt"
    );
}

#[test]
fn what_one_process_looked_up_says_nothing_about_another() {
    let mut sample = Sample::new();
    look_up(&mut sample, 13_000);
    sample.process(200);
    look_up(&mut sample, 12_080);
    refuse_table(&mut sample, &CONTEXT_CHECKS);
    assert_eq!(first_failure(&mut sample), None);
}

#[test]
fn benign_probes_have_different_names() {
    let mut ids: Vec<_> = BENIGN_PROBES.iter().map(|probe| probe.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), BENIGN_PROBES.len());
}

/// cuInit, a failing cuMemGetInfo_v2, a call in flight.
fn story() -> Sample {
    let mut sample = Sample::new();
    let zero = [0; 8];
    let zeros = [
        SampleCapture::after(0, &zero),
        SampleCapture::after(1, &zero),
    ];
    sample.call("cuInit", &[0], Some(0));
    sample.call_with("cuMemGetInfo_v2", &[0x10, 0x20], Some(3), &zeros);
    sample.call("cuCtxSynchronize", &[], None);
    sample
}

#[test]
fn record_ends_with_what_matters() {
    let mut sample = story();
    let lines = summary_lines(&info(&sample.open()));
    assert_eq!(
        lines,
        [
            "1 process, 3 calls, 1 failed, 1 in flight, 0 lost",
            "first failure: call 2: cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)",
        ]
    );
}

#[test]
fn info_says_who_recorded_what_and_how_it_went() {
    let mut sample = story();
    sample.process(200);
    sample.call("cuInit", &[0], Some(0));
    let trace = sample.open();
    let text = info_text(&info(&trace), FixedOffset::east_opt(3600).expect("a zone"));
    let path = sample.recording.path.display();
    let expected = format!(
        "trace          {path} (recording folder, not sealed)
command        ./client --loop
host           sample
recorded by    cutape 0.1.0
options        driver=sim
start          2027-01-15 09:00:00.000000 +01:00
duration       4.25us
end            not on record
calls          4, 1 failed, 1 in flight
lost           0 calls
first failure  call 2: cuMemGetInfo_v2(free=0, total=0) = CUDA_ERROR_NOT_INITIALIZED (3)

process        100 (parent 1)
  program      /usr/bin/client
  driver       /usr/lib/libcuda.so.1
  calls        3, 1 failed, 1 in flight
  threads      1
          100  main             3, 1 failed, 1 in flight
  libraries    1
    /usr/lib/libclient.so  abababababababababababababababababababab

process        200 (parent 1)
  program      /usr/bin/client
  driver       /usr/lib/libcuda.so.1
  calls        1, 0 failed
  threads      1
          200  main             1, 0 failed
  libraries    1
    /usr/lib/libclient.so  abababababababababababababababababababab
"
    );
    assert_eq!(text, expected);
}

#[test]
fn info_as_json_has_the_documented_fields() {
    let mut sample = story();
    let info = info(&sample.open());
    let json: serde_json::Value = serde_json::from_str(&info.to_json()).expect("is JSON");
    assert_eq!(json["schema"], "cutape.info");
    assert_eq!(json["version"], 1);
    assert_eq!(json["start"], "2027-01-15T08:00:00.000000Z");
    assert_eq!(
        (&json["calls"], &json["failed"], &json["in_flight"]),
        (&3.into(), &1.into(), &1.into())
    );
    assert_eq!(json["recording"]["command"][1], "--loop");
    assert_eq!(json["first_failure"]["seq"], 2);
    assert_eq!(json["first_failure"]["ret"], 3);
    assert_eq!(json["processes"][0]["threads"][0]["name"], "main");
    assert_eq!(
        json["processes"][0]["libraries"][0]["path"],
        "/usr/lib/libclient.so"
    );
    assert_eq!(json["losses"]["dropped"], 0);
    assert!(json["end"].is_null());
}

#[test]
fn statistics_count_calls_failures_and_times_by_function() {
    let mut sample = story();
    for _ in 0..4 {
        sample.call("cuInit", &[0], Some(1));
    }
    let stats = Stats::of(&sample.open(), StatsQuery::default(), |_| {});
    let text = stats_text(&stats);
    assert_eq!(
        text,
        "\
% time   total  calls  failed   mean    p50    p99    max  function
 83.33  1.25us      5       4  250ns  250ns  250ns  250ns  cuInit
 16.66   250ns      1       1  250ns  250ns  250ns  250ns  cuMemGetInfo_v2
  0.00     0ns      1       0      -      -      -      -  cuCtxSynchronize
100.00  1.50us      7       5  250ns  250ns  250ns  250ns  total

in flight, counted and not timed:
  1  cuCtxSynchronize

codes of failed calls:
  4  CUDA_ERROR_INVALID_VALUE (1)
  1  CUDA_ERROR_NOT_INITIALIZED (3)
"
    );
    let json: serde_json::Value = serde_json::from_str(&stats.to_json()).expect("is JSON");
    assert_eq!(
        (&json["schema"], &json["version"]),
        (&"cutape.stats".into(), &1.into())
    );
    assert_eq!(json["total"]["total_ns"], 1500);
    assert_eq!(json["functions"][2]["mean_ns"], serde_json::Value::Null);
    assert_eq!(json["codes"][0]["name"], "CUDA_ERROR_INVALID_VALUE");
}

#[test]
fn functions_are_sorted_by_what_was_asked_for() {
    let mut sample = story();
    let trace = sample.open();
    let by = |sort| {
        let query = StatsQuery {
            sort,
            ..StatsQuery::default()
        };
        let groups = Stats::of(&trace, query, |_| {}).groups;
        let names = groups.into_iter().map(|group| group.group.name());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        by(SortBy::Name),
        ["cuCtxSynchronize", "cuInit", "cuMemGetInfo_v2"]
    );
    assert_eq!(by(SortBy::Failed)[0], "cuMemGetInfo_v2");
    assert_eq!(by(SortBy::Max)[2], "cuCtxSynchronize");
}

/// Two processes, whose calls come from one library.
fn two_processes() -> Sample {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    sample.call("cuMemGetInfo_v2", &[0x10, 0x20], Some(3));
    sample.process(200);
    sample.call("cuInit", &[0], Some(0));
    sample
}

#[test]
fn calls_are_counted_by_thread_process_and_caller() {
    let mut sample = two_processes();
    let trace = sample.open();
    let table = |by| {
        let query = StatsQuery {
            by,
            ..StatsQuery::default()
        };
        let stats = Stats::of(&trace, query, |_| {});
        let counts = |group: &cutape_analysis::stats_group::GroupStats| {
            (group.group.name(), group.calls, group.failed)
        };
        let json: serde_json::Value = serde_json::from_str(&stats.to_json()).expect("is JSON");
        (stats.groups.iter().map(counts).collect::<Vec<_>>(), json)
    };
    let named = |name: &str, calls, failed| (name.to_owned(), calls, failed);
    let (threads, json) = table(GroupBy::Thread);
    assert_eq!(threads, [named("100 main", 2, 1), named("200 main", 1, 0)]);
    assert_eq!(
        (&json["by"], &json["threads"][0]["comm"]),
        (&"thread".into(), &"main".into())
    );
    let (processes, json) = table(GroupBy::Process);
    assert_eq!(processes[0], named("100 /usr/bin/client", 2, 1));
    assert_eq!(json["processes"][1]["pid"], 200);
    let (callers, json) = table(GroupBy::Caller);
    assert_eq!(callers, [named("libclient.so", 3, 1)]);
    assert_eq!(json["callers"][0]["caller"], "libclient.so");
}

#[test]
fn only_calls_that_a_filter_means_are_counted() {
    let mut sample = two_processes();
    let trace = sample.open();
    let filter = Filter::parse("pid == 100 and not ok").expect("is a filter");
    let query = StatsQuery {
        filter: Some(&filter),
        histogram: true,
        ..StatsQuery::default()
    };
    let stats = Stats::of(&trace, query, |_| {});
    assert_eq!((stats.total.calls, stats.groups.len()), (1, 1));
    let text = stats_text(&stats);
    let histogram = format!(
        "\ntime of a call:\n   128ns ..    256ns  1  {}\n",
        "#".repeat(50)
    );
    assert!(text.ends_with(&histogram), "{text}");
    let json: serde_json::Value = serde_json::from_str(&stats.to_json()).expect("is JSON");
    assert_eq!(json["filter"], "pid == 100 and not ok");
    assert_eq!(json["functions"][0]["histogram"][0]["from_ns"], 128);
}

#[test]
fn two_traces_are_compared_group_by_group() {
    let mut before = two_processes();
    let mut after = Sample::new();
    for _ in 0..3 {
        after.call("cuInit", &[0], Some(0));
    }
    after.call("cuCtxSynchronize", &[], Some(0));
    let count = |sample: &mut Sample| Stats::of(&sample.open(), StatsQuery::default(), |_| {});
    let (before, after) = (count(&mut before), count(&mut after));
    let text = StatsComparison::of(&before, &after).to_text();
    assert_eq!(
        text,
        "\
calls A  calls B  failed A  failed B  mean A  mean B  change  p99 A  p99 B  change  function
      -        1         -         0       -   250ns       -      -  250ns       -  cuCtxSynchronize
      2        3         0         0   250ns   250ns    +0 %  250ns  250ns    +0 %  cuInit
      1        -         1         -   250ns       -       -  250ns      -       -  cuMemGetInfo_v2
      3        4         1         0   250ns   250ns    +0 %  250ns  250ns    +0 %  total
"
    );
    let same = StatsComparison::of(&before, &before).to_json();
    let json: serde_json::Value = serde_json::from_str(&same).expect("is JSON");
    assert_eq!(json["schema"], "cutape.stats-comparison");
    assert_eq!(json["groups"][0]["a"], json["groups"][0]["b"]);
}

#[test]
fn a_trace_without_calls_has_a_table_without_functions() {
    let mut sample = Sample::new();
    let trace = sample.open();
    let stats = Stats::of(&trace, StatsQuery::default(), |_| {});
    assert!(stats.groups.is_empty() && stats.total.mean_ns.is_none());
    assert!(stats_text(&stats).ends_with("  total\n"));
    let text = info_text(&info(&trace), Utc.fix());
    assert!(text.contains("calls          0, 0 failed\n"), "{text}");
}
