//! `cutape seal`: make one file of a recording folder.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cutape_trace_format::seal::SealOptions;

use crate::filtering;
use crate::message;
use crate::progress::Progress;

/// Make one file of a recording folder, also after a crash
///
/// A recording that was made with `cutape env`, or whose `cutape record` was killed, is a folder. All commands read it as it is; one
/// file is smaller, faster to read and easier to send.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 sealed, 2 not sealed (the folder is as it was).

Examples:
  cutape seal ollama.cutape                  # the file takes the folder's place
  cutape seal ollama.cutape -o today         # today.cutape; the folder stays"
)]
pub struct Arguments {
    /// The recording's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The file to write; without it the file takes the folder's place
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replaces an existing file, and seals what is there so far of a recording that is still going on
    #[arg(long)]
    force: bool,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    let out = arguments
        .output
        .map_or_else(|| arguments.folder.clone(), with_suffix);
    let options = SealOptions {
        allow_live: arguments.force,
        overwrite: arguments.force,
    };
    let mut progress = Progress::new("sealing");
    let sealed = filtering::seal(&arguments.folder, &out, options, &mut |at| {
        progress.show(at.calls, at.of)
    });
    drop(progress);
    match sealed {
        Ok(sealed) => {
            sealed
                .damages
                .iter()
                .for_each(|damage| message::say(format!("warning: {damage}")));
            message::say(format!(
                "{}: {} calls, {} bytes",
                out.display(),
                sealed.calls,
                sealed.bytes
            ));
            ExitCode::SUCCESS
        }
        Err(error) => message::fail(2, error),
    }
}

fn with_suffix(path: PathBuf) -> PathBuf {
    if path
        .extension()
        .is_some_and(|extension| extension == "cutape")
    {
        return path;
    }
    let mut longer = path.into_os_string();
    longer.push(".cutape");
    longer.into()
}
