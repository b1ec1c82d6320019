//! Prints a trace as JSON lines: `cargo run -p cutape-analysis --example json_lines -- TRACE`.

use std::error::Error;
use std::io::{BufWriter, Write};
use std::path::Path;

use cutape_analysis::json_lines;
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("expected the path of a trace")?;
    let trace = Trace::open(Path::new(&path))?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    writeln!(out, "{}", json_lines::header(&trace))?;
    let mut calls = trace.calls();
    let mut call = Call::default();
    while calls.read_next(&mut call)? {
        writeln!(out, "{}", json_lines::call(&trace, &call))?;
    }
    Ok(out.flush()?)
}
