//! The recording's own rules for calls (`--inject`, `--override`): which of them are for a function, and which hit a call.

use std::env;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use cutape_call_choice::pattern::fits;
use cutape_trace_format::injected::RuleBits;
use cutape_trace_format::injection_plan::{
    Condition, INJECT_VARIABLE, OVERRIDE_VARIABLE, PLAN_VARIABLE, Plan, Rule, Target,
};

use crate::capture::narrow;
use crate::clock;
use crate::complaint;
use crate::frame::Frame;
use crate::hooks::{HOOKS, NAMES};
use crate::memory;
use crate::proc_address;
use crate::process::Process;

/// Longest text of an argument that is compared with a condition's.
const MAX_TEXT: usize = 256;

/// All rules of the recording that are for this program.
struct Rules {
    plan: Plan,
    /// By function: its rules, in the order in which they were given.
    functions: Vec<Vec<OneRule>>,
    /// By function: look-ups don't find it.
    hidden: Vec<bool>,
    /// Some function is hidden.
    hides: bool,
}

/// A rule as it is for one function.
struct OneRule {
    rule: usize,
    target: usize,
    calls: Counter,
}

/// Counts calls in each process anew: process id in the upper 22 bits, where Linux has no larger ones, and calls in the others. A forked
/// child begins at 1 without anybody having to tell it.
#[derive(Default)]
struct Counter(AtomicU64);

/// Bits of [`Counter`] for calls.
const CALL_BITS: u32 = 42;

impl Counter {
    /// The next call's number, from 1.
    fn next(&self, process: u32) -> u64 {
        let mask = (1 << CALL_BITS) - 1;
        let tag = u64::from(process) << CALL_BITS;
        let step = |last: u64| {
            let calls = if last & !mask == tag { last & mask } else { 0 };
            Some(tag | ((calls + 1) & mask))
        };
        // The closure always has a value.
        let last = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
            .unwrap_or_default();
        step(last).unwrap_or_default() & mask
    }
}

fn rules() -> Option<&'static Rules> {
    static RULES: OnceLock<Option<Rules>> = OnceLock::new();
    RULES.get_or_init(read).as_ref()
}

fn read() -> Option<Rules> {
    let text = |name: &str| env::var(name).unwrap_or_default();
    let (value, inject, overrides) = (
        text(PLAN_VARIABLE),
        text(INJECT_VARIABLE),
        text(OVERRIDE_VARIABLE),
    );
    if value.is_empty() && inject.is_empty() && overrides.is_empty() {
        return None;
    }
    let plan = match Plan::from_variable(&value) {
        Ok(plan) => plan,
        Err(problem) if value.is_empty() => {
            return refuse(&format!("{PLAN_VARIABLE} is not set, {problem}"));
        }
        Err(problem) => return refuse(&format!("{PLAN_VARIABLE} can't be read: {problem}")),
    };
    if plan.functions as usize != HOOKS.len() {
        return refuse(&format!(
            "{PLAN_VARIABLE} was made by another version of cutape"
        ));
    }
    if plan.words(false) != inject || plan.words(true) != overrides {
        return refuse(&format!(
            "{PLAN_VARIABLE} was made for other rules than {INJECT_VARIABLE} and {OVERRIDE_VARIABLE} say"
        ));
    }
    Some(Rules::new(plan))
}

fn refuse(reason: &str) -> Option<Rules> {
    complaint::say_rules_ignored(reason);
    None
}

impl Rules {
    fn new(plan: Plan) -> Self {
        let mut functions: Vec<Vec<OneRule>> = HOOKS.iter().map(|_| Vec::new()).collect();
        let mut hidden = vec![false; HOOKS.len()];
        for (number, rule) in plan.rules.iter().enumerate() {
            if rule
                .program
                .as_ref()
                .is_some_and(|pattern| !is_this_program(pattern))
            {
                continue;
            }
            for (place, target) in rule.targets.iter().enumerate() {
                let id = target.function as usize;
                if let (true, Some(hidden)) = (rule.effect.hides, hidden.get_mut(id)) {
                    *hidden = true;
                } else if let Some(list) = functions.get_mut(id) {
                    list.push(OneRule {
                        rule: number,
                        target: place,
                        calls: Counter::default(),
                    });
                }
            }
        }
        Self {
            hides: hidden.contains(&true),
            plan,
            functions,
            hidden,
        }
    }

    fn of_function(&self, id: u32) -> &[OneRule] {
        self.functions.get(id as usize).map_or(&[], Vec::as_slice)
    }
}

