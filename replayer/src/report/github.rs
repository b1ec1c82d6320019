//! A report as Markdown for the summary page of a GitHub Actions job.

use std::fmt::Write as _;

use super::group::{News, groups};
use super::text::{conclusion, counts, replayed};
use super::{Report, TraceReport};
use crate::divergence::Divergence;

/// Groups of divergences shown for a trace; a summary page takes a megabyte at most.
const MOST_GROUPS: usize = 10;

/// The report as Markdown, to be added to the file that GITHUB_STEP_SUMMARY names.
pub fn github_summary(report: &Report) -> String {
    let mut out = String::new();
    let heading = if report.conforms() {
        "conforms"
    } else {
        "diverges"
    };
    // Writing to a string can't fail.
    let _ = writeln!(out, "## cutape replay: {heading}\n");
    let _ = writeln!(out, "Driver: {}\n", code_span(&report.driver));
    out.push_str("| trace | | calls |\n| --- | --- | --- |\n");
    for trace in &report.traces {
        let _ = writeln!(
            out,
            "| {} | {} | {} |",
            code_span(&trace.trace.display().to_string()),
            cell(&conclusion(trace)),
            cell(&counts(&trace.tally()))
        );
    }
    for trace in &report.traces {
        details(&mut out, trace);
    }
    if !report.unused_policy.is_empty() {
        out.push_str("\nPolicy entries that applied to nothing:\n\n");
        for unused in &report.unused_policy {
            let _ = writeln!(out, "- {}", code_span(unused));
        }
    }
    out
}

fn details(out: &mut String, trace: &TraceReport) {
    let groups = groups(trace);
    if groups.is_empty() && trace.troubles.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n### {}\n",
        code_span(&trace.trace.display().to_string())
    );
    for trouble in &trace.troubles {
        let _ = writeln!(out, "- trouble: {}", code_span(trouble));
    }
    for group in groups.iter().take(MOST_GROUPS) {
        let mark = match group.news {
            News::Reproach => ":x:",
            News::Fixed => ":white_check_mark:",
            News::Expected => ":grey_question:",
        };
        let _ = writeln!(out, "- {mark} {}", code_span(&group.first.headline()));
        let _ = writeln!(out, "\n  ```\n{}  ```", account(group.first));
        if group.listed > 1 {
            let _ = writeln!(out, "  and {} more like it", group.listed - 1);
        }
        if group.consequences > 0 {
            let _ = writeln!(out, "  {} calls follow from it", group.consequences);
        }
    }
    if groups.len() > MOST_GROUPS {
        let _ = writeln!(out, "\nand {} kinds more", groups.len() - MOST_GROUPS);
    }
}

/// The recorded and the replayed answer, indented to stand in a list's fence.
fn account(divergence: &Divergence) -> String {
    let mut out = format!("  recorded  {}\n", fenced(&divergence.call.text));
    if let Some(replayed) = replayed(divergence) {
        let _ = writeln!(out, "  replayed  {}", fenced(&replayed));
    }
    if let Some(reason) = &divergence.expected {
        let _ = writeln!(out, "  expected  {}", fenced(reason));
    }
    out
}

/// Text on one line that can't close a fence.
fn fenced(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace("```", "'''")
}

/// Text as code, whatever is in it.
fn code_span(text: &str) -> String {
    format!("`{}`", cell(text).replace('`', "'"))
}

/// Text that can't end a table's cell or line.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::github_summary;
    use crate::report::sample::suite;

    #[test]
    fn a_heading_a_table_and_what_diverges() {
        let mut suite = suite();
        suite.traces[0].trace = "traces/a|b`c.cutape".into();
        let text = github_summary(&suite);
        assert!(text.starts_with("## cutape replay: diverges\n"), "{text}");
        assert!(
            text.contains("| `traces/a\\|b'c.cutape` | diverges: 3 calls"),
            "{text}"
        );
        assert!(
            text.contains("- :x: `regressed: #16 cuMemGetInfo_v2 0 -> 3, free 78 GiB -> 0`"),
            "{text}"
        );
        assert!(
            text.contains("replayed  CUDA_ERROR_NOT_INITIALIZED (3), free=0"),
            "{text}"
        );
        assert!(text.contains("2 calls follow from it"), "{text}");
    }
}
