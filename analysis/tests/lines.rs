//! Columns of lines and of CSV.

#[allow(dead_code)]
mod sample;

use cutape_analysis::csv::{self, CsvWriter};
use cutape_analysis::line::{Column, LineWriter};
use cutape_analysis::text::Detail;
use cutape_trace_format::trace::Trace;
use sample::Sample;

fn lines(trace: &Trace, columns: Vec<Column>) -> Vec<String> {
    let mut writer = LineWriter::new(trace, columns, Detail::LINE);
    let mut line = |call| {
        let mut out = String::new();
        let line = writer.push(&mut out, trace, &call);
        assert!(out[..line.answer].ends_with(" = "), "{out}");
        out
    };
    trace
        .calls()
        .map(|call| line(call.expect("reads")))
        .collect()
}

#[test]
fn one_process_with_one_thread_needs_no_columns_for_them() {
    let mut sample = Sample::new();
    sample
        .call("cuInit", &[0], Some(0))
        .call("cuCtxSynchronize", &[], None);
    let trace = sample.open();
    assert_eq!(
        lines(&trace, Column::usual(&trace)),
        [
            "  1     0.000001   250ns  libclient.so+0x3000  cuInit(Flags=0) = CUDA_SUCCESS (0)",
            "  2     0.000002       -  libclient.so+0x3000  cuCtxSynchronize() = ? <in flight>",
        ]
    );
}

#[test]
fn several_processes_are_told_apart() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    sample.process(20_000);
    sample.call("cuInit", &[1], Some(0));
    let trace = sample.open();
    assert_eq!(
        lines(&trace, Column::usual(&trace)),
        [
            "  1    100    100     0.000001   250ns  libclient.so+0x3000  cuInit(Flags=0) = CUDA_SUCCESS (0)",
            "  2  20000  20000     0.000002   250ns  libclient.so+0x3000  cuInit(Flags=1) = CUDA_SUCCESS (0)",
        ]
    );
}

#[test]
fn columns_are_chosen_by_the_names_of_the_filters_fields() {
    let columns = Column::list("dur,comm,seq").expect("known");
    let mut sample = Sample::new();
    sample.call("cuInit", &[0], Some(0));
    assert_eq!(
        lines(&sample.open(), columns),
        [" 250ns  main               1  cuInit(Flags=0) = CUDA_SUCCESS (0)"]
    );
    assert_eq!(Column::list("none"), Ok(Vec::new()));
    let error = Column::list("seq,time").expect_err("no such column");
    assert!(
        error.contains("found \"time\"") && error.contains("seq, pid, tid, comm, t, dur, caller"),
        "{error}"
    );
}

#[test]
fn the_columns_of_csv_stay_what_they_are() {
    let mut sample = Sample::new();
    sample
        .call("cuMemGetInfo_v2", &[0x10, 0], Some(3))
        .call("cuInit", &[0], None);
    let trace = sample.open();
    let mut writer = CsvWriter::new(Detail::LINE);
    let mut out = csv::HEADER.to_owned();
    for call in trace.calls() {
        writer.push(&mut out, &trace, &call.expect("reads"));
        out.push('\n');
    }
    assert_eq!(
        out,
        "\
seq,pid,tid,comm,t_ns,dur_ns,caller,api,args,ret,ret_name,injected
1,100,100,main,1000,250,libclient.so+0x3000,cuMemGetInfo_v2,\"free=0x10, total=NULL\",3,CUDA_ERROR_NOT_INITIALIZED,
2,100,100,main,2000,,libclient.so+0x3000,cuInit,Flags=0,,,
"
    );
}
