//! A profile as part of the JSON object.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diff::profile::{After, Failure, FunctionTally, PHASES, Profile};
use crate::json;

#[derive(Serialize)]
pub(super) struct ProfileObject {
    programs: Pair<String>,
    shared_failures: Vec<SharedFailureObject>,
    failures_only_a: Vec<FailureObject>,
    failures_only_b: Vec<FailureObject>,
    answers: Vec<AnswerObject>,
    outcomes: Vec<Pair<FunctionObject>>,
    functions_only_a: Vec<FunctionObject>,
    functions_only_b: Vec<FunctionObject>,
    arguments: Vec<ArgumentObject>,
    phases: Vec<PhaseObject>,
    left_out: usize,
}

#[derive(Serialize)]
struct Pair<T> {
    a: T,
    b: T,
}

#[derive(Serialize)]
struct SharedFailureObject {
    /// One went on to use the device, and the other didn't.
    told_apart: bool,
    a: FailureObject,
    b: FailureObject,
}

#[derive(Serialize)]
struct FailureObject {
    api: String,
    code: String,
    #[serde(serialize_with = "json::integer")]
    seq: u64,
    #[serde(serialize_with = "json::integer")]
    calls_after: u64,
    went_on: bool,
    functions_after: Vec<String>,
}

#[derive(Serialize)]
struct AnswerObject {
    question: String,
    a: Answer,
    b: Answer,
}

#[derive(Serialize)]
struct Answer {
    #[serde(serialize_with = "json::integer")]
    seq: u64,
    answer: String,
}

#[derive(Serialize)]
struct FunctionObject {
    api: String,
    phase: &'static str,
    #[serde(serialize_with = "json::integer")]
    calls: u64,
    #[serde(serialize_with = "json::integer")]
    first: u64,
    codes: Vec<CodeObject>,
}

#[derive(Serialize)]
struct CodeObject {
    code: u32,
    #[serde(serialize_with = "json::integer")]
    calls: u64,
}

#[derive(Serialize)]
struct ArgumentObject {
    function: String,
    param: String,
    only_a: Vec<String>,
    only_b: Vec<String>,
}

#[derive(Serialize)]
struct PhaseObject {
    phase: &'static str,
    #[serde(serialize_with = "json::integer")]
    a: u64,
    #[serde(serialize_with = "json::integer")]
    b: u64,
}

pub(super) fn profile_object(profile: &Profile) -> ProfileObject {
    let failures = &profile.failures;
    let all = |failures: &[Failure]| failures.iter().map(failure).collect();
    let functions = |functions: &[FunctionTally]| functions.iter().map(function).collect();
    let shared = failures.shared.iter().map(|shared| SharedFailureObject {
        told_apart: shared.is_told_apart(),
        a: failure(&shared.a),
        b: failure(&shared.b),
    });
    let answer = |(answer, seq): &(String, u64)| Answer {
        seq: *seq,
        answer: answer.clone(),
    };
    let answers = profile.answers.iter().map(|difference| AnswerObject {
        question: difference.question.clone(),
        a: answer(&difference.a),
        b: answer(&difference.b),
    });
    let outcomes = profile.outcomes.iter().map(|difference| Pair {
        a: function(&difference.a),
        b: function(&difference.b),
    });
    let arguments = profile.arguments.iter().map(|difference| ArgumentObject {
        function: difference.function.clone(),
        param: difference.param.clone(),
        only_a: difference.only_a.clone(),
        only_b: difference.only_b.clone(),
    });
    let phases = PHASES.iter().enumerate().map(|(place, phase)| PhaseObject {
        phase: phase.name(),
        a: profile.phases.0[place],
        b: profile.phases.1[place],
    });
    ProfileObject {
        programs: Pair {
            a: profile.names.0.clone(),
            b: profile.names.1.clone(),
        },
        shared_failures: shared.collect(),
        failures_only_a: all(&failures.only_a),
        failures_only_b: all(&failures.only_b),
        answers: answers.collect(),
        outcomes: outcomes.collect(),
        functions_only_a: functions(&profile.only_a),
        functions_only_b: functions(&profile.only_b),
        arguments: arguments.collect(),
        phases: phases.collect(),
        left_out: profile.left_out,
    }
}

fn failure(failure: &Failure) -> FailureObject {
    let After {
        calls, functions, ..
    } = &failure.after;
    FailureObject {
        api: failure.api.clone(),
        code: failure.code.clone(),
        seq: failure.seq,
        calls_after: *calls,
        went_on: failure.after.went_on(),
        functions_after: functions.clone(),
    }
}

fn function(tally: &FunctionTally) -> FunctionObject {
    let codes: &BTreeMap<u32, u64> = &tally.codes;
    let codes = codes
        .iter()
        .map(|(&code, &calls)| CodeObject { code, calls });
    FunctionObject {
        api: tally.api.clone(),
        phase: tally.phase.name(),
        calls: tally.calls,
        first: tally.first,
        codes: codes.collect(),
    }
}
