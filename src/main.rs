//! The `cutape` command.

mod call_output;
mod child;
mod clock;
mod commands;
mod driver;
mod front;
mod front_mark;
mod host;
mod installed;
mod message;
mod options;
mod process_end;
mod progress;
mod reading;
mod recording;
mod simulator;
mod size;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Records every call that a program makes to the CUDA driver and what the driver answered, and shows it.
#[derive(Parser)]
#[command(
    name = "cutape",
    version,
    max_term_width = 100,
    propagate_version = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Record(commands::record::Arguments),
    Sim(commands::sim::Arguments),
    Env(commands::env::Arguments),
    Info(commands::info::Arguments),
    Print(commands::print::Arguments),
    Stats(commands::stats::Arguments),
    Seal(commands::seal::Arguments),
    Verify(commands::verify::Arguments),
    Completions(commands::completions::Arguments),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Record(arguments) => commands::record::run(arguments),
        Command::Sim(arguments) => commands::sim::run(arguments),
        Command::Env(arguments) => commands::env::run(arguments),
        Command::Info(arguments) => commands::info::run(arguments),
        Command::Print(arguments) => commands::print::run(arguments),
        Command::Stats(arguments) => commands::stats::run(arguments),
        Command::Seal(arguments) => commands::seal::run(arguments),
        Command::Verify(arguments) => commands::verify::run(arguments),
        Command::Completions(arguments) => commands::completions::run(arguments),
    }
}
