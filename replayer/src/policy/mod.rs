//! Which divergences are expected: a TOML file that people write and review. docs/replay.md describes it.

mod accept;
mod document;
mod entry;
mod error;

use std::path::Path;

use chrono::NaiveDate;

use crate::divergence::Divergence;
use crate::expectations::Expectations;

pub use accept::accepting;
pub use error::PolicyError;

use entry::Entry;

/// Divergences that are expected, each with its reason.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The file, for messages.
    path: String,
    entries: Vec<Entry>,
    today: NaiveDate,
}

impl Policy {
    /// Reads a policy file. Entries whose date lies before `today` no longer apply.
    ///
    /// # Errors
    /// The file can't be read, or what it says is no policy: file, line, what was expected and what was found.
    pub fn read(path: &Path, today: NaiveDate) -> Result<Self, PolicyError> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&name, &text, today),
            Err(error) => Err(PolicyError::Unreadable {
                path: name,
                cause: error.to_string(),
            }),
        }
    }

    /// The policy that a text describes; `path` names it in messages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(path: &str, text: &str, today: NaiveDate) -> Result<Self, PolicyError> {
        Ok(Self {
            path: path.to_owned(),
            entries: document::entries(path, text)?,
            today,
        })
    }

    /// Entries that applied to nothing so far, and those that are past their date, a line each.
    pub fn unused(&self) -> Vec<String> {
        self.entries
            .iter()
            .filter_map(|entry| Some(format!("{}:{}", self.path, entry.unused(self.today)?)))
            .collect()
    }
}

impl Expectations for Policy {
    fn reason(&mut self, divergence: &Divergence) -> Option<String> {
        let mut reason = None;
        // All that match count as used: which one comes first in the file says nothing about the others.
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| entry.matches(divergence))
        {
            entry.matched += 1;
            if reason.is_none() && !entry.is_expired(self.today) {
                reason = Some(entry.reason.clone());
            }
        }
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{diverged, report};
    use crate::verdict::Verdict;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn policy(text: &str) -> Policy {
        Policy::parse("policy.toml", text, day("2026-11-25")).unwrap()
    }

    fn refused(text: &str) -> String {
        Policy::parse("policy.toml", text, day("2026-11-25"))
            .unwrap_err()
            .to_string()
    }

    /// The memory query of the sample: 0 -> 3, and `free` differs.
    fn memory_query() -> Divergence {
        report().divergences[2].clone()
    }

    #[test]
    fn function_codes_and_arguments_narrow_what_is_expected() {
        for (entry, expects) in [
            ("function = \"cuMemGetInfo_v2\"", true),
            ("function = \"cuMem*\"", true),
            ("function = [\"cuInit\", \"cuMemGetInfo*\"]", true),
            ("function = \"cuInit\"", false),
            (
                "function = \"cuMem*\"\nrecorded = 0\nreplayed = \"CUDA_ERROR_NOT_INITIALIZED\"",
                true,
            ),
            (
                "function = \"cuMem*\"\nreplayed = \"NOT_INITIALIZED\"",
                true,
            ),
            ("function = \"cuMem*\"\nreplayed = 4", false),
            (
                "function = \"cuMem*\"\nreplayed = 3\nargument = [\"free\", \"total\"]",
                true,
            ),
            (
                "function = \"cuMem*\"\nreplayed = 3\nargument = \"total\"",
                false,
            ),
            ("function = \"cuMem*\"\nargument = \"free\"", false),
            ("function = \"cuMem*\"\nverdict = \"regressed\"", true),
            (
                "function = \"cuMem*\"\nverdict = [\"changed\", \"slower\"]",
                false,
            ),
        ] {
            let mut policy = policy(&format!("[[expect]]\n{entry}\nreason = \"because\"\n"));
            let reason = policy.reason(&memory_query());
            assert_eq!(reason.is_some(), expects, "{entry}");
            assert_eq!(policy.unused().is_empty(), expects, "{entry}");
        }
    }

