//! What became of a call, and how many calls became what.

use serde::{Deserialize, Serialize};

/// What became of a call on the driver under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Verdict {
    /// It answered as recorded, as far as answers of that class can be compared.
    Same,
    /// It failed when it was recorded, and works now.
    Fixed,
    /// It answered the same and took longer than was allowed.
    Slower,
    /// It answered something else; neither better nor worse can be told.
    Changed,
    /// It worked when it was recorded, and fails now.
    Regressed,
    /// The driver does not export the function.
    MissingSymbol,
    /// It did not return in time.
    Hung,
    /// The driver ended the process in it: by a signal, or by leaving.
    Crashed,
    /// It was not played, for a reason that is counted.
    Skipped,
}

impl Verdict {
    /// All of them, from good to bad; what was not played comes last.
    pub const ALL: [Self; 9] = [
        Self::Same,
        Self::Fixed,
        Self::Slower,
        Self::Changed,
        Self::Regressed,
        Self::MissingSymbol,
        Self::Hung,
        Self::Crashed,
        Self::Skipped,
    ];

    /// Its stable name in reports and policies: `missing-symbol`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Fixed => "fixed",
            Self::Slower => "slower",
            Self::Changed => "changed",
            Self::Regressed => "regressed",
            Self::MissingSymbol => "missing-symbol",
            Self::Hung => "hung",
            Self::Crashed => "crashed",
            Self::Skipped => "skipped",
        }
    }

    /// The verdict of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }

    /// Whether it makes a driver one that does not conform. What is fixed is no reproach, and what was not played says nothing.
    pub fn is_reproach(self) -> bool {
        !matches!(self, Self::Same | Self::Fixed | Self::Skipped)
    }
}

/// Numbers of calls by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; Verdict::ALL.len()]);

impl Tally {
    /// Counts one call.
    pub fn add(&mut self, verdict: Verdict) {
        self.0[verdict as usize] += 1;
    }

    /// Counts all calls of another tally.
    pub fn add_all(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }

    /// How many calls got that verdict.
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.0[verdict as usize]
    }

    /// How many calls there are.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Verdicts that occurred, with how often, in the order of [`Verdict::ALL`].
    pub fn occurred(&self) -> impl Iterator<Item = (Verdict, u64)> + '_ {
        Verdict::ALL
            .into_iter()
            .map(|verdict| (verdict, self.of(verdict)))
            .filter(|&(_, calls)| calls > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::named(verdict.name()), Some(verdict));
            assert_eq!(Verdict::ALL[verdict as usize], verdict);
        }
        assert_eq!(Verdict::named("better"), None);
    }

    #[test]
    fn a_tally_counts_by_verdict() {
        let mut tally = Tally::default();
        tally.add(Verdict::Same);
        tally.add(Verdict::Crashed);
        tally.add(Verdict::Same);
        let mut twice = tally;
        twice.add_all(&tally);
        assert_eq!(twice.total(), 6);
        assert_eq!(
            twice.occurred().collect::<Vec<_>>(),
            [(Verdict::Same, 4), (Verdict::Crashed, 2)]
        );
    }
}
