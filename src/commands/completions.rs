//! `cutape completions`: what a shell needs to complete command lines.

use std::process::ExitCode;

use clap::{Args, CommandFactory};

use crate::reading;

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "Examples:
  cutape completions bash > ~/.local/share/bash-completion/completions/cutape
  cutape completions zsh > ~/.zfunc/_cutape
  cutape completions fish > ~/.config/fish/completions/cutape.fish")]
pub struct Arguments {
    /// The shell
    shell: clap_complete::Shell,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::Cli::command(),
        "cutape",
        &mut script,
    );
    match reading::print(&String::from_utf8_lossy(&script)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}
