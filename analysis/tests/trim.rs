//! Which calls a part of a trace needs of those before it.

#[allow(dead_code)]
mod sample;

use cutape_analysis::filter::Filter;
use cutape_analysis::trim::{Kept, Wanted};
use cutape_trace_format::sample::SampleCapture;
use sample::Sample;

fn creates<'a>(sample: &'a mut Sample, name: &str, args: &[u64], word: u64) -> &'a mut Sample {
    let mut all = vec![0x7ffe_0000];
    all.extend_from_slice(args);
    sample.call_with(
        name,
        &all,
        Some(0),
        &[SampleCapture::after(0, &word.to_le_bytes())],
    )
}

fn kept(sample: &mut Sample, wanted: &Wanted) -> Vec<u64> {
    let trace = sample.open();
    let kept = Kept::of(&trace, wanted, |_| ());
    (1..=trace.call_count())
        .filter(|&seq| kept.contains(seq))
        .collect()
}

fn last(sample: &mut Sample) -> Vec<u64> {
    let count = sample.open().call_count();
    kept(sample, &Wanted::Numbers(count..=count))
}

#[test]
fn contexts_are_current_as_they_were_also_after_pushes_and_pops() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuCtxCreate_v2", &[0, 0], 0xa0); // 1
    creates(&mut sample, "cuCtxCreate_v2", &[0, 0], 0xb0); // 2: current before 0xa0
    creates(&mut sample, "cuStreamCreate", &[0], 0x11); // 3: in 0xb0
    creates(&mut sample, "cuCtxPopCurrent_v2", &[], 0xb0); // 4
    creates(&mut sample, "cuEventCreate", &[0], 0x21); // 5: in 0xa0
    sample.call("cuEventQuery", &[0x21], Some(0)); // 6
    assert_eq!(
        last(&mut sample),
        [1, 5, 6],
        "0xb0 has nothing to do with it"
    );
    sample.call("cuEventRecord", &[0x21, 0x11], Some(0)); // 7
    assert_eq!(
        last(&mut sample),
        [1, 2, 3, 4, 5, 7],
        "what was pushed for the stream is popped for the event"
    );
}

#[test]
fn mapped_memory_needs_range_allocation_map_and_access() {
    let mut sample = Sample::new();
    creates(
        &mut sample,
        "cuMemAddressReserve",
        &[0x20_0000, 0, 0, 0],
        0x7f00_0000_0000,
    ); // 1
    creates(&mut sample, "cuMemCreate", &[0x20_0000, 0, 0], 0x61); // 2
    sample.call(
        "cuMemMap",
        &[0x7f00_0000_0000, 0x20_0000, 0, 0x61, 0],
        Some(0),
    ); // 3
    sample.call(
        "cuMemSetAccess",
        &[0x7f00_0000_0000, 0x20_0000, 0x7ffe_0000, 1],
        Some(0),
    ); // 4
    creates(&mut sample, "cuMemCreate", &[0x20_0000, 0, 0], 0x62); // 5
    sample.call("cuMemsetD8_v2", &[0x7f00_0000_0010, 0, 1], Some(0)); // 6
    assert_eq!(last(&mut sample), [1, 2, 3, 4, 6]);
}

#[test]
fn of_settings_the_last_ones_before_the_wanted_calls_are_needed() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuModuleLoadData", &[0x30], 0x31); // 1
    creates(&mut sample, "cuModuleGetFunction", &[0x31, 0x40], 0x41); // 2
    for bytes in [1024, 2048] {
        sample.call("cuFuncSetAttribute", &[0x41, 8, bytes], Some(0)); // 3, 4
    }
    sample.call("cuFuncSetAttribute", &[0x41, 9, 50], Some(0)); // 5
    sample.call("cuFuncSetAttribute", &[0x41, 8, 4096], Some(700)); // 6 fails
    sample.call(
        "cuLaunchKernel",
        &[0x41, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
        Some(0),
    ); // 7
    sample.call("cuFuncSetAttribute", &[0x41, 8, 512], Some(0)); // 8
    assert_eq!(kept(&mut sample, &Wanted::Numbers(7..=7)), [1, 2, 4, 5, 7]);
}

#[test]
fn a_graph_needs_its_nodes_and_what_they_refer_to() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuGraphCreate", &[0], 0x71); // 1
    creates(&mut sample, "cuEventCreate", &[0], 0x21); // 2
    creates(
        &mut sample,
        "cuGraphAddEventRecordNode",
        &[0x71, 0, 0, 0x21],
        0x81,
    ); // 3
    creates(&mut sample, "cuGraphAddEmptyNode", &[0x71, 0, 0], 0x82); // 4
    creates(&mut sample, "cuGraphCreate", &[0], 0x72); // 5
    creates(&mut sample, "cuGraphInstantiateWithFlags", &[0x71, 0], 0x91); // 6
    sample.call("cuGraphLaunch", &[0x91, 0], Some(0)); // 7
    assert_eq!(last(&mut sample), [1, 2, 3, 4, 6, 7]);
}

