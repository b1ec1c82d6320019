//! Development chores: `cargo xtask help` lists them.
//!
//! Each chore is a module with a clap `Args` struct and a function that takes it and gives the exit code.

mod bench;
mod demo;
mod fetch_clients;
mod probe_profile;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development chores of cutape.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    Demo(demo::Args),
    Bench(bench::Args),
    FetchClients(fetch_clients::Args),
    ProbeProfile(probe_profile::Args),
    Table(table::Args),
}

fn main() -> ExitCode {
    match CommandLine::parse().chore {
        Chore::Demo(args) => demo::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::FetchClients(args) => fetch_clients::run(&args),
        Chore::ProbeProfile(args) => probe_profile::run(&args),
        Chore::Table(args) => table::run(&args),
    }
}
