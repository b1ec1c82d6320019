//! Random programs, random parts of them: a part reads like the whole.

#[allow(dead_code)]
mod sample;

use std::collections::HashMap;

use cutape_analysis::objects::{ObjectId, ObjectTracker, Origin, Part};
use cutape_analysis::trim::{Kept, Wanted};
use cutape_trace_format::call::Call;
use cutape_trace_format::sample::{Chance, SampleCapture};
use cutape_trace_format::trace::Trace;
use sample::Sample;

/// Handles that the imagined driver has given out, by kind.
#[derive(Default)]
struct Alive {
    contexts: Vec<u64>,
    streams: Vec<u64>,
    events: Vec<u64>,
    memory: Vec<u64>,
    functions: Vec<u64>,
    retained: usize,
}

/// The handle of the primary context.
const PRIMARY: u64 = 0xa000;

struct Program {
    sample: Sample,
    alive: Alive,
    next: u64,
}

impl Program {
    fn new() -> Self {
        let mut program = Self {
            sample: Sample::new(),
            alive: Alive::default(),
            next: 0x10_0000,
        };
        program.sample.call("cuInit", &[0], Some(0));
        program.create("cuDevicePrimaryCtxRetain", &[0], PRIMARY);
        program.sample.call("cuCtxSetCurrent", &[PRIMARY], Some(0));
        program.alive.contexts.push(PRIMARY);
        program.alive.retained = 1;
        program
    }

    fn create(&mut self, name: &str, args: &[u64], word: u64) {
        let mut all = vec![0x7ffe_0000];
        all.extend_from_slice(args);
        let answer = word.to_le_bytes();
        self.sample
            .call_with(name, &all, Some(0), &[SampleCapture::after(0, &answer)]);
    }

    /// A handle that was never given out.
    fn fresh(&mut self) -> u64 {
        self.next += 0x1_0000;
        self.next
    }

    fn step(&mut self, chance: &mut Chance) {
        let mut any = |list: &[u64]| match list.len() {
            0 => None,
            length => Some(list[chance.below(length as u64) as usize]),
        };
        let (stream, event) = (any(&self.alive.streams), any(&self.alive.events));
        let (memory, function) = (any(&self.alive.memory), any(&self.alive.functions));
        let context = any(&self.alive.contexts);
        let value = chance.below(4);
        match (chance.below(16), stream, event, memory, function) {
            (0, ..) => self.make(|alive| &mut alive.streams, "cuStreamCreate"),
            (1, ..) => self.make(|alive| &mut alive.events, "cuEventCreate"),
            (2, ..) => self.make(|alive| &mut alive.memory, "cuMemAlloc_v2"),
            (3, ..) => {
                let module = self.fresh();
                self.create("cuModuleLoadData", &[0x30], module);
                let function = self.fresh();
                self.create("cuModuleGetFunction", &[module, 0x40], function);
                self.alive.functions.push(function);
            }
            (4, ..) => {
                self.create("cuDevicePrimaryCtxRetain", &[0], PRIMARY);
                self.alive.retained += 1;
            }
            (5, ..) if self.alive.retained > 1 => {
                self.call("cuDevicePrimaryCtxRelease_v2", &[0]);
                self.alive.retained -= 1;
            }
            (6, ..) => {
                let context = context.unwrap_or(PRIMARY);
                self.call("cuCtxSetCurrent", &[context]);
            }
            (7, ..) => self.call("cuCtxSetLimit", &[value % 2, value]),
            (8, Some(stream), ..) => {
                self.alive.streams.retain(|&word| word != stream);
                self.call("cuStreamDestroy_v2", &[stream]);
            }
            (9, _, _, Some(memory), _) => {
                self.alive.memory.retain(|&word| word != memory);
                self.call("cuMemFree_v2", &[memory]);
            }
            (10, Some(stream), Some(event), ..) => self.call("cuEventRecord", &[event, stream]),
            (11, Some(stream), Some(event), ..) => {
                self.call("cuStreamWaitEvent", &[stream, event, 0]);
            }
            (12, .., Some(function)) => {
                self.call("cuFuncSetAttribute", &[function, 8 + value % 2, value]);
            }
            (13, Some(stream), .., Some(function)) => {
                let words = [function, 1, 1, 1, 1, 1, 1, 0, stream, 0, 0];
                self.call("cuLaunchKernel", &words);
            }
            (_, Some(stream), _, Some(memory), _) => {
                self.call("cuMemsetD8Async", &[memory + value, value, 16, stream]);
            }
            _ => self.call("cuCtxSynchronize", &[]),
        }
    }

    fn call(&mut self, name: &str, args: &[u64]) {
        self.sample.call(name, args, Some(0));
    }

    fn make(&mut self, list: fn(&mut Alive) -> &mut Vec<u64>, name: &str) {
        let word = self.fresh();
        let args: &[u64] = if name == "cuMemAlloc_v2" {
            &[4096]
        } else {
            &[0]
        };
        self.create(name, args, word);
        list(&mut self.alive).push(word);
    }
}

