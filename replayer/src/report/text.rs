//! A report as text for people: the first divergence first, alike ones once, consequences under their cause.

use std::fmt::Write as _;

use cutape_analysis::printable::push_printable;
use cutape_analysis::quantity::{push_time, text as quantity};

use super::group::{Group, News, groups};
use super::{Report, TraceReport};
use crate::answer::{Answer, Part};
use crate::divergence::Divergence;
use crate::verdict::{Tally, Verdict};

/// Names of functions that a line lists.
const LISTED_FUNCTIONS: usize = 6;

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Verdicts are coloured. They are words in any case.
    pub coloured: bool,
    /// Groups of divergences shown for a trace, at most.
    pub most_groups: usize,
}

/// Calls of one function with one reason.
struct Tallied<'a> {
    reason: (&'static str, &'static str),
    function: &'a str,
    calls: u64,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            coloured: false,
            most_groups: 20,
        }
    }
}

/// The whole report.
pub fn text(report: &Report, look: Look) -> String {
    let mut text = Text {
        out: String::new(),
        look,
    };
    for trace in &report.traces {
        text.trace(trace, &report.driver);
    }
    if report.traces.len() > 1 {
        text.suite(report);
    }
    for unused in &report.unused_policy {
        text.line(&format!("policy entry that applied to nothing: {unused}"));
    }
    text.out
}

/// `11 calls: 4 same, 1 fixed`.
pub fn counts(tally: &Tally) -> String {
    let verdicts: Vec<String> = tally
        .occurred()
        .map(|(verdict, calls)| format!("{calls} {}", verdict.name()))
        .collect();
    match verdicts.is_empty() {
        true => "no calls".to_owned(),
        false => format!("{}: {}", calls(tally.total()), verdicts.join(", ")),
    }
}

/// `conforms`, or `diverges: 3 calls answer worse than recorded`.
pub fn conclusion(report: &TraceReport) -> String {
    if !report.conforms() {
        let verb = if report.reproaches == 1 {
            "answers"
        } else {
            "answer"
        };
        return format!(
            "diverges: {} {verb} otherwise than recorded, and not better",
            calls(report.reproaches)
        );
    }
    let tally = report.tally();
    let conforms = match (report.troubles.is_empty(), tally.total()) {
        (true, _) => "conforms",
        (false, 0) => return "nothing could be judged".to_owned(),
        (false, _) => "conforms as far as it could be judged",
    };
    match tally.of(Verdict::Fixed) {
        0 => conforms.to_owned(),
        fixed => format!("{conforms}: nothing regressed, {} fixed", calls(fixed)),
    }
}

