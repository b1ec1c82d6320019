//! GGML's start-up as a list of questions, each answered from what the process was told; and what GGML would make of it.
//!
//! It is filled in for any client: PyTorch, too, asks most of what GGML would ask.

use super::answers::{Asked, CodeText};
use super::closing::Closing;
use super::facts::ProcessFacts;
use super::facts::devices::{Device, attribute};
use super::finding::Finding;
use super::rule::{Severity, Stage};
use super::story::Story;
use crate::printable::push_printable;
use crate::quantity::{push_bytes, push_cuda_version, text};
use cutape_cuda_api::Library;

/// How a question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As GGML needs it.
    Yes,
    /// Not as GGML needs it.
    No,
    /// The process did not ask.
    NotAsked,
}

impl Answer {
    /// The word for it, in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotAsked => "not asked",
        }
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Stable name.
    pub id: &'static str,
    /// The answer.
    pub answer: Answer,
    /// Numbers of the calls that it comes from.
    pub calls: Vec<u64>,
    /// What was said, for people.
    pub said: String,
}

/// What GGML would make of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It would offer the GPU.
    Offer {
        /// Free bytes.
        free: u64,
        /// All bytes.
        total: u64,
        /// Compute capability.
        compute: (i32, i32),
    },
    /// It would not, because of the finding of this rule, shown by this call.
    Refuse {
        /// The rule.
        rule: &'static str,
        /// The call; 0 where no call shows it.
        call: u64,
    },
    /// It can't be told, because these questions were not asked.
    Unknown(Vec<&'static str>),
}

/// The questions about one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checklist {
    /// Number of the device; `None` where the process was told of none.
    pub device: Option<i32>,
    /// Its name, if it was asked for.
    pub name: Option<String>,
    /// In the order in which GGML asks them.
    pub questions: Vec<Question>,
    /// What GGML would make of the answers.
    pub decision: Decision,
}

/// Devices listed of a process.
const MAX_LISTED: usize = 16;

/// The lists of a process, one for each device; none for a process that did not begin to start CUDA.
pub fn checklists(story: &Story<'_>, facts: &ProcessFacts, findings: &[Finding]) -> Vec<Checklist> {
    if !facts.init.was_asked() && !facts.version.was_asked() && !facts.count.was_asked() {
        return Vec::new();
    }
    let nothing = Device::default();
    let devices: Vec<(Option<i32>, &Device)> = if facts.devices.0.is_empty() {
        vec![(None, &nothing)]
    } else {
        let all = facts.devices.0.iter();
        all.map(|(&number, device)| (Some(number), device))
            .take(MAX_LISTED)
            .collect()
    };
    let ask = Asking { story, facts };
    devices
        .into_iter()
        .map(|(number, device)| {
            let questions = ask.questions(device);
            Checklist {
                device: number,
                name: device.name.value().cloned(),
                decision: decide(facts, device, (&questions, findings)),
                questions,
            }
        })
        .collect()
}

struct Asking<'a> {
    story: &'a Story<'a>,
    facts: &'a ProcessFacts,
}

