//! `cutape env`: print the environment to set by hand.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::message::{self, OWN_FAILURE};
use crate::options::RecordingOptions;

/// Print the environment that records a program started by other means
///
/// For services, containers and notebooks: what runs with these variables is recorded into the folder NAME.cutape, which all commands
/// read and `cutape seal` makes one file of.
#[derive(Args)]
#[command(after_help = "Examples:
  eval \"$(cutape env -o /var/tmp/ollama)\" && ollama serve
  cutape env -o /var/tmp/ollama --format file > /etc/cutape.env      # systemd: EnvironmentFile=/etc/cutape.env")]
pub struct Arguments {
    #[command(flatten)]
    options: RecordingOptions,

    /// shell: lines for a shell to evaluate. file: NAME=VALUE lines, as systemd's EnvironmentFile and docker's --env-file read them
    #[arg(long, value_name = "shell|file", default_value = "shell")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Shell,
    File,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    match lines(&arguments) {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => message::fail(OWN_FAILURE, error),
    }
}

fn lines(arguments: &Arguments) -> Result<Vec<String>, String> {
    let options = &arguments.options;
    let path = options.trace_path(None)?;
    if path.exists() && !options.force {
        return Err(format!(
            "{} exists; choose another name with -o, or --force to add to the folder",
            path.display()
        ));
    }
    let environment = options.prepare(&path)?.environment;
    environment
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| line(arguments.format, name, value))
        .collect()
}

fn line(format: Format, name: &OsString, value: &OsString) -> Result<String, String> {
    let text = |part: &OsString| {
        part.to_str().map(str::to_owned).ok_or_else(|| {
            format!(
                "{} is not UTF-8 and can't be printed",
                part.to_string_lossy()
            )
        })
    };
    let (name, value) = (text(name)?, text(value)?);
    if value.contains('\n') {
        return Err(format!(
            "the value of {name} has a line break in it and can't be printed as one line: {value:?}"
        ));
    }
    Ok(match format {
        Format::Shell => format!("export {name}='{}'", value.replace('\'', r"'\''")),
        Format::File => format!("{name}={value}"),
    })
}
