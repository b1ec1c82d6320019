//! Reports of `cutape replay --json`, read back: what another driver answered to the calls of a trace.

mod number;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use number::number;

/// `schema` of a report.
const SCHEMA: &str = "cutape.replay";
/// The newest `version` that is understood.
const VERSION: u32 = 1;
/// Larger files are no reports: of alike divergences, a report lists a few.
const MOST_BYTES: u64 = 256 << 20;

/// A report.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ReplayReport {
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// The driver, as it was named.
    pub driver: String,
    /// Traces, in the order in which they were replayed.
    pub traces: Vec<ReplayedTrace>,
    /// Policy entries that applied to nothing or are past their date.
    #[serde(default)]
    pub unused_policy: Vec<String>,
}

/// What became of a trace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReplayedTrace {
    /// The file.
    pub trace: String,
    /// Nothing got worse, apart from what a policy expects.
    pub conforms: bool,
    /// How long it took, nanoseconds.
    #[serde(deserialize_with = "number")]
    pub wall_ns: u64,
    /// Calls by verdict, and `total`.
    #[serde(deserialize_with = "number::by_name")]
    pub calls: BTreeMap<String, u64>,
    /// Calls that count against the driver.
    #[serde(deserialize_with = "number")]
    pub reproaches: u64,
    /// Calls that did not answer as recorded.
    pub divergences: Vec<Divergence>,
    /// Those that are counted and not listed.
    #[serde(deserialize_with = "number")]
    pub omitted: u64,
    /// Calls that were not played.
    pub skips: Vec<Skip>,
    /// What became of processes.
    pub processes: Vec<ReplayedProcess>,
    /// What kept the replay from being complete.
    pub troubles: Vec<String>,
}

/// A call that did not answer as recorded.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Divergence {
    /// Its number in the trace.
    #[serde(deserialize_with = "number")]
    pub seq: u64,
    /// The function.
    pub api: String,
    /// What became of it.
    pub verdict: String,
    /// It counts against the driver.
    pub is_reproach: bool,
    /// One line.
    pub headline: String,
    /// The recorded call.
    pub text: String,
    /// What was answered when it was recorded.
    pub recorded: Option<Answer>,
    /// What the driver under test answered; `None` if it was not played or did not return.
    pub replayed: Option<Answer>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Why it was not played.
    pub skipped: Option<String>,
    /// More about it.
    pub detail: Option<String>,
    /// The call whose divergence this follows from.
    #[serde(deserialize_with = "number::optional")]
    pub cause: Option<u64>,
    /// Calls that follow from it.
    #[serde(deserialize_with = "number")]
    pub consequences: u64,
    /// The reason that a policy gives for expecting it.
    pub expected: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// The code.
    #[serde(deserialize_with = "number::optional")]
    pub ret: Option<u64>,
    /// Its name.
    pub ret_name: Option<String>,
    /// How long the call took, nanoseconds.
    #[serde(deserialize_with = "number::optional")]
    pub dur_ns: Option<u64>,
}

/// A value that differs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Difference {
    /// The argument; `None` for what is returned.
    pub argument: Option<String>,
    /// As what it was compared.
    pub class: String,
    /// When it was recorded.
    pub recorded: String,
    /// Now.
    pub replayed: String,
}

/// Calls that were not played.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Skip {
    /// Why, in a word.
    pub reason: String,
    /// Why.
    pub why: String,
    /// The function.
    pub api: String,
    /// How many.
    #[serde(deserialize_with = "number")]
    pub calls: u64,
}

/// What became of a process.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReplayedProcess {
    /// Its process id when it was recorded.
    #[serde(deserialize_with = "number")]
    pub pid: u64,
    /// Times that the driver ended the process that played it.
    #[serde(deserialize_with = "number")]
    pub deaths: u64,
    /// What the driver printed.
    pub printed: String,
}

/// What says which kind of JSON it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Head {
    schema: Option<String>,
    version: Option<u32>,
}

impl ReplayReport {
    /// Whether a file is JSON, and so no trace.
    pub fn is_json(path: &Path) -> bool {
        let Ok(file) = File::open(path) else {
            return false;
        };
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let first = BufReader::new(file)
            .bytes()
            .map_while(Result::ok)
            .find(|byte| !byte.is_ascii_whitespace());
        is_file && matches!(first, Some(b'{' | b'['))
    }

