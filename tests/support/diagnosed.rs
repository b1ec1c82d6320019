//! What `cutape doctor` says of a trace, as tests look at it.

use std::path::Path;

use serde_json::Value;

use super::{End, cutape, finish};

/// A diagnosis.
pub struct Diagnosed {
    /// The JSON object.
    pub json: Value,
    /// How the command ended.
    pub end: End,
}

impl Diagnosed {
    /// Asks doctor.
    pub fn of(trace: &Path) -> Self {
        let mut command = cutape(["doctor", "--json"]);
        let asked = finish(command.arg(trace));
        let json = serde_json::from_str(&asked.stdout).unwrap_or_else(|error| {
            panic!(
                "{}: {error}: {}{}",
                trace.display(),
                asked.stdout,
                asked.stderr
            )
        });
        Self {
            json,
            end: asked.end,
        }
    }

    /// Ids of the findings, in their order.
    pub fn ids(&self) -> Vec<&str> {
        ids(&self.json["findings"])
    }

    /// Ids of what follows from the first finding.
    pub fn consequences(&self) -> Vec<&str> {
        ids(&self.json["findings"][0]["consequences"])
    }

    /// The first finding.
    pub fn first(&self) -> &Value {
        &self.json["findings"][0]
    }

    /// The answer to a question of GGML's start-up, of the first process and device: `yes`, `no`, `not asked`.
    pub fn answer(&self, question: &str) -> &str {
        let questions = self.json["processes"][0]["devices"][0]["questions"]
            .as_array()
            .expect("a checklist");
        let found = questions.iter().find(|one| one["id"] == question);
        found
            .and_then(|one| one["answer"].as_str())
            .unwrap_or_else(|| panic!("no question {question}"))
    }
}

fn ids(findings: &Value) -> Vec<&str> {
    let findings = findings.as_array().map_or(&[][..], Vec::as_slice);
    findings
        .iter()
        .filter_map(|one| one["id"].as_str())
        .collect()
}
