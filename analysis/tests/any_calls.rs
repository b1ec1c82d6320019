//! Calls of all functions with words and bytes that make no sense: what goes along with calls copes with them, and agrees with itself.

#[allow(dead_code)]
mod sample;

use cutape_analysis::doctor::Diagnosis;
use cutape_analysis::doctor::json::to_json;
use cutape_analysis::doctor::report::report;
use cutape_analysis::doctor::rules::RULES;
use cutape_analysis::export::{ExportFormat, Exporter};
use cutape_analysis::objects::{Namer, Objects, ReferenceFinder};
use cutape_analysis::redact::Redaction;
use cutape_analysis::trim::{Kept, Wanted};
use cutape_cuda_api::Api;
use cutape_trace_format::sample::SampleCapture;
use cutape_trace_format::trace::Trace;
use sample::Sample;

/// Numbers that look random and are the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of few words, so that calls often mean the same object, or an address near one.
    fn word(&mut self) -> u64 {
        match self.below(10) {
            0 => self.next(),
            1 => u64::MAX - self.below(3),
            2 => self.below(4),
            _ => 0x7f00_0000_0000 + self.below(30) * 0x800,
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let words = self.below(24);
        let mut bytes: Vec<u8> = (0..words).flat_map(|_| self.word().to_le_bytes()).collect();
        bytes.truncate(bytes.len().saturating_sub(self.below(4) as usize));
        bytes
    }
}

/// Each function a few times, in no order, by two processes.
fn nonsense(seed: u64) -> (Sample, Trace) {
    let mut chance = Chance(seed);
    let mut sample = Sample::new();
    let functions = Api::get().functions().len() as u64;
    for number in 0..6000 {
        if number == 4000 {
            sample.process(200);
        }
        let function = chance.below(functions) as u32;
        let args: Vec<u64> = (0..chance.below(14)).map(|_| chance.word()).collect();
        let captures: Vec<(u8, bool, Vec<u8>)> = (0..chance.below(5))
            .map(|_| {
                let far = chance.below(8) == 0;
                let param = chance.below(if far { 256 } else { 6 }) as u8;
                (param, chance.below(3) > 0, chance.bytes())
            })
            .collect();
        let captures: Vec<SampleCapture<'_>> = captures
            .iter()
            .map(|(param, out, bytes)| match out {
                true => SampleCapture::after(*param, bytes),
                false => SampleCapture::before(*param, bytes),
            })
            .collect();
        let answer = match chance.below(12) {
            0 => None,
            1 | 2 => Some(chance.below(1000)),
            _ => Some(0),
        };
        sample.call_number(function, &args, answer, &captures);
    }
    let trace = sample.open();
    (sample, trace)
}

#[test]
fn names_are_the_same_whether_calls_are_read_in_order_or_one_at_a_time() {
    let (_sample, trace) = nonsense(0x9e37_79b9_7f4a_7c15);
    let objects = Objects::of(&trace, |_| ());
    assert!(objects.all().len() > 500, "{}", objects.all().len());
    let mut namer = Namer::default();
    let mut finder = ReferenceFinder::default();
    let mut compared = 0;
    for call in trace.calls() {
        let call = call.unwrap();
        let names = namer.observe(trace.schema(), &call);
        let found = finder.find(&objects, trace.schema(), &call);
        for name in names.all().iter().filter(|name| name.gone_since.is_none()) {
            // A call that answers one word twice, once as old and once as new: afterwards it is the new one.
            let renewed = found.iter().any(|reference| {
                let object = objects.get(reference.object).unwrap();
                reference.word == name.word && object.created() == Some(call.seq)
            });
            if renewed && name.label.is_foreign() {
                continue;
            }
            let known = found
                .iter()
                .filter(|reference| (reference.param, reference.word) == (name.param, name.word));
            let labels: Vec<String> = known
                .map(|reference| {
                    let object = objects.get(reference.object).unwrap();
                    let label = object.label_at(call.seq);
                    label.with_offset(reference.offset).to_string()
                })
                .collect();
            let label = name.label.to_string();
            assert!(
                labels.contains(&label),
                "call {}: {label} in {labels:?}",
                call.seq
            );
            compared += 1;
        }
    }
    assert!(compared > 3000, "{compared}");
}

#[test]
fn every_form_of_export_and_every_part_copes_with_nonsense() {
    for seed in [1, 2, 3] {
        let (_sample, mut trace) = nonsense(seed);
        let mut redactor = "all".parse::<Redaction>().unwrap().apply(&mut trace);
        for format in [
            ExportFormat::Perfetto,
            ExportFormat::JsonLines,
            ExportFormat::Csv,
        ] {
            let mut exporter = Exporter::new(format);
            let mut out = Vec::new();
            exporter.start(&mut out, &trace);
            for call in trace.calls() {
                let mut call = call.unwrap();
                redactor.change_call(trace.schema(), &mut call);
                exporter.push(&mut out, &trace, &call);
            }
            exporter.finish(&mut out);
            assert!(out.len() > 6000 * 20, "{format:?}");
        }
        let kept = Kept::of(&trace, &Wanted::Numbers(3000..=3010), |_| ());
        assert_eq!(kept.wanted(), 11);
        assert!((1..3000).filter(|&seq| kept.contains(seq)).count() as u64 == kept.needed());
    }
}

#[test]
fn a_diagnosis_of_nonsense_is_short_readable_and_the_same_each_time() {
    for seed in [4, 5, 6] {
        let (_sample, trace) = nonsense(seed);
        let diagnosis = Diagnosis::of(&trace, &[], |_| {});
        // One problem, one finding: at most one of each rule.
        assert!(diagnosis.all().count() <= RULES.len());
        assert!(diagnosis.all().all(|finding| finding.evidence.len() <= 5));
        let text = report(&trace, &diagnosis).plain();
        let is_clean = |letter: char| letter == '\n' || !letter.is_control();
        assert!(text.chars().all(is_clean), "{text:?}");
        let json = to_json(&trace, &diagnosis);
        let again = Diagnosis::of(&trace, &[], |_| {});
        assert_eq!(json, to_json(&trace, &again));
    }
}
