//! The `cutape` command.

mod beside;
mod call_output;
mod child;
mod clock;
mod colour;
mod commands;
mod driver;
mod filtering;
mod front;
mod front_mark;
mod host;
mod installed;
mod message;
mod options;
mod output_file;
mod painting;
mod process_end;
mod program_output;
mod progress;
mod pseudo_terminal;
mod reading;
mod recording;
mod simulator;
mod size;
mod viewing;

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
    Diff(commands::diff::Arguments),
    Doctor(commands::doctor::Arguments),
    View(commands::view::Arguments),
    Replay(commands::replay::Arguments),
    #[command(hide = true)]
    ReplayPlayer(commands::replay_player::Arguments),
    Export(commands::export::Arguments),
    Seal(commands::seal::Arguments),
    Trim(commands::trim::Arguments),
    Verify(commands::verify::Arguments),
    Completions(commands::completions::Arguments),
}

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return not_understood(&error),
    };
    match command {
        Command::Record(arguments) => commands::record::run(arguments),
        Command::Sim(arguments) => commands::sim::run(arguments),
        Command::Env(arguments) => commands::env::run(arguments),
        Command::Info(arguments) => commands::info::run(arguments),
        Command::Print(arguments) => commands::print::run(arguments),
        Command::Stats(arguments) => commands::stats::run(arguments),
        Command::Diff(arguments) => commands::diff::run(arguments),
        Command::Doctor(arguments) => commands::doctor::run(arguments),
        Command::View(arguments) => commands::view::run(arguments),
        Command::Replay(arguments) => commands::replay::run(arguments),
        Command::ReplayPlayer(arguments) => commands::replay_player::run(arguments),
        Command::Export(arguments) => commands::export::run(arguments),
        Command::Seal(arguments) => commands::seal::run(arguments),
        Command::Trim(arguments) => commands::trim::run(arguments),
        Command::Verify(arguments) => commands::verify::run(arguments),
        Command::Completions(arguments) => commands::completions::run(arguments),
    }
}

/// Prints what is wrong with the command line, or the help that was asked for. A wrong command line of a subcommand that runs a program
/// must not look like the program's own exit code.
fn not_understood(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let text = error.render().to_string();
        message::say(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    } else {
        // Nobody is there to read it if this fails.
        let _ = error.print();
    }
    let runs_a_program = std::env::args_os()
        .nth(1)
        .is_some_and(|subcommand| subcommand == "record" || subcommand == "sim");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if runs_a_program => ExitCode::from(message::OWN_FAILURE),
        code => ExitCode::from(u8::try_from(code).unwrap_or(2)),
    }
}
