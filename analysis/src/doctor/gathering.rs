//! Findings while they are made: one a rule, however many calls, processes and variants of it there are.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cutape_trace_format::call::ProcessId;

use super::client::Client;
use super::finding::Finding;
use super::rule::{Found, Rule};
use super::rules::RULES;

/// Sentences that tell one problem's variants; what is beyond is only counted.
const MAX_VARIANTS: usize = 4;

/// A finding under construction.
#[derive(Clone, Debug)]
struct Growing {
    rule: &'static Rule,
    sentences: Vec<String>,
    variants: HashSet<u64>,
    processes: BTreeSet<ProcessId>,
    calls: Vec<u64>,
    count: u64,
}

/// Findings by the place of their rule.
#[derive(Clone, Debug, Default)]
pub struct Gathering(BTreeMap<usize, Growing>);

impl Gathering {
    /// Takes in one call that a rule's check fired for; `what` is asked for when it is the first of its variant.
    pub fn call(
        &mut self,
        rule: usize,
        (process, seq, variant): (ProcessId, u64, u64),
        what: impl FnOnce() -> String,
    ) {
        let growing = self.at(rule);
        growing.processes.insert(process);
        growing.say(variant, what);
        growing.add_calls(&[seq]);
        growing.count += 1;
    }

    /// Takes in what a check at the end found.
    pub fn found(&mut self, rule: usize, process: Option<ProcessId>, found: Found) {
        let growing = self.at(rule);
        growing.processes.extend(process);
        growing.say(found.variant, || found.what);
        growing.add_calls(&found.calls);
        growing.count = growing.count.saturating_add(found.count);
    }

    fn at(&mut self, rule: usize) -> &mut Growing {
        self.0.entry(rule).or_insert_with(|| Growing {
            rule: RULES[rule],
            sentences: Vec::new(),
            variants: HashSet::new(),
            processes: BTreeSet::new(),
            calls: Vec::new(),
            count: 0,
        })
    }

    /// The findings, not yet in order and without evidence. `clients` are by process.
    pub fn finish(self, clients: &[Client]) -> Vec<Finding> {
        let finish = |growing: Growing| {
            let kinds = growing.processes.iter().flat_map(|process| {
                let client = clients.get(process.0 as usize);
                client
                    .into_iter()
                    .flat_map(|client| client.kinds.keys().copied())
            });
            Finding {
                rule: growing.rule,
                clients: kinds.collect(),
                processes: growing.processes.into_iter().collect(),
                what: growing.sentences.join(" "),
                count: growing.count,
                calls: growing.calls,
                evidence: Vec::new(),
                consequences: Vec::new(),
            }
        };
        self.0.into_values().map(finish).collect()
    }
}

/// Calls listed of one finding, besides the last.
const MAX_CALLS: usize = 4;

impl Growing {
    fn say(&mut self, variant: u64, what: impl FnOnce() -> String) {
        if self.variants.len() >= MAX_VARIANTS || !self.variants.insert(variant) {
            return;
        }
        let sentence = what();
        if !self.sentences.contains(&sentence) {
            self.sentences.push(sentence);
        }
    }

    /// The first few are kept, and the last.
    fn add_calls(&mut self, calls: &[u64]) {
        for &call in calls {
            if self.calls.contains(&call) {
                continue;
            }
            if self.calls.len() > MAX_CALLS {
                self.calls.pop();
            }
            self.calls.push(call);
        }
    }
}
