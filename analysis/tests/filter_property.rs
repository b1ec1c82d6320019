//! Filters made by chance mean what a naive reading of them means: each call by itself, from its first field to its last.

#[allow(dead_code)]
mod sample;

use std::collections::HashMap;
use std::ops::ControlFlow;

use cutape_analysis::filter::{Filter, Matcher};
use cutape_analysis::index::Index;
use cutape_trace_format::call::{Call, ThreadId};
use cutape_trace_format::sample::{Chance, SampleCapture};
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;
use sample::Sample;

/// What a naive reader knows of a call.
struct Seen<'a> {
    trace: &'a Trace,
    call: &'a Call,
    gap_ns: Option<u64>,
}

impl Seen<'_> {
    fn name(&self) -> String {
        self.trace.function_name(self.call.function).into_owned()
    }

    fn code(&self) -> Option<u64> {
        self.call.returned
    }

    /// The argument with that name by the prototype, all parameters of which are single words here.
    fn word(&self, name: &str) -> Option<u64> {
        let function = self.trace.function(self.call.function)?;
        let params = &function.signature.as_ref()?.params;
        let place = params.iter().position(|param| param.name == name)?;
        self.call.args.get(place).copied()
    }
}

type Naive = Box<dyn Fn(&Seen<'_>) -> bool>;

const CODES: [u64; 4] = [0, 2, 3, 600];
const OPS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

fn compares(op: &str, left: u64, right: u64) -> bool {
    match op {
        "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        _ => left >= right,
    }
}

/// A test as text, and what it means.
fn test(chance: &mut Chance) -> (String, Naive) {
    let op = OPS[chance.below(6) as usize];
    let number = chance.below(3000);
    match chance.below(15) {
        0 => (
            "cuMem*".to_owned(),
            Box::new(|seen| seen.name().starts_with("cuMem")),
        ),
        1 => (
            "api == cuMemAlloc".to_owned(),
            Box::new(|seen| seen.name() == "cuMemAlloc_v2"),
        ),
        2 => (
            "api =~ (Alloc|Query)".to_owned(),
            Box::new(|seen| seen.name().contains("Alloc") || seen.name().contains("Query")),
        ),
        3 => {
            let code = CODES[chance.below(4) as usize];
            let naive: Naive =
                Box::new(move |seen| seen.code().is_some_and(|word| compares(op, word, code)));
            (format!("ret {op} {code}"), naive)
        }
        4 => (
            "ret in {2, 500..700}".to_owned(),
            Box::new(|seen| matches!(seen.code(), Some(2 | 600))),
        ),
        5 => ("ok".to_owned(), Box::new(|seen| seen.code() == Some(0))),
        6 => (
            "ok != true".to_owned(),
            Box::new(|seen| seen.code().is_some_and(|code| code != 0)),
        ),
        7 => (
            format!("seq {op} {number}"),
            Box::new(move |seen| compares(op, seen.call.seq, number)),
        ),
        8 => {
            let naive: Naive = Box::new(move |seen| {
                seen.call
                    .duration_ns
                    .is_some_and(|ns| compares(op, ns, number))
            });
            (format!("dur {op} {number}ns"), naive)
        }
        9 => {
            let naive: Naive = Box::new(move |seen| {
                compares(
                    op,
                    seen.call.begin_ns - seen.trace.start_ns(),
                    number * 1000,
                )
            });
            (format!("t {op} {number}us"), naive)
        }
        10 => {
            let naive: Naive =
                Box::new(move |seen| seen.gap_ns.is_some_and(|ns| compares(op, ns, number)));
            (format!("gap {op} {number}ns"), naive)
        }
        11 => {
            let pid = [100, 200][chance.below(2) as usize];
            let naive: Naive = Box::new(move |seen| {
                let process = seen.trace.process(seen.call.process);
                process.is_some_and(|process| compares(op, process.process.pid.into(), pid))
            });
            (format!("pid {op} {pid}"), naive)
        }
        12 => {
            let naive: Naive = Box::new(move |seen| {
                seen.word("bytesize")
                    .is_some_and(|word| compares(op, word, number))
            });
            (format!("arg.bytesize {op} {number}"), naive)
        }
        13 => {
            let naive: Naive = Box::new(move |seen| {
                seen.word("bytesize")
                    .is_some_and(|word| compares(op, word, number))
            });
            (format!("bytes {op} {number}"), naive)
        }
        _ => (
            "arg.hStream".to_owned(),
            Box::new(|seen| seen.word("hStream").is_some()),
        ),
    }
}

fn expression(chance: &mut Chance, depth: u64) -> (String, Naive) {
    if depth == 0 || chance.below(4) == 0 {
        return test(chance);
    }
    let (left_text, left) = expression(chance, depth - 1);
    match chance.below(5) {
        0 => (
            format!("not ({left_text})"),
            Box::new(move |seen| !left(seen)),
        ),
        1 | 2 => {
            let (text, right) = expression(chance, depth - 1);
            (
                format!("({left_text}) and ({text})"),
                Box::new(move |seen| left(seen) && right(seen)),
            )
        }
        _ => {
            let (text, right) = expression(chance, depth - 1);
            (
                format!("({left_text} || {text})"),
                Box::new(move |seen| left(seen) || right(seen)),
            )
        }
    }
}

fn recorded(chance: &mut Chance) -> Sample {
    let mut sample = Sample::new();
    for round in 0..1200u64 {
        let code = CODES[chance.below(4) as usize] as u32;
        match chance.below(4) {
            0 => {
                let size = chance.below(3000);
                let pointer = round.to_le_bytes();
                let answer = [SampleCapture::after(0, &pointer)];
                sample.call_with("cuMemAlloc_v2", &[0x10, size], Some(code), &answer)
            }
            1 => sample.call("cuStreamQuery", &[round % 3], Some(code)),
            2 => sample.call("cuMemFree_v2", &[round], (round % 50 != 0).then_some(code)),
            _ => sample.call("cuCtxSynchronize", &[], Some(code)),
        };
        if round == 700 {
            sample.process(200);
        }
    }
    sample
}

/// What the filter means of a trace, naively.
fn naive(trace: &Trace, meaning: &Naive) -> Vec<u64> {
    let mut busy_until: HashMap<ThreadId, u64> = HashMap::new();
    let mut found = Vec::new();
    for call in trace.calls() {
        let call = call.expect("reads");
        let before = busy_until.get(&call.thread).copied();
        let seen = Seen {
            trace,
            call: &call,
            gap_ns: before.map(|before| call.begin_ns.saturating_sub(before)),
        };
        if meaning(&seen) {
            found.push(call.seq);
        }
        let end = call.begin_ns + call.duration_ns.unwrap_or(0);
        busy_until.insert(call.thread, end.max(before.unwrap_or(0)));
    }
    found
}

#[test]
fn a_filter_means_the_same_however_it_is_evaluated() {
    let mut chance = Chance::new(2027);
    let mut sample = recorded(&mut chance);
    let folder = sample.open();
    let out = sample.path("b.cutape");
    seal(
        &sample.recording.path,
        &out,
        SealOptions::default(),
        &mut |_| {},
    )
    .expect("seals");
    let file = Trace::open(&out).expect("opens");
    let (folder_index, file_index) = (Index::of(&folder), Index::of(&file));
    let mut some = 0;
    for _ in 0..120 {
        let (text, meaning) = expression(&mut chance, 4);
        let filter = Filter::parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let expected = naive(&file, &meaning);
        let mut matcher = Matcher::new(&filter);
        let one_by_one = file.calls().map(|call| call.expect("reads"));
        let one_by_one: Vec<u64> = one_by_one
            .filter(|call| matcher.matches(&file, call))
            .map(|call| call.seq)
            .collect();
        assert_eq!(one_by_one, expected, "{text}");
        for (trace, index) in [(&folder, &folder_index), (&file, &file_index)] {
            let selection = filter
                .select(trace, index, &mut |_| ControlFlow::Continue(()))
                .expect("nobody broke it off");
            assert!(
                selection.iter_from(1).eq(expected.iter().copied()),
                "{text}"
            );
        }
        some += u32::from(!expected.is_empty() && expected.len() < 1200);
    }
    assert!(
        some > 60,
        "most filters mean some calls and not others: {some}"
    );
}