/// What a reader makes of some calls of a trace: for each, its objects and the context that it works in.
type Read = Vec<(u64, Vec<ObjectId>, Option<ObjectId>)>;

fn read(trace: &Trace, is_there: impl Fn(u64) -> bool) -> (Read, ObjectTracker) {
    let mut tracker = ObjectTracker::default();
    let mut calls = Vec::new();
    for call in trace.calls() {
        let call: Call = call.expect("reads");
        if !is_there(call.seq) {
            continue;
        }
        let context = tracker.current(call.process, call.thread);
        let references = tracker.observe(trace.schema(), &call);
        assert!(
            references
                .iter()
                .all(|reference| reference.part != Part::UsedAfterEnd),
            "call {} uses what is gone",
            call.seq
        );
        let objects = references
            .iter()
            .map(|reference| reference.object)
            .collect();
        calls.push((call.seq, objects, context));
    }
    (calls, tracker)
}

#[test]
fn a_part_of_a_trace_reads_like_the_whole() {
    let mut chance = Chance::new(31);
    for round in 0..25 {
        let mut program = Program::new();
        for _ in 0..20 + chance.below(100) {
            program.step(&mut chance);
        }
        let trace = program.sample.open();
        let count = trace.call_count();
        let first = 1 + chance.below(count);
        let last = first + chance.below(count - first + 1);
        let kept = Kept::of(&trace, &Wanted::Numbers(first..=last), |_| ());
        let (whole, objects) = read(&trace, |_| true);
        let (part, objects_of_part) = read(&trace, |seq| kept.contains(seq) && seq <= last);
        let mut same: HashMap<ObjectId, ObjectId> = HashMap::new();
        for (seq, of_part, context) in &part {
            let (_, of_whole, context_of_whole) = &whole[*seq as usize - 1];
            assert_eq!(of_part.len(), of_whole.len(), "{round}: call {seq}");
            let pairs = of_part.iter().zip(of_whole);
            let contexts = context.iter().zip(context_of_whole);
            for (part, whole) in pairs.chain(contexts) {
                let known = *same.entry(*part).or_insert(*whole);
                assert_eq!(known, *whole, "{round}: call {seq} names another object");
                assert_eq!(
                    objects_of_part.object(*part).origin() == Origin::Foreign,
                    objects.object(*whole).origin() == Origin::Foreign,
                    "{round}: call {seq} has a handle that nobody knows"
                );
            }
            if (first..=last).contains(seq) {
                assert_eq!(
                    context.is_some(),
                    context_of_whole.is_some(),
                    "{round}: {seq}"
                );
            }
        }
        let one_to_one: std::collections::HashSet<&ObjectId> = same.values().collect();
        assert_eq!(
            one_to_one.len(),
            same.len(),
            "{round}: two names for one object"
        );
        let wanted = part.iter().filter(|call| (first..=last).contains(&call.0));
        assert_eq!(wanted.count() as u64, last - first + 1);
    }
}

/// What holds when calls are made: settings by what they are about, and how many hold the primary context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    settings: HashMap<(String, Vec<u64>), u64>,
    holders: i64,
}

impl State {
    fn add(&mut self, trace: &Trace, call: &Call) {
        let base = trace
            .function(call.function)
            .map_or("", |function| &function.base);
        match base {
            "cuDevicePrimaryCtxRetain" => self.holders += 1,
            "cuDevicePrimaryCtxRelease" => self.holders -= 1,
            "cuFuncSetAttribute" | "cuCtxSetLimit" => {
                if let Some((value, about)) = call.args.split_last() {
                    let key = (base.to_owned(), about.to_vec());
                    self.settings.insert(key, *value);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn what_holds_at_a_wanted_call_holds_in_the_part_too() {
    let mut chance = Chance::new(32);
    for round in 0..25 {
        let mut program = Program::new();
        for _ in 0..30 + chance.below(120) {
            program.step(&mut chance);
        }
        let trace = program.sample.open();
        let filter = cutape_analysis::filter::Filter::parse("cuLaunchKernel").expect("is one");
        let kept = Kept::of(&trace, &Wanted::Matching(filter), |_| ());
        let (mut whole, mut part) = (State::default(), State::default());
        for call in trace.calls() {
            let call = call.expect("reads");
            let base = trace
                .function(call.function)
                .map_or("", |function| &function.base);
            if base == "cuLaunchKernel" {
                let of_kernel = |state: &State| -> Vec<(Vec<u64>, u64)> {
                    let mut settings: Vec<_> = state
                        .settings
                        .iter()
                        .filter(|((name, about), _)| {
                            name == "cuCtxSetLimit" || about.first() == call.args.first()
                        })
                        .map(|((_, about), &value)| (about.clone(), value))
                        .collect();
                    settings.sort();
                    settings
                };
                assert_eq!(
                    of_kernel(&part),
                    of_kernel(&whole),
                    "{round}: call {}",
                    call.seq
                );
                assert_eq!(part.holders, whole.holders, "{round}: call {}", call.seq);
            }
            whole.add(&trace, &call);
            if kept.contains(call.seq) {
                part.add(&trace, &call);
            }
        }
    }
}