impl Asking<'_> {
    fn questions(&self, device: &Device) -> Vec<Question> {
        let facts = self.facts;
        vec![
            self.version(),
            self.plain("initialisation", &facts.init, |()| (true, String::new())),
            self.plain("device count", &facts.count, |&count| {
                (count > 0, count.to_string())
            }),
            self.plain("name", &device.name, |name| (true, printable(name))),
            self.plain("UUID", device.uuid(), |_| (true, String::new())),
            self.plain("PCI bus id", &device.pci, |id| (true, printable(id))),
            self.compute_capability(device),
            self.attribute(device, "unified addressing", attribute::UNIFIED_ADDRESSING),
            self.virtual_memory(device),
            self.context(device),
            self.plain("memory info", &device.memory, |memory| {
                let said = format!(
                    "{} free of {}",
                    text(push_bytes, memory.free),
                    text(push_bytes, memory.total)
                );
                (memory.total > 0 && memory.free > 0, said)
            }),
        ]
    }

    fn code(&self, code: u32) -> String {
        CodeText::of(self.story.trace.schema(), Library::Cuda, code).to_string()
    }

    /// A question of one function. `judge` says of an answer whether it will do, and how it reads.
    fn plain<T>(
        &self,
        id: &'static str,
        asked: &Asked<T>,
        judge: impl Fn(&T) -> (bool, String),
    ) -> Question {
        let (answer, said) = match (&asked.failed, &asked.answered) {
            (Some((_, code)), _) => (Answer::No, self.code(*code)),
            (None, Some((_, value))) => {
                let (will_do, said) = judge(value);
                (if will_do { Answer::Yes } else { Answer::No }, said)
            }
            (None, None) => (Answer::NotAsked, String::new()),
        };
        Question {
            id,
            answer,
            calls: asked.call().into_iter().collect(),
            said,
        }
    }

    fn version(&self) -> Question {
        let closing = Closing {
            story: self.story,
            facts: self.facts,
            client: &Default::default(),
            entry: self.story.entry(self.facts.process),
        };
        let runtime = closing.runtime_major();
        self.plain("driver version", &self.facts.version, |&version| {
            let shown = text(push_cuda_version, version.max(0) as u64);
            let enough = runtime.is_none_or(|runtime| i64::from(version / 1000) >= runtime.into());
            let of = runtime.map_or_else(String::new, |runtime| {
                format!(", the process's CUDA runtime is of {runtime}")
            });
            (enough && version > 0, format!("CUDA {shown}{of}"))
        })
    }

    fn attribute(&self, device: &Device, id: &'static str, number: i32) -> Question {
        let unasked = Asked::default();
        let asked = device.attributes.get(&number).unwrap_or(&unasked);
        self.plain(id, asked, |&value| {
            (value != 0, format!("attribute {number} is {value}"))
        })
    }

    fn compute_capability(&self, device: &Device) -> Question {
        let mut question = self.attribute(device, "compute capability", attribute::COMPUTE_MAJOR);
        if let Some((major, minor)) = device.compute_capability() {
            question.said = format!("{major}.{minor}");
            let minor = device.attribute(attribute::COMPUTE_MINOR);
            question.calls.extend(minor.map(|(seq, _)| seq));
        }
        question
    }

    /// GGML asks whether there is virtual memory management, and if so how large its pages are. Without it, it has another way.
    fn virtual_memory(&self, device: &Device) -> Question {
        let mut question = self.attribute(device, "virtual memory", attribute::VIRTUAL_MEMORY);
        let granularity = self.plain("virtual memory", &device.granularity, |&bytes| {
            (true, format!("pages of {}", text(push_bytes, bytes)))
        });
        if granularity.answer != Answer::NotAsked {
            if question.answer != Answer::No {
                question.answer = granularity.answer;
            }
            let separator = if question.said.is_empty() { "" } else { ", " };
            question.said = format!("{}{separator}{}", question.said, granularity.said);
            question.calls.extend(granularity.calls);
        }
        question
    }

    fn context(&self, device: &Device) -> Question {
        let mut question = self.plain("context", &device.context, |()| (true, String::new()));
        for asked in [&self.facts.set_current, &self.facts.get_current] {
            if let (Some((seq, code)), true) = (asked.failed, question.answer != Answer::No) {
                question.answer = Answer::No;
                question.said = self.code(code);
                question.calls.push(seq);
            }
        }
        question
    }
}

fn printable(value: &str) -> String {
    let mut text = String::new();
    push_printable(&mut text, value);
    text
}

/// Stages at which a problem may be one device's.
const DECIDED_BY_DEVICE: [Stage; 2] = [Stage::Properties, Stage::MemoryInfo];

/// A finding that costs GGML the GPU decides; else what was said of compute capability and memory.
fn decide(
    facts: &ProcessFacts,
    device: &Device,
    (questions, findings): (&[Question], &[Finding]),
) -> Decision {
    let all = findings
        .iter()
        .flat_map(|finding| std::iter::once(finding).chain(&finding.consequences));
    let costs_the_gpu = |finding: &&Finding| {
        finding.rule.severity == Severity::Fatal
            && finding.rule.stage != Stage::Pace
            && (finding.processes.is_empty() || finding.processes.contains(&facts.process))
    };
    // With several devices one may lack what the others have; the rest concerns the process.
    let is_of_device = |finding: &&Finding| {
        let one_of_several =
            facts.devices.0.len() > 1 && DECIDED_BY_DEVICE.contains(&finding.rule.stage);
        !one_of_several
            || questions
                .iter()
                .any(|question| question.answer == Answer::No)
    };
    if let Some(finding) = all.filter(costs_the_gpu).find(is_of_device) {
        return Decision::Refuse {
            rule: finding.rule.id,
            call: finding.first_call(),
        };
    }
    match (device.memory.value(), device.compute_capability()) {
        (Some(memory), Some(compute)) => Decision::Offer {
            free: memory.free,
            total: memory.total,
            compute,
        },
        _ => {
            let needed = ["compute capability", "memory info"];
            let unasked = questions.iter().filter(|question| {
                needed.contains(&question.id) && question.answer == Answer::NotAsked
            });
            Decision::Unknown(unasked.map(|question| question.id).collect())
        }
    }
}
