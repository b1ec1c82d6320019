//! How long it takes to seal, open and read a recording of that many million calls.
//!
//! `cargo run --release -p cutape-trace-format --example read_speed [MILLION_CALLS]`

use std::time::Instant;

use cutape_trace_format::call::Call;
use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::sample_stream::SampleStream;
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let millions: u64 = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(2);
    let folder = std::env::temp_dir().join(format!("cutape-read-speed-{}", std::process::id()));
    let sealed = folder.with_extension("cutape");
    let mut process = SampleRecording::create(&folder)?.process(100, 0)?;
    process.ring().thread(0, 0, 100, "python");
    let mut stream = SampleStream::new(1);
    for _ in 0..millions * 1_000_000 / 9 {
        stream.layer(&mut process.rings[0]);
        if process.rings[0].bytes.len() > 4 << 20 {
            process.flush()?;
        }
    }
    process.flush()?;

    let time = |what: &str, calls: u64, start: Instant| {
        let elapsed = start.elapsed();
        let per_call = elapsed.as_nanos() as f64 / calls.max(1) as f64;
        println!(
            "{what}: {:.1} ms, {per_call:.1} ns a call",
            elapsed.as_secs_f64() * 1e3
        );
    };
    let start = Instant::now();
    let trace = Trace::open(&folder)?;
    let calls = trace.call_count();
    time("open the folder", calls, start);
    read(&trace, "read all calls of the folder")?;
    let start = Instant::now();
    let report = seal(&folder, &sealed, SealOptions::default(), &mut |_| {})?;
    time("seal", calls, start);
    println!(
        "{calls} calls, {:.2} bytes a call",
        report.bytes as f64 / calls as f64
    );
    let start = Instant::now();
    let trace = Trace::open(&sealed)?;
    time("open the sealed file", calls, start);
    let start = Instant::now();
    trace.call(calls / 2)?;
    time("find the call in the middle", 1, start);
    read(&trace, "read all calls of the sealed file")?;
    std::fs::remove_dir_all(&folder)?;
    std::fs::remove_file(&sealed)?;
    Ok(())
}

fn read(trace: &Trace, what: &str) -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let (mut calls, mut call, mut count) = (trace.calls(), Call::default(), 0u64);
    while calls.read_next(&mut call)? {
        count += 1;
    }
    let per_call = start.elapsed().as_nanos() as f64 / count as f64;
    println!(
        "{what}: {:.1} ms, {per_call:.1} ns a call",
        start.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}