/// The file that runs, or the name that it was started by: a script's interpreter may be started by the script's name.
fn is_this_program(pattern: &str) -> bool {
    let file_name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let program = env::current_exe().ok().and_then(|path| file_name(&path));
    let started_as = env::args_os()
        .next()
        .and_then(|name| file_name(Path::new(&name)));
    [program, started_as]
        .iter()
        .flatten()
        .any(|name| fits(pattern, name))
}

/// Whether a rule may act on calls of the function. Look-ups are concerned where anything is hidden from them.
pub fn is_for(id: u32) -> bool {
    let Some(rules) = rules() else {
        return false;
    };
    let looks_up = || HOOKS.get(id as usize).is_some_and(proc_address::is_look_up);
    !rules.of_function(id).is_empty() || (rules.hides && looks_up())
}

/// Whether look-ups must not find the function.
pub fn hides(id: u32) -> bool {
    rules().is_some_and(|rules| rules.hidden.get(id as usize) == Some(&true))
}

/// The rules that hide a function.
pub fn hiding(id: u32) -> RuleBits {
    let Some(rules) = rules() else {
        return 0;
    };
    let hide =
        |rule: &Rule| rule.effect.hides && rule.targets.iter().any(|target| target.function == id);
    bits(rules.plan.rules.iter().map(hide))
}

fn bits(rules: impl Iterator<Item = bool>) -> RuleBits {
    (0..).zip(rules).fold(0, |bits, (number, set)| {
        bits | RuleBits::from(set) << number
    })
}

/// The rules of the recording in their order, as they were given.
pub fn options() -> Vec<String> {
    rules().map_or_else(Vec::new, |rules| {
        rules.plan.rules.iter().map(Rule::option).collect()
    })
}

/// Counts a call and says which rules hit it.
pub fn hits(frame: &Frame) -> RuleBits {
    let Some(rules) = rules() else {
        return 0;
    };
    let process = std::process::id();
    let mut hits = 0;
    for one in rules.of_function(frame.hook.id()) {
        let rule = &rules.plan.rules[one.rule];
        let conditions = &rule.targets[one.target].conditions;
        if conditions.iter().all(|condition| holds(condition, frame))
            && rule.is_for(one.calls.next(process), elapsed_ns)
        {
            hits |= 1 << one.rule;
        }
    }
    hits
}

/// The rules of a set in their order, with what each means for the function.
pub fn each(id: u32, set: RuleBits) -> impl Iterator<Item = (&'static Rule, &'static Target)> {
    let rules = rules();
    let list = rules.map_or(&[][..], |rules| rules.of_function(id));
    list.iter()
        .filter(move |one| set >> one.rule & 1 != 0)
        .filter_map(move |one| {
            let rule = &rules?.plan.rules[one.rule];
            Some((rule, &rule.targets[one.target]))
        })
}

fn holds(condition: &Condition, frame: &Frame) -> bool {
    match condition {
        Condition::Number { word, bytes, value } => {
            narrow(frame.word((*word).into()), *bytes) == *value
        }
        Condition::Text { word, pattern } => {
            let at = frame.word((*word).into()) as *const u8;
            let mut room = [0; MAX_TEXT];
            let bytes = memory::text_into(at, &mut room);
            room[..bytes]
                .split_last()
                .is_some_and(|(nul, text)| *nul == 0 && fits(pattern, text))
        }
    }
}

/// Nanoseconds since the process's first call.
fn elapsed_ns() -> u64 {
    let now = clock::nanoseconds(libc::CLOCK_MONOTONIC);
    Process::get().map_or(0, |process| now.saturating_sub(process.first_call_ns()))
}

/// Whether there is a name of the same function that look-ups may find in a hidden one's place: the newest before it.
pub fn visible_before(id: u32) -> Option<usize> {
    let of_hidden = NAMES.iter().find(|name| name.hook == id as usize)?;
    NAMES
        .iter()
        .filter(|name| name.base == of_hidden.base && name.per_thread == of_hidden.per_thread)
        .filter(|name| name.since < of_hidden.since && !hides(name.hook as u32))
        .max_by_key(|name| name.since)
        .map(|name| name.hook)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_in_each_process_anew() {
        let counter = Counter::default();
        let numbers: Vec<u64> = (0..3).map(|_| counter.next(100)).collect();
        assert_eq!(numbers, [1, 2, 3]);
        assert_eq!(counter.next(4_194_303), 1);
        assert_eq!(counter.next(4_194_303), 2);
    }

    #[test]
    fn no_call_is_counted_twice() {
        let counter = Counter::default();
        let mut numbers: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..500).map(|_| counter.next(7)).collect::<Vec<_>>()))
                .collect();
            let taken = threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"));
            taken.flatten().collect()
        });
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=2000).collect::<Vec<u64>>());
    }
}