    /// Reads a report.
    ///
    /// # Errors
    /// It can't be read, or is something else; for people.
    pub fn read(path: &Path) -> Result<Self, String> {
        let named = |why: String| format!("{}: {why}", path.display());
        let size = std::fs::metadata(path).map_err(|error| named(error.to_string()))?;
        if size.len() > MOST_BYTES {
            return Err(named(format!(
                "expected a report of `cutape replay --json`, found a file of {} bytes",
                size.len()
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        let mut report = Self::parse(&text).map_err(named)?;
        path.clone_into(&mut report.path);
        Ok(report)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected a report of `cutape replay --json`";
        let head: Head = serde_json::from_str(text)
            .map_err(|error| format!("{expected}, found no such JSON: {error}"))?;
        match (head.schema.as_deref(), head.version) {
            (Some(SCHEMA), Some(version)) if version <= VERSION => {}
            (Some(SCHEMA), version) => {
                let version = version.map_or_else(|| "none".to_owned(), |one| one.to_string());
                return Err(format!(
                    "this cutape reads reports up to version {VERSION}, found version {version}: a newer cutape made it"
                ));
            }
            (Some(other), _) => return Err(format!("{expected}, found {other:?}")),
            (None, _) => return Err(format!("{expected}, found JSON without a \"schema\"")),
        }
        let report: Self = serde_json::from_str(text)
            .map_err(|error| format!("the report is damaged: {error}"))?;
        match report.traces.is_empty() {
            true => Err("the report is about no trace".to_owned()),
            false => Ok(report),
        }
    }

    /// The trace to look at first: one that diverges, if there is one.
    pub fn first(&self) -> Option<&ReplayedTrace> {
        let diverging = self.traces.iter().find(|trace| !trace.conforms);
        diverging.or_else(|| self.traces.first())
    }

    /// Where a trace of the report is: as it was named, or beside the report.
    pub fn path_of(&self, trace: &ReplayedTrace) -> PathBuf {
        let named = PathBuf::from(&trace.trace);
        let beside = self.path.parent().zip(named.file_name());
        let beside = beside.map(|(folder, name)| folder.join(name));
        match beside {
            Some(beside) if !named.exists() && beside.exists() => beside,
            _ => named,
        }
    }

    /// What the report says of a trace with so many calls.
    ///
    /// # Errors
    /// It is about others; for people.
    pub fn about(&self, path: &Path, calls: u64) -> Result<&ReplayedTrace, String> {
        let real = std::fs::canonicalize(path).ok();
        let same_file = |trace: &&ReplayedTrace| {
            real.is_some() && std::fs::canonicalize(&trace.trace).ok() == real
        };
        let same_name =
            |trace: &&ReplayedTrace| Path::new(&trace.trace).file_name() == path.file_name();
        let same_length = |trace: &&ReplayedTrace| trace.calls.get("total") == Some(&calls);
        let traces = || self.traces.iter();
        traces()
            .find(same_file)
            .or_else(|| traces().find(same_name))
            .or_else(|| {
                traces()
                    .find(same_length)
                    .filter(|_| self.traces.len() == 1)
            })
            .ok_or_else(|| {
                let names: Vec<&str> = traces().map(|trace| trace.trace.as_str()).collect();
                format!(
                    "{} is about {} and not about {}",
                    self.path.display(),
                    names.join(", "),
                    path.display()
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_report_is_refused_with_a_reason() {
        let refused = |text: &str| ReplayReport::parse(text).expect_err(text);
        assert!(refused("{").contains("found no such JSON"));
        assert!(refused("[1, 2]").contains("found no such JSON"));
        assert!(refused("{}").contains("without a \"schema\""));
        assert!(
            refused(r#"{"schema": "cutape.diff", "version": 1}"#).contains("found \"cutape.diff\"")
        );
        assert!(
            refused(r#"{"schema": "cutape.replay", "version": 2}"#).contains("found version 2")
        );
        assert!(refused(r#"{"schema": "cutape.replay", "version": 1}"#).contains("is damaged"));
        let empty = r#"{"schema": "cutape.replay", "version": 1, "driver": "d", "traces": []}"#;
        assert!(refused(empty).contains("no trace"));
    }

    #[test]
    fn large_numbers_are_texts_and_unknown_fields_no_harm() {
        let text = r#"{"schema": "cutape.replay", "version": 1, "driver": "d", "new": {}, "traces": [
            {"trace": "a", "calls": {"total": "9007199254740993"}, "divergences": [{"seq": 3, "cause": null}]}]}"#;
        let report = ReplayReport::parse(text).expect("a report");
        assert_eq!(report.traces[0].calls["total"], 9_007_199_254_740_993);
        assert_eq!(report.traces[0].divergences[0].seq, 3);
        assert!(report.about(Path::new("/elsewhere/a"), 1).is_ok());
        let error = report.about(Path::new("b"), 1).expect_err("another trace");
        assert!(error.contains("is about a and not about b"), "{error}");
    }
}