/// What the driver under test answered, in one line: the code, then the arguments that differ.
pub fn replayed(divergence: &Divergence) -> Option<String> {
    let answer = divergence.replayed.as_ref()?;
    let mut parts: Vec<String> = code(answer).into_iter().collect();
    for difference in &divergence.differences {
        match &difference.part {
            Part::Returned if answer.code.is_some() => {}
            Part::Returned => parts.push(difference.replayed.clone()),
            Part::Argument(name) => parts.push(format!("{name}={}", difference.replayed)),
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn code(answer: &Answer) -> Option<String> {
    let code = answer.code.as_ref()?;
    Some(match &code.name {
        Some(name) => format!("{name} ({})", code.number),
        None => code.number.to_string(),
    })
}

fn calls(number: u64) -> String {
    if number == 1 {
        "1 call".to_owned()
    } else {
        format!("{number} calls")
    }
}

/// `cuMemFree_v2 (2), cuMemcpyHtoD_v2 (1), ...`.
fn functions<'a>(counted: impl ExactSizeIterator<Item = (&'a str, u64)>) -> String {
    let more = counted.len().saturating_sub(LISTED_FUNCTIONS);
    let mut names: Vec<String> = counted
        .take(LISTED_FUNCTIONS)
        .map(|(function, calls)| format!("{function} ({calls})"))
        .collect();
    if more > 0 {
        names.push(format!("{more} more functions"));
    }
    names.join(", ")
}

struct Text {
    out: String,
    look: Look,
}

impl Text {
    fn line(&mut self, text: &str) {
        push_printable(&mut self.out, text);
        self.out.push('\n');
    }

    /// A line whose beginning up to the first colon is coloured.
    fn verdict_line(&mut self, colour: &str, text: &str) {
        let end = text.find(':').unwrap_or(text.len());
        if self.look.coloured {
            // Writing to a string can't fail.
            let _ = write!(self.out, "\x1b[{colour}m{}\x1b[0m", &text[..end]);
        } else {
            self.out.push_str(&text[..end]);
        }
        self.line(&text[end..]);
    }

    fn trace(&mut self, report: &TraceReport, driver: &str) {
        let tally = report.tally();
        let processes = match report.processes.len() {
            1 => "1 process".to_owned(),
            number => format!("{number} processes"),
        };
        self.line(&format!(
            "{} on {driver}: {} of {processes} in {}",
            report.trace.display(),
            calls(tally.total()),
            quantity(push_time, report.wall_ns)
        ));
        self.divergences(report);
        self.not_played(report);
        self.printed(report);
        for trouble in &report.troubles {
            self.verdict_line("31", &format!("trouble: {trouble}"));
        }
        self.line("");
        self.line(&counts(&tally));
        let colour = if report.conforms() { "32" } else { "31" };
        self.verdict_line(colour, &conclusion(report));
        self.line("");
    }

    fn divergences(&mut self, report: &TraceReport) {
        let groups = groups(report);
        for group in groups.iter().take(self.look.most_groups) {
            self.line("");
            self.group(group);
        }
        if let Some(more) = groups.len().checked_sub(self.look.most_groups + 1) {
            self.line("");
            self.line(&format!(
                "and {} kinds of divergence more; --json has them",
                more + 1
            ));
        }
    }

    fn group(&mut self, group: &Group<'_>) {
        let first = group.first;
        let colour = match group.news {
            News::Reproach => "31",
            News::Fixed => "32",
            News::Expected => "33",
        };
        self.verdict_line(colour, &first.headline());
        self.line(&format!("  recorded  {}", first.call.text));
        if let Some(replayed) = replayed(first) {
            self.line(&format!("  replayed  {replayed}"));
        }
        if group.listed > 1 {
            self.line(&format!(
                "  and {} more like it, up to #{}",
                group.listed - 1,
                group.last_seq
            ));
        }
        if group.consequences > 0 {
            let followers = group.followers.iter();
            let followers = functions(followers.map(|&(name, calls)| (name, calls as u64)));
            let verb = if group.consequences == 1 {
                "follows"
            } else {
                "follow"
            };
            self.line(&format!(
                "  {} {verb} from it: {followers}",
                calls(group.consequences)
            ));
        }
        if let Some(reason) = &first.expected {
            self.line(&format!("  expected  {reason}"));
        }
    }

    fn not_played(&mut self, report: &TraceReport) {
        let skips = report.skips.iter().map(|skip| Tallied {
            reason: (skip.reason.name(), skip.reason.why()),
            function: &skip.function,
            calls: skip.calls,
        });
        self.tallied("not played", &skips.collect::<Vec<_>>());
        let not_compared = report.not_compared.iter().map(|one| Tallied {
            reason: (one.reason.name(), one.reason.why()),
            function: &one.function,
            calls: one.calls,
        });
        let title = "copies to the host whose data was not compared";
        self.tallied(title, &not_compared.collect::<Vec<_>>());
    }

    /// Calls by reason and function, those of one reason beside each other.
    fn tallied(&mut self, title: &str, all: &[Tallied<'_>]) {
        if all.is_empty() {
            return;
        }
        let number = |some: &[Tallied<'_>]| some.iter().map(|one| one.calls).sum::<u64>();
        self.line("");
        self.line(&format!("{title}: {}", calls(number(all))));
        for of_reason in all.chunk_by(|one, next| one.reason == next.reason) {
            let (name, why) = of_reason[0].reason;
            let names = functions(of_reason.iter().map(|one| (one.function, one.calls)));
            let number = number(of_reason);
            self.line(&format!("  {number:>6}  {name} ({why}): {names}"));
        }
    }

    fn printed(&mut self, report: &TraceReport) {
        for process in report
            .processes
            .iter()
            .filter(|process| !process.printed.is_empty())
        {
            self.line("");
            self.line(&format!("printed by the driver (process {}):", process.pid));
            for line in process.printed.lines() {
                self.line(&format!("  | {line}"));
            }
        }
    }

    fn suite(&mut self, report: &Report) {
        let conforming = report
            .traces
            .iter()
            .filter(|trace| trace.conforms())
            .count();
        for trace in &report.traces {
            let (colour, word) = if trace.conforms() {
                ("32", "conforms:")
            } else {
                ("31", "diverges:")
            };
            self.verdict_line(
                colour,
                &format!(
                    "{word} {}  {}",
                    trace.trace.display(),
                    counts(&trace.tally())
                ),
            );
        }
        self.line(&format!(
            "{conforming} of {} traces conform; {}",
            report.traces.len(),
            counts(&report.tally())
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::suite;

    #[test]
    fn the_whole_text() {
        let expected = "\
traces/llama.cutape on ./build/libcuda.so.1: 11 calls of 1 process in 12.3ms

regressed: #16 cuMemGetInfo_v2 0 -> 3, free 78 GiB -> 0
  recorded  cuMemGetInfo_v2(free=83751862272 (78 GiB), total=85899345920 (80 GiB)) = CUDA_SUCCESS (0)
  replayed  CUDA_ERROR_NOT_INITIALIZED (3), free=0
  and 1 more like it, up to #20

crashed: #30 cuMemAlloc_v2: SIGSEGV
  recorded  cuMemAlloc_v2() = CUDA_SUCCESS (0)
  2 calls follow from it: cuMemFree_v2 (1), cuMemcpyHtoD_v2 (1)

fixed: #12 cuCtxGetCurrent
  recorded  cuCtxGetCurrent() = CUDA_SUCCESS (0)
  replayed  CUDA_SUCCESS (0)

changed: #14 cuDeviceGetName
  recorded  cuDeviceGetName() = CUDA_SUCCESS (0)
  expected  another GPU <on purpose>

not played: 2 calls
       2  consequence (needs what an earlier call did not bring): cuMemFree_v2 (1), cuMemcpyHtoD_v2 (1)

printed by the driver (process 4411):
  | driver says \u{fffd}[31mhello

11 calls: 4 same, 1 fixed, 1 changed, 2 regressed, 1 crashed, 2 skipped
diverges: 3 calls answer otherwise than recorded, and not better

policy entry that applied to nothing: policy.toml:12: cuInit: \"old\"
";
        assert_eq!(text(&suite(), Look::default()), expected);
    }

    #[test]
    fn colours_are_beside_the_words_and_a_suite_ends_with_a_list() {
        let mut suite = suite();
        suite.traces.push(TraceReport {
            trace: "other.cutape".into(),
            ..TraceReport::default()
        });
        let look = Look {
            coloured: true,
            most_groups: 1,
        };
        let text = text(&suite, look);
        assert!(text.contains("\x1b[31mregressed\x1b[0m: #16"), "{text}");
        assert!(text.contains("and 3 kinds of divergence more"), "{text}");
        assert!(
            text.contains("\x1b[32mconforms\x1b[0m: other.cutape  no calls"),
            "{text}"
        );
        assert!(text.contains("1 of 2 traces conform"), "{text}");
    }
}
