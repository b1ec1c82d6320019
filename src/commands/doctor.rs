//! `cutape doctor`: what went wrong and why.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cutape_analysis::doctor::{Diagnosis, explain, json, report};
use cutape_analysis::suggestion::nearest;

use crate::message;
use crate::painting;
use crate::progress::Progress;
use crate::reading::{self, TROUBLE, Warnings};

/// Exit code when something is wrong with the driver.
const FINDINGS: u8 = 1;

/// Say what went wrong and why: which call, what this program makes of it, and what to try
///
/// Knows what drivers do wrong and what GGML, Ollama, PyTorch and the CUDA runtime make of it, often without a word. A start that went
/// well is shown as well: what GGML asked, and what it would have decided. docs/doctor.md has all rules.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 nothing found, 1 findings, 2 the trace is damaged (what is intact is judged) or can't be read.

Examples:
  cutape doctor llama.cutape
  cutape doctor --json llama.cutape | jq -r '.findings[].id'
  cutape doctor --allow init-no-device llama.cutape
  cutape doctor --explain meminfo-error"
)]
pub struct Arguments {
    /// The trace: a sealed file or a recording folder
    #[arg(value_name = "T", required_unless_present = "explain")]
    trace: Option<PathBuf>,

    /// Print one JSON object (schema cutape.doctor)
    #[arg(long, conflicts_with = "explain")]
    json: bool,

    /// Pass over this rule's findings and what follows from them; may be given more than once
    #[arg(long, value_name = "ID")]
    allow: Vec<String>,

    /// Tell a rule's story without a trace: when it fires, what clients do, what to try
    #[arg(long, value_name = "ID", conflicts_with_all = ["trace", "allow"])]
    explain: Option<String>,
}

/// Runs the subcommand.
pub fn run(arguments: Arguments) -> ExitCode {
    reading::die_of_closed_pipe();
    if let Some(id) = arguments.explain {
        return explain_rule(&id);
    }
    let (Some(path), None) = (&arguments.trace, unknown_id(&arguments.allow)) else {
        let id = unknown_id(&arguments.allow).unwrap_or_default();
        return refuse_id("--allow", id);
    };
    let trace = match reading::open(path) {
        Ok(trace) => trace,
        Err(code) => return code,
    };
    let mut warnings = Warnings::of(&trace);
    let mut progress = Progress::new("reading");
    let diagnosis = Diagnosis::of(&trace, &arguments.allow, |calls| {
        progress.show(calls, trace.call_count());
    });
    drop(progress);
    diagnosis
        .damages
        .iter()
        .for_each(|damage| warnings.warn(damage));
    let text = if arguments.json {
        json::to_json(&trace, &diagnosis)
    } else {
        painting::paint(&report::report(&trace, &diagnosis))
    };
    if let Err(code) = reading::print(&text) {
        return code;
    }
    warnings.exit_code_or(if diagnosis.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FINDINGS)
    })
}

fn explain_rule(id: &str) -> ExitCode {
    let Some(page) = explain::explain(id) else {
        return refuse_id("--explain", id);
    };
    match reading::print(&painting::paint(&page)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn unknown_id(ids: &[String]) -> Option<&str> {
    let mut ids = ids.iter().map(String::as_str);
    ids.find(|id| !explain::ids().any(|known| known == *id))
}

fn refuse_id(option: &str, id: &str) -> ExitCode {
    let hint = match nearest(id, explain::ids()) {
        Some(nearest) => format!("; did you mean {nearest}?"),
        None => format!(
            ". The rules are {}",
            explain::ids().collect::<Vec<_>>().join(", ")
        ),
    };
    message::fail(TROUBLE, format!("{option}: there is no rule {id:?}{hint}"))
}