    #[test]
    fn a_crash_is_expected_only_by_name() {
        let crashed = diverged(1, "cuInit", Verdict::Crashed);
        let mut broad = policy("[[expect]]\nfunction = \"*\"\nreason = \"all\"\n");
        assert_eq!(broad.reason(&crashed), None);
        let mut named =
            policy("[[expect]]\nfunction = \"*\"\nverdict = \"crashed\"\nreason = \"known\"\n");
        assert_eq!(named.reason(&crashed).as_deref(), Some("known"));
    }

    #[test]
    fn an_entry_past_its_date_does_not_apply_and_says_so() {
        let text = "[[expect]]\nfunction = \"cuMemGetInfo_v2\"\nreason = \"until the fix\"\nuntil = 2026-11-24\n";
        let mut expired = policy(text);
        assert_eq!(expired.reason(&memory_query()), None);
        assert_eq!(
            expired.unused(),
            [
                "policy.toml:1: cuMemGetInfo_v2: expired after 2026-11-24 and would apply to 1 call: \"until the fix\""
            ]
        );
        let mut last_day = Policy::parse("p", text, day("2026-11-24")).unwrap();
        assert!(last_day.reason(&memory_query()).is_some());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("[[expect]]\nfunction = \"cuInit\"\n", "policy.toml:1: "),
            (
                "[[expect]]\nfunction = \"cuInit\"\n",
                "missing field `reason`",
            ),
            (
                "[[expect]]\nfunction = \"cuInit\"\nreason = \" \"\n",
                "policy.toml:3: `reason`: expected why this is all right, found nothing",
            ),
            (
                "[[expect]]\nfunction = \"cuMemGetInf\"\nreason = \"x\"\n",
                "policy.toml:2: `function`: expected the exported name of a function, or a pattern with `*` that fits one, found \
                 \"cuMemGetInf\"; did you mean \"cuMemGetInfo\"?",
            ),
            (
                "[[expect]]\nfunction = \"cuInit\"\nverdict = \"regresed\"\nreason = \"x\"\n",
                "policy.toml:3: `verdict`: expected one of fixed, slower, changed, regressed, missing-symbol, hung, crashed, skipped, found \
                 \"regresed\"; did you mean \"regressed\"?",
            ),
            (
                "[[expect]]\nfunction = \"cuInit\"\nreplayed = \"NOT_INITIALISED\"\nreason = \"x\"\n",
                "did you mean \"NOT_INITIALIZED\"?",
            ),
            (
                "[[expect]]\nfuncton = \"cuInit\"\nreason = \"x\"\n",
                "policy.toml:2: ",
            ),
            (
                "[[expect]]\nfuncton = \"cuInit\"\nreason = \"x\"\n",
                "unknown field `functon`",
            ),
            ("[[expect]\n", "policy.toml:1: not TOML: "),
            (
                "[[expect]]\nfunction = 3\nreason = \"x\"\n",
                "policy.toml:2: ",
            ),
            (
                "[[expect]]\nfunction = \"cuInit\"\nreason = \"x\"\nuntil = 2026-11-24T10:00:00\n",
                "policy.toml:4: `until`: expected a date such as 2026-12-31",
            ),
        ] {
            let found = refused(text);
            assert!(found.contains(expected), "{text}\n{found}\n{expected}");
        }
    }

    #[test]
    fn what_a_run_accepts_lets_the_next_one_conform() {
        let report = crate::report::sample::suite();
        let text = accepting(&report, day("2026-11-25"));
        let mut policy = policy(&text);
        for divergence in report.traces[0]
            .divergences
            .iter()
            .filter(|one| one.is_reproach())
        {
            assert!(policy.reason(divergence).is_some(), "{text}");
        }
        assert_eq!(policy.unused(), Vec::<String>::new(), "{text}");
        assert_eq!(text.matches("[[expect]]").count(), 2, "{text}");
    }
}
