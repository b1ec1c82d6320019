//! The same question, and what two drivers answered.

use std::collections::BTreeMap;

use cutape_cuda_api::{Direction, Effect};
use cutape_trace_format::call::Call;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::value::{Argument, Value};

use super::program::Program;
use crate::diff::argument_texts::{ArgumentText, argument_texts};
use crate::diff::volatile::{Volatile, asks_whether_ready, is_alike, is_yes_or_no, volatile};
use crate::objects::CallNames;
use crate::text::{Detail, push_answer};

/// Different answers to one question that are kept.
const MOST_ANSWERS: usize = 4;

/// A question that both asked, and that was answered differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerDifference {
    /// The question: the function and what was asked.
    pub question: String,
    /// What A was answered, and the number of the call.
    pub a: (String, u64),
    /// What B was answered, and the number of the call.
    pub b: (String, u64),
}

/// An answer to a question.
struct Given {
    seq: u64,
    text: String,
    /// What counts of it.
    essence: Essence,
}

/// What counts of an answer when it is compared with another one.
#[derive(PartialEq)]
struct Essence {
    returned: String,
    /// Values by name; addresses only by whether they are null.
    values: Vec<(String, String)>,
    free_memory: Option<u64>,
}

impl Essence {
    fn is_alike(&self, other: &Self) -> bool {
        let free = match (self.free_memory, other.free_memory) {
            (Some(one), Some(other)) => is_alike(one, other),
            (one, other) => one == other,
        };
        free && self.returned == other.returned && self.values == other.values
    }
}

/// Questions that both programs asked and got no common answer to, in A's order; look-ups of functions come last.
pub(super) fn different_answers(a: &Program<'_>, b: &Program<'_>) -> Vec<AnswerDifference> {
    let (of_a, of_b) = (answers(a), answers(b));
    let mut found: Vec<AnswerDifference> = of_a
        .iter()
        .filter_map(|(question, given)| {
            let other = of_b.get(question)?;
            let common = given.iter().any(|one| {
                other
                    .iter()
                    .any(|other| one.essence.is_alike(&other.essence))
            });
            let (first, second) = (given.first()?, other.first()?);
            (!common).then(|| AnswerDifference {
                question: question.clone(),
                a: (first.text.clone(), first.seq),
                b: (second.text.clone(), second.seq),
            })
        })
        .collect();
    // Look-ups are many, and what they find matters less than what the driver says about itself.
    found.sort_by_key(|difference| {
        let is_look_up = difference.question.starts_with("cuGetProcAddress");
        (is_look_up, difference.a.1)
    });
    found
}

fn answers(program: &Program<'_>) -> BTreeMap<String, Vec<Given>> {
    let schema = program.trace.schema();
    let mut answers: BTreeMap<String, Vec<Given>> = BTreeMap::new();
    for call in &program.examples {
        let Some((question, given)) = question(schema, call) else {
            continue;
        };
        let known = answers.entry(question).or_default();
        if known.len() < MOST_ANSWERS && !known.iter().any(|one| one.essence == given.essence) {
            known.push(given);
        }
    }
    answers
}

/// The question that a call asks and the answer it got; nothing if it asks none, or about an object of the program's own.
fn question(schema: &TraceSchema, call: &Call) -> Option<(String, Given)> {
    let function = schema.function(call.function)?;
    let asks = function.effects.contains(&Effect::Queries) || function.base == "cuInit";
    let ready = asks_whether_ready(&function.base)
        && call.returned.is_some_and(|word| is_yes_or_no(word as u32));
    if !asks || ready {
        return None;
    }
    let texts = argument_texts(schema, (call, CallNames::NONE), &Detail::LINE);
    let mut asked = Vec::new();
    let mut told = Vec::new();
    let mut essence = Essence {
        returned: String::new(),
        values: Vec::new(),
        free_memory: None,
    };
    for ArgumentText {
        argument,
        name,
        value: text,
    } in texts
    {
        match argument.direction {
            Direction::Value if is_object(&argument.value) => return None,
            Direction::Value | Direction::In | Direction::InOut => {
                if is_room(&name) {
                    continue;
                }
                asked.push(format!("{name}={text}"));
            }
            // A null pointer says that nobody wants to know.
            Direction::Out if argument.word == 0 => {}
            Direction::Out => {
                take_answer(&function.base, &argument, &text, &mut essence);
                told.push(format!("{name}={}", shown(&argument, &text)));
            }
            Direction::Opaque => {}
        }
    }
    push_answer(&mut essence.returned, schema, call, &Detail::LINE);
    let told = told.join(", ");
    let text = match call.returned {
        Some(0) if !told.is_empty() => told,
        // What a failed call wrote counts where clients read it all the same.
        Some(1..) if function.base == "cuMemGetInfo" => format!("{told} = {}", essence.returned),
        _ => essence.returned.clone(),
    };
    let given = Given {
        seq: call.seq,
        text,
        essence,
    };
    Some((format!("{}({})", function.base, asked.join(", ")), given))
}

/// The length of a buffer is no question.
fn is_room(name: &str) -> bool {
    matches!(name, "len" | "length")
}

/// Handles mean something in their own run only.
fn is_object(value: &Value<'_>) -> bool {
    matches!(value, Value::Handle(1..) | Value::DevicePointer(1..))
}

fn take_answer(base: &str, argument: &Argument<'_>, text: &str, essence: &mut Essence) {
    match (volatile(base, &argument.name), &argument.value) {
        (Some(Volatile::FreeMemory), Value::Uint(bytes)) => essence.free_memory = Some(*bytes),
        (Some(_), _) => {}
        (None, _) => essence
            .values
            .push((argument.name.to_string(), shown(argument, text))),
    }
}

/// A value without addresses.
fn shown(argument: &Argument<'_>, text: &str) -> String {
    match argument.value {
        Value::Address(_) | Value::Handle(1..) | Value::DevicePointer(1..) => "found".to_owned(),
        Value::NotCaptured(_) => "not written".to_owned(),
        _ => text.to_owned(),
    }
}
