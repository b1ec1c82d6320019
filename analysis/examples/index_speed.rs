//! How long it takes to open and index a trace, and what the index takes.
//!
//! `cargo run --release -p cutape-analysis --example index_speed TRACE`

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use cutape_analysis::index::Index;
use cutape_trace_format::trace::Trace;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("expected a trace")?;
    for _ in 0..3 {
        let start = Instant::now();
        let trace = Trace::open(Path::new(&path))?;
        let opened = start.elapsed();
        let mut first = None;
        let index = Index::build(&trace, &mut |_| {
            first.get_or_insert_with(|| start.elapsed());
            ControlFlow::Continue(())
        });
        println!(
            "{} calls: open {opened:.1?}, first part {:.1?}, all {:.1?}, {:.2} bytes a call",
            index.len(),
            first.unwrap_or_default(),
            start.elapsed(),
            index.heap_bytes() as f64 / index.len().max(1) as f64
        );
    }
    Ok(())
}
