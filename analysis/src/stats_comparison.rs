//! Two traces' statistics side by side: what is called more often, fails more often, takes longer.

use std::collections::HashMap;

use serde::Serialize;

use crate::json;
use crate::printable::push_printable;
use crate::quantity::{push_time, text};
use crate::stats::Stats;
use crate::stats_group::GroupStats;

/// `schema` of the JSON.
pub const JSON_SCHEMA: &str = "cutape.stats-comparison";
/// `version` of the JSON; fields may be added without a new one.
pub const JSON_VERSION: u32 = 1;

const HEADINGS: [&str; 10] = [
    "calls A", "calls B", "failed A", "failed B", "mean A", "mean B", "change", "p99 A", "p99 B",
    "change",
];

/// Statistics of two traces, group by group.
#[derive(Clone, Debug, Serialize)]
pub struct StatsComparison {
    /// [`JSON_SCHEMA`].
    pub schema: &'static str,
    /// [`JSON_VERSION`].
    pub version: u32,
    /// What calls are grouped by.
    pub by: &'static str,
    /// The filter that chose them, if there was one.
    pub filter: Option<String>,
    /// All groups together.
    pub total: Pair,
    /// Each group that has a call in one of the traces; those whose time differs most come first.
    pub groups: Vec<Pair>,
}

/// A group in both traces.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    /// What it is called in both: threads and processes go by their names, as their numbers differ.
    pub name: String,
    /// In the first trace; null if it has no call there.
    pub a: Option<GroupStats>,
    /// In the second trace; null if it has no call there.
    pub b: Option<GroupStats>,
}

impl Pair {
    /// How much the sums of times differ, nanoseconds.
    fn difference_ns(&self) -> u64 {
        let total = |side: &Option<GroupStats>| side.as_ref().map_or(0, |group| group.total_ns);
        total(&self.a).abs_diff(total(&self.b))
    }
}

impl StatsComparison {
    /// Compares two statistics by the same groups. Of several groups of one name, the first is compared with the first.
    pub fn of(a: &Stats, b: &Stats) -> Self {
        let mut pairs: Vec<Pair> = Vec::new();
        let mut places: HashMap<(&str, u32), usize> = HashMap::new();
        for (name, nth, group) in numbered(&a.groups) {
            places.insert((name, nth), pairs.len());
            pairs.push(Pair {
                name: name.to_owned(),
                a: Some(group.clone()),
                b: None,
            });
        }
        for (name, nth, group) in numbered(&b.groups) {
            match places.get(&(name, nth)) {
                Some(&place) => pairs[place].b = Some(group.clone()),
                None => pairs.push(Pair {
                    name: name.to_owned(),
                    a: None,
                    b: Some(group.clone()),
                }),
            }
        }
        pairs.sort_by(|left, right| {
            let by_time = right.difference_ns().cmp(&left.difference_ns());
            by_time.then_with(|| left.name.cmp(&right.name))
        });
        Self {
            schema: JSON_SCHEMA,
            version: JSON_VERSION,
            by: a.by.word(),
            filter: a.filter.clone(),
            total: Pair {
                name: "total".to_owned(),
                a: Some(a.total.clone()),
                b: Some(b.total.clone()),
            },
            groups: pairs,
        }
    }

    /// One JSON object with a line feed at the end; docs/reading.md describes it.
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }

    /// A table, groups whose time differs most first, with a line of totals. Each line ends in a line feed.
    pub fn to_text(&self) -> String {
        let rows: Vec<_> = self.groups.iter().chain([&self.total]).map(cells).collect();
        let widths: [usize; 10] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].len());
            cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
        });
        let names = std::iter::once(self.by)
            .chain(self.groups.iter().map(|pair| pair.name.as_str()))
            .chain(["total"]);
        let mut out = String::new();
        let rows = std::iter::once(HEADINGS.map(str::to_owned)).chain(rows);
        for (row, name) in rows.zip(names) {
            for (cell, width) in row.iter().zip(widths) {
                out.push_str(&format!("{cell:>width$}  "));
            }
            push_printable(&mut out, name);
            out.push('\n');
        }
        out
    }
}

/// Groups with their names and how many of that name came before, from 0.
fn numbered(groups: &[GroupStats]) -> impl Iterator<Item = (&str, u32, &GroupStats)> {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    groups.iter().map(move |group| {
        let name = group.group.lasting_name();
        let nth = seen.entry(name).or_default();
        *nth += 1;
        (name, *nth - 1, group)
    })
}

fn cells(pair: &Pair) -> [String; 10] {
    let sides = [&pair.a, &pair.b];
    let [calls_a, calls_b] = sides.map(|side| count(side.as_ref().map(|group| group.calls)));
    let [failed_a, failed_b] = sides.map(|side| count(side.as_ref().map(|group| group.failed)));
    let mean = sides.map(|side| side.as_ref().and_then(|group| group.mean_ns));
    let p99 = sides.map(|side| side.as_ref().and_then(|group| group.p99_ns));
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| text(push_time, ns));
    [
        calls_a,
        calls_b,
        failed_a,
        failed_b,
        time(mean[0]),
        time(mean[1]),
        change(mean),
        time(p99[0]),
        time(p99[1]),
        change(p99),
    ]
}

fn count(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// From A to B in percent; as a factor where it is more than tenfold.
fn change([before, after]: [Option<u64>; 2]) -> String {
    match (before, after) {
        (Some(before), Some(after)) if before > 0 => {
            let ratio = after as f64 / before as f64;
            if ratio >= 10.0 {
                format!("x{ratio:.0}")
            } else {
                format!("{:+.0} %", (ratio - 1.0) * 100.0)
            }
        }
        _ => "-".to_owned(),
    }
}
