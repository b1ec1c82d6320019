//! What a diagnosis finds.

use std::collections::BTreeSet;

use cutape_trace_format::call::ProcessId;

use super::client::ClientKind;
use super::rule::{Reaction, Rule};
use crate::call_stack::Frame;

/// A call that shows a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Its number.
    pub seq: u64,
    /// Its process.
    pub pid: Option<u32>,
    /// Its thread.
    pub tid: Option<u32>,
    /// From the start of the recording, nanoseconds.
    pub t_ns: u64,
    /// Where it was called from, as `print` shows it.
    pub caller: String,
    /// The stack that it was made on, the innermost place first; empty where none was kept.
    pub stack: Vec<Frame>,
    /// What of it tells most, see [`short_stack`](crate::call_stack::short_stack).
    pub short_stack: Vec<String>,
    /// The call, as `print` shows it.
    pub text: String,
    /// The rules of the recording that acted on it: its answer is not the driver's.
    pub injected: Vec<String>,
}

/// A problem, or a consequence of one.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that fired.
    pub rule: &'static Rule,
    /// The processes that it was seen in; none for what concerns the recording as a whole.
    pub processes: Vec<ProcessId>,
    /// What happened, with the values that were seen.
    pub what: String,
    /// How many times.
    pub count: u64,
    /// Numbers of calls that show it, the first few and the last.
    pub calls: Vec<u64>,
    /// Those calls, as far as they could be read again.
    pub evidence: Vec<Evidence>,
    /// What the processes are that met it.
    pub clients: BTreeSet<ClientKind>,
    /// What follows from it.
    pub consequences: Vec<Finding>,
}

impl Finding {
    /// What the clients that met it do about it; where none of them is known for it, what any client is known to do.
    pub fn reactions(&self) -> Vec<&'static Reaction> {
        let of_ours: Vec<_> = self
            .rule
            .reactions
            .iter()
            .filter(|reaction| self.clients.contains(&reaction.client))
            .collect();
        if of_ours.is_empty() {
            self.rule.reactions.iter().collect()
        } else {
            of_ours
        }
    }

    /// What Ollama, as it is now, makes of what GGML met: most users meet GGML in it.
    pub fn reaction_on_top(&self) -> Option<&'static Reaction> {
        let ollama = [
            ClientKind::OllamaInProcess,
            ClientKind::OllamaRunner,
            ClientKind::OllamaServer,
        ];
        let is_ollama = ollama.iter().any(|kind| self.clients.contains(kind));
        let by_itself = self.clients.contains(&ClientKind::Ggml) && !is_ollama;
        let mut reactions = self.rule.reactions.iter();
        reactions.find(|one| {
            by_itself && self.is_about_known_client() && one.client == ClientKind::OllamaServer
        })
    }

    /// Whether the reactions are those of clients that were recognised, not of any.
    pub fn is_about_known_client(&self) -> bool {
        self.rule
            .reactions
            .iter()
            .any(|reaction| self.clients.contains(&reaction.client))
    }

    /// Whether a client that met it says nothing about it.
    pub fn is_silent(&self) -> bool {
        self.is_about_known_client() && self.reactions().iter().any(|reaction| reaction.silent)
    }

    /// The rules of the recording that it rests on, each once: calls that show it got their answer from these.
    pub fn injected(&self) -> Vec<&str> {
        let mut rules: Vec<&str> = Vec::new();
        for rule in self.evidence.iter().flat_map(|call| &call.injected) {
            if !rules.contains(&rule.as_str()) {
                rules.push(rule);
            }
        }
        rules
    }

    /// Number of the first call that shows it; 0 where no call does.
    pub fn first_call(&self) -> u64 {
        self.calls.first().copied().unwrap_or(0)
    }

    /// Whether it concerns a process of the other one, or one of them the recording as a whole.
    pub fn shares_process(&self, other: &Self) -> bool {
        self.processes.is_empty()
            || other.processes.is_empty()
            || self
                .processes
                .iter()
                .any(|process| other.processes.contains(process))
    }
}
