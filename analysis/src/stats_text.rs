//! Statistics as a table.

use crate::histogram::Bucket;
use crate::printable::push_printable;
use crate::quantity::{push_decimal, push_time, text};
use crate::stats::Stats;
use crate::stats_group::GroupStats;

/// Marks of the longest line of a histogram.
const MARKS: u64 = 50;

/// The columns before the group's name.
const HEADINGS: [&str; 8] = [
    "% time", "total", "calls", "failed", "mean", "p50", "p99", "max",
];

/// The table, a line of totals under it, and the codes that were returned. Each line ends in a line feed.
pub fn stats_text(stats: &Stats) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(
        stats
            .groups
            .iter()
            .map(|group| cells(group, stats.total.total_ns)),
    );
    rows.push(cells(&stats.total, stats.total.total_ns));
    let widths: [usize; 8] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let names = std::iter::once(stats.by.word().to_owned())
        .chain(stats.groups.iter().map(|group| group.group.name()))
        .chain(["total".to_owned()]);
    let mut out = String::new();
    for (row, name) in rows.iter().zip(names) {
        for (cell, width) in row.iter().zip(widths) {
            out.extend(std::iter::repeat_n(' ', width - cell.len()));
            out.push_str(cell);
            out.push_str("  ");
        }
        push_printable(&mut out, &name);
        out.push('\n');
    }
    push_in_flight(&mut out, stats);
    push_codes(&mut out, stats);
    push_histogram(&mut out, &stats.total.histogram);
    out
}

fn cells(function: &GroupStats, all_ns: u64) -> [String; 8] {
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
    for group in stats.groups.iter().filter(|group| group.in_flight > 0) {
        out.push_str("\n  ");
        push_decimal(out, group.in_flight);
        out.push_str("  ");
        push_printable(out, &group.group.name());
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

/// One line for each power of two: from, to, calls, and as many marks as is its share of the most frequent one.
fn push_histogram(out: &mut String, buckets: &[Bucket]) {
    let most = buckets.iter().map(|bucket| bucket.calls).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    out.push_str("\ntime of a call:\n");
    let width = most.to_string().len();
    for bucket in buckets {
        let (from, to) = (
            text(push_time, bucket.from_ns),
            text(push_time, bucket.to_ns),
        );
        // One call among millions is seen, too.
        let marks = (u128::from(bucket.calls) * u128::from(MARKS)).div_ceil(u128::from(most));
        let line = format!(
            "{from:>8} .. {to:>8}  {:>width$}  {}",
            bucket.calls,
            "#".repeat(marks as usize)
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