#[test]
fn a_capture_that_goes_on_needs_what_was_captured_so_far_on_all_streams() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuStreamCreate", &[0], 0x11); // 1
    creates(&mut sample, "cuStreamCreate", &[0], 0x12); // 2
    creates(&mut sample, "cuEventCreate", &[0], 0x21); // 3
    sample.call("cuMemsetD8Async", &[0x9000, 0, 1, 0x11], Some(0)); // 4: done, not captured
    sample.call("cuStreamBeginCapture_v2", &[0x11, 0], Some(0)); // 5
    sample.call("cuEventRecord", &[0x21, 0x11], Some(0)); // 6
    sample.call("cuStreamWaitEvent", &[0x12, 0x21, 0], Some(0)); // 7
    sample.call("cuMemsetD8Async", &[0x9000, 0, 1, 0x12], Some(0)); // 8
    let graph = 0x71u64.to_le_bytes();
    sample.call_with(
        "cuStreamEndCapture",
        &[0x11, 0x10],
        Some(0),
        &[SampleCapture::after(1, &graph)],
    ); // 9
    assert_eq!(last(&mut sample), [1, 2, 3, 5, 6, 7, 8, 9]);
}

#[test]
fn a_process_without_wanted_calls_needs_none() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0)); // 1
    creates(&mut sample, "cuStreamCreate", &[0], 0x11); // 2
    sample.process(200);
    sample.call("cuInit", &[0], Some(0)); // 3
    creates(&mut sample, "cuStreamCreate", &[0], 0x11); // 4
    sample.call("cuStreamSynchronize", &[0x11], Some(0)); // 5
    assert_eq!(last(&mut sample), [3, 4, 5]);
}

#[test]
fn a_filter_keeps_its_calls_and_the_contexts_that_they_work_in() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuDevicePrimaryCtxRetain", &[0], 0xa0); // 1
    creates(&mut sample, "cuDevicePrimaryCtxRetain", &[1], 0xb0); // 2
    sample.call("cuCtxSetCurrent", &[0xa0], Some(0)); // 3
    sample.call("cuCtxSynchronize", &[], Some(0)); // 4
    sample.call("cuCtxSetCurrent", &[0xb0], Some(0)); // 5
    sample.call("cuCtxGetFlags", &[0x10], Some(0)); // 6
    sample.call("cuCtxSynchronize", &[], Some(0)); // 7
    let filter = Filter::parse("cuCtxSynchronize").unwrap();
    assert_eq!(
        kept(&mut sample, &Wanted::Matching(filter)),
        [1, 2, 3, 4, 5, 7]
    );
}

#[test]
fn a_setting_stays_that_a_wanted_call_relied_on_when_a_later_one_replaces_it() {
    let mut sample = Sample::new();
    creates(&mut sample, "cuModuleLoadData", &[0x30], 0x31); // 1
    creates(&mut sample, "cuModuleGetFunction", &[0x31, 0x40], 0x41); // 2
    let launch = [0x41, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0];
    sample.call("cuFuncSetAttribute", &[0x41, 8, 1024], Some(0)); // 3
    sample.call("cuFuncSetAttribute", &[0x41, 8, 2048], Some(0)); // 4
    sample.call("cuLaunchKernel", &launch, Some(0)); // 5
    sample.call("cuFuncSetAttribute", &[0x41, 8, 4096], Some(0)); // 6: no launch sees it
    sample.call("cuFuncSetAttribute", &[0x41, 8, 512], Some(0)); // 7
    sample.call("cuLaunchKernel", &launch, Some(0)); // 8
    sample.call("cuFuncSetAttribute", &[0x41, 8, 256], Some(0)); // 9
    let filter = Filter::parse("cuLaunchKernel").unwrap();
    assert_eq!(
        kept(&mut sample, &Wanted::Matching(filter)),
        [1, 2, 4, 5, 7, 8]
    );
}

#[test]
fn each_holder_of_a_primary_context_counts_until_one_gives_it_up() {
    let retain = |sample: &mut Sample| {
        creates(sample, "cuDevicePrimaryCtxRetain", &[0], 0xa0);
    };
    let release = |sample: &mut Sample| {
        sample.call("cuDevicePrimaryCtxRelease_v2", &[0], Some(0));
    };
    let mut sample = Sample::new();
    retain(&mut sample); // 1
    retain(&mut sample); // 2
    retain(&mut sample); // 3
    release(&mut sample); // 4
    sample.call("cuCtxSetCurrent", &[0xa0], Some(0)); // 5
    sample.call("cuCtxSynchronize", &[], Some(0)); // 6
    assert_eq!(
        last(&mut sample),
        [1, 2, 5, 6],
        "two hold it, and a third one did"
    );
    release(&mut sample); // 7
    sample.call("cuCtxSynchronize", &[], Some(0)); // 8
    release(&mut sample); // 9
    let filter = Filter::parse("cuCtxSynchronize").unwrap();
    assert_eq!(
        kept(&mut sample, &Wanted::Matching(filter)),
        [1, 2, 5, 6, 7, 8],
        "between the wanted calls one gives it up; what comes behind them does not matter"
    );
}
