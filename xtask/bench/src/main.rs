//! Measurements of the project, each a ratio against a baseline of the same run. `cargo xtask bench` builds and runs this program.

mod analysis;
mod analysis_report;
mod analysis_trace;
mod bar;
mod burst;
mod chore;
mod client;
mod clocks;
mod document;
mod error;
mod lttng;
mod machine;
mod peak_memory;
mod record;
mod replay;
mod report;
mod stream;
mod sustained;
mod threads;
mod trace_check;
mod view;
mod workbench;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measure the project against what it promises.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench", max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Record(record::Args),
    Analysis(analysis::Args),
    View(view::Args),
    Replay(replay::Args),
}

fn main() -> ExitCode {
    match CommandLine::parse().what {
        What::Record(args) => record::run(&args),
        What::Analysis(args) => analysis::run(&args),
        What::View(args) => view::run(&args),
        What::Replay(args) => replay::run(&args),
    }
}
