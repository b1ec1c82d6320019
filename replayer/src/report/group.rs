//! Divergences as people want to read them: what counts against the driver first, alike ones together, consequences under their cause.

use std::collections::HashMap;

use crate::divergence::Divergence;
use crate::report::TraceReport;
use crate::skip::SkipReason;
use crate::verdict::Verdict;

/// What kind of news a group is. The order is that of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// It counts against the driver.
    Reproach,
    /// It failed when it was recorded, and works now.
    Fixed,
    /// A policy expects it.
    Expected,
}

/// Divergences that are alike: same function, verdict, codes and arguments.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    /// What kind of news it is.
    pub news: News,
    /// The first of them.
    pub first: &'a Divergence,
    /// Number of the last one that is listed.
    pub last_seq: u64,
    /// How many of them are listed.
    pub listed: usize,
    /// Calls that follow from any of them.
    pub consequences: u64,
    /// Functions of those consequences that are listed, with how often, most first.
    pub followers: Vec<(&'a str, usize)>,
}

/// What makes divergences alike.
#[derive(PartialEq, Eq, Hash)]
struct Alike<'a> {
    news: u8,
    function: &'a str,
    verdict: Verdict,
    codes: Option<(u32, u32)>,
    arguments: Vec<&'a str>,
    skipped: Option<SkipReason>,
}

/// The groups of a trace's divergences, reproaches first, each kind of news in the order of call numbers. Consequences, and calls that were
/// left out for reasons that are counted elsewhere, are no groups.
pub fn groups(report: &TraceReport) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: HashMap<Alike<'_>, usize> = HashMap::new();
    let mut of_call: HashMap<u64, usize> = HashMap::new();
    let consequences: HashMap<u64, u64> = report.consequences.iter().copied().collect();
    for divergence in &report.divergences {
        let Some(news) = news(divergence) else {
            continue;
        };
        let place = *places.entry(alike(news, divergence)).or_insert_with(|| {
            groups.push(Group {
                news,
                first: divergence,
                last_seq: divergence.call.seq,
                listed: 0,
                consequences: 0,
                followers: Vec::new(),
            });
            groups.len() - 1
        });
        let seq = divergence.call.seq;
        let group = &mut groups[place];
        group.listed += 1;
        group.last_seq = group.last_seq.max(seq);
        group.consequences += consequences.get(&seq).copied().unwrap_or(0);
        of_call.insert(seq, place);
    }
    add_followers(report, &mut groups, &of_call);
    groups.sort_by_key(|group| (group.news, group.first.call.seq));
    groups
}

fn news(divergence: &Divergence) -> Option<News> {
    if divergence.is_reproach() {
        return Some(News::Reproach);
    }
    if divergence.cause.is_some() {
        return None;
    }
    match divergence.verdict {
        _ if divergence.expected.is_some() => Some(News::Expected),
        Verdict::Fixed => Some(News::Fixed),
        _ => None,
    }
}

fn alike(news: News, divergence: &Divergence) -> Alike<'_> {
    Alike {
        news: news as u8,
        function: &divergence.call.function,
        verdict: divergence.verdict,
        codes: divergence.codes(),
        arguments: divergence.arguments().collect(),
        skipped: divergence.skipped,
    }
}

fn add_followers<'a>(
    report: &'a TraceReport,
    groups: &mut [Group<'a>],
    of_call: &HashMap<u64, usize>,
) {
    let mut counts: HashMap<(usize, &str), usize> = HashMap::new();
    for divergence in &report.divergences {
        if let Some(place) = divergence.cause.and_then(|cause| of_call.get(&cause)) {
            *counts
                .entry((*place, divergence.call.function.as_str()))
                .or_default() += 1;
        }
    }
    for ((place, function), calls) in counts {
        groups[place].followers.push((function, calls));
    }
    for group in groups {
        group
            .followers
            .sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{diverged, report};

    #[test]
    fn reproaches_come_first_alike_ones_are_one_and_consequences_have_no_group() {
        let report = report();
        let groups = groups(&report);
        let seen: Vec<_> = groups
            .iter()
            .map(|group| (group.news, group.first.call.seq, group.listed))
            .collect();
        assert_eq!(
            seen,
            [
                (News::Reproach, 16, 2),
                (News::Reproach, 30, 1),
                (News::Fixed, 12, 1),
                (News::Expected, 14, 1),
            ]
        );
        assert_eq!(groups[0].last_seq, 20);
        assert_eq!(groups[1].consequences, 2);
        assert_eq!(
            groups[1].followers,
            [("cuMemFree_v2", 1), ("cuMemcpyHtoD_v2", 1)]
        );
    }

    #[test]
    fn what_was_left_out_by_plan_is_no_group() {
        let mut report = TraceReport::default();
        let mut skipped = diverged(1, "cuIpcGetMemHandle", Verdict::Skipped);
        skipped.skipped = Some(SkipReason::OtherProcess);
        report.divergences.push(skipped);
        assert!(groups(&report).is_empty());
    }
}
