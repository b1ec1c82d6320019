//! `cargo xtask table`: writes cuda-api's table from NVIDIA's headers and the symbol lists of NVIDIA's libraries.

mod builtin_types;
mod canonical;
mod constants;
mod declarations;
mod error;
mod exports;
mod inputs;
mod layout;
mod merge;
mod preprocess;
mod sources;
mod specifiers;
mod table_build;
mod versions;

use clap::Parser;
use error::GenError;
use inputs::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    match table_build::run(&Options::parse()) {
        Ok(notes) => {
            for note in notes {
                eprintln!("note: {note}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cutape-table-gen: {error}");
            ExitCode::FAILURE
        }
    }
}
