//! What something may cost, and whether it does.

use std::fmt;

/// One line of the bar.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is measured.
    pub what: String,
    /// What must hold.
    pub bar: Limit,
    /// What would be better still.
    pub stretch: Limit,
    /// The number, or why there is none.
    pub measured: Measured,
}

/// A number on the good side of which to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// At most this many times something else.
    Times(f64),
    /// At least this many times less than something else.
    TimesLess(f64),
    /// At least this many million calls a second.
    MillionsPerSecond(f64),
    /// At most this many bytes.
    Bytes(f64),
    /// At most this many million bytes.
    Megabytes(f64),
    /// At most this many seconds.
    Seconds(f64),
}

/// A measured number.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// It is.
    Value(f64),
    /// Nobody can, here: what is missing.
    Skipped(String),
    /// It went wrong.
    Failed(String),
}

/// What a line comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not even the bar.
    Miss,
    /// The bar.
    Pass,
    /// The stretch, too.
    Stretch,
    /// Nothing was measured, for a good reason.
    Skipped,
    /// Nothing was measured.
    Failed,
}

impl Limit {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::Times(limit)
            | Self::Bytes(limit)
            | Self::Megabytes(limit)
            | Self::Seconds(limit) => value <= limit,
            Self::TimesLess(limit) | Self::MillionsPerSecond(limit) => value >= limit,
        }
    }

    /// A value in the limit's unit.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Times(_) => format!("{value:.2}x"),
            Self::TimesLess(_) => format!("{value:.1}x less"),
            Self::MillionsPerSecond(_) => format!("{value:.1} M calls/s"),
            Self::Bytes(_) => format!("{value:.2} bytes"),
            Self::Megabytes(_) => format!("{value:.0} MB"),
            Self::Seconds(_) => format!("{value:.3} s"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Times(limit) => write!(f, "{limit}x"),
            Self::TimesLess(limit) => write!(f, "{limit}x less"),
            Self::MillionsPerSecond(limit) => write!(f, "{limit} M calls/s"),
            Self::Bytes(limit) => write!(f, "{limit} bytes"),
            Self::Megabytes(limit) => write!(f, "{limit} MB"),
            Self::Seconds(limit) => write!(f, "{limit} s"),
        }
    }
}

impl Line {
    /// Compares.
    pub fn verdict(&self) -> Verdict {
        match self.measured {
            Measured::Value(value) if self.stretch.holds(value) => Verdict::Stretch,
            Measured::Value(value) if self.bar.holds(value) => Verdict::Pass,
            Measured::Value(_) => Verdict::Miss,
            Measured::Skipped(_) => Verdict::Skipped,
            Measured::Failed(_) => Verdict::Failed,
        }
    }

    /// The number as a part of what the bar allows: 0.5 is half of it. For costs.
    pub fn share_of_bar(&self) -> Option<f64> {
        match (&self.measured, self.bar) {
            (
                Measured::Value(value),
                Limit::Seconds(limit) | Limit::Megabytes(limit) | Limit::Bytes(limit),
            ) => Some(value / limit),
            _ => None,
        }
    }

    /// The number in its unit, or why there is none.
    pub fn shown(&self) -> String {
        match &self.measured {
            Measured::Value(value) => self.bar.show(*value),
            Measured::Skipped(why) => format!("skipped: {why}"),
            Measured::Failed(why) => format!("failed: {why}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Miss => "MISS",
            Self::Pass => "pass",
            Self::Stretch => "pass, stretch",
            Self::Skipped => "skipped",
            Self::Failed => "FAILED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bar: Limit, stretch: Limit, value: f64) -> Verdict {
        Line {
            what: String::new(),
            bar,
            stretch,
            measured: Measured::Value(value),
        }
        .verdict()
    }

    #[test]
    fn a_cost_must_stay_below_its_limit() {
        let verdict = |value| verdict(Limit::Times(1.5), Limit::Times(1.2), value);
        assert_eq!(
            [verdict(1.2), verdict(1.5), verdict(1.51)],
            [Verdict::Stretch, Verdict::Pass, Verdict::Miss]
        );
    }

    #[test]
    fn a_rate_must_stay_above_its_limit() {
        let verdict = |value| {
            verdict(
                Limit::MillionsPerSecond(10.0),
                Limit::MillionsPerSecond(20.0),
                value,
            )
        };
        assert_eq!(
            [verdict(9.9), verdict(10.0), verdict(20.0)],
            [Verdict::Miss, Verdict::Pass, Verdict::Stretch]
        );
    }

    #[test]
    fn what_was_not_measured_never_passes() {
        let line = |measured| Line {
            what: String::new(),
            bar: Limit::Bytes(6.0),
            stretch: Limit::Bytes(3.0),
            measured,
        };
        assert_eq!(
            line(Measured::Failed("no".into())).verdict(),
            Verdict::Failed
        );
        assert_eq!(
            line(Measured::Skipped("no".into())).verdict(),
            Verdict::Skipped
        );
        assert_eq!(line(Measured::Value(f64::NAN)).verdict(), Verdict::Miss);
    }
}
