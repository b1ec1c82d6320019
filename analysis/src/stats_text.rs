//! Statistics as a table.

use crate::printable::push_printable;
use crate::quantity::{push_decimal, push_time, text};
use crate::stats::{FunctionStats, Stats};

/// The columns before the function's name.
const HEADINGS: [&str; 8] = [
    "% time", "total", "calls", "failed", "mean", "p50", "p99", "max",
];

/// The table, a line of totals under it, and the codes that were returned. Each line ends in a line feed.
pub fn stats_text(stats: &Stats) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(
        stats
            .functions
            .iter()
            .map(|function| cells(function, stats.total.total_ns)),
    );
    rows.push(cells(&stats.total, stats.total.total_ns));
    let widths: [usize; 8] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let names = std::iter::once("function")
        .chain(stats.functions.iter().map(|function| function.api.as_str()))
        .chain(["total"]);
    let mut out = String::new();
    for (row, name) in rows.iter().zip(names) {
        for (cell, width) in row.iter().zip(widths) {
            out.extend(std::iter::repeat_n(' ', width - cell.len()));
            out.push_str(cell);
            out.push_str("  ");
        }
        push_printable(&mut out, name);
        out.push('\n');
    }
    push_in_flight(&mut out, stats);
    push_codes(&mut out, stats);
    out
}

fn cells(function: &FunctionStats, all_ns: u64) -> [String; 8] {
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| text(push_time, ns));
    let share = (u128::from(function.total_ns) * 10_000)
        .checked_div(u128::from(all_ns))
        .unwrap_or(0);
    [
        format!("{}.{:02}", share / 100, share % 100),
        time(Some(function.total_ns)),
        function.calls.to_string(),
        function.failed.to_string(),
        time(function.mean_ns),
        time(function.p50_ns),
        time(function.p99_ns),
        time(function.max_ns),
    ]
}

fn push_in_flight(out: &mut String, stats: &Stats) {
    if stats.total.in_flight == 0 {
        return;
    }
    out.push_str("\nin flight, counted and not timed:");
    for function in stats
        .functions
        .iter()
        .filter(|function| function.in_flight > 0)
    {
        out.push_str("\n  ");
        push_decimal(out, function.in_flight);
        out.push_str("  ");
        push_printable(out, &function.api);
    }
    out.push('\n');
}

fn push_codes(out: &mut String, stats: &Stats) {
    if stats.codes.is_empty() {
        return;
    }
    out.push_str("\ncodes of failed calls:\n");
    let counts: Vec<_> = stats
        .codes
        .iter()
        .map(|code| text(push_decimal, code.calls))
        .collect();
    let width = counts.iter().map(String::len).max().unwrap_or(0);
    for (code, count) in stats.codes.iter().zip(&counts) {
        let shown = match (&code.name, code.code) {
            (Some(name), Some(number)) => format!("{name} ({number})"),
            (None, Some(number)) => format!("{} code {number}", code.library),
            (_, None) => format!("other {} codes", code.library),
        };
        out.push_str(&format!("  {count:>width$}  "));
        push_printable(out, &shown);
        out.push('\n');
    }
}
