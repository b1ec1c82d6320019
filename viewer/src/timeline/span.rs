//! The stretch of time that is shown, and how it maps to the columns of the screen.

/// The shortest stretch that is shown, nanoseconds.
const SHORTEST_NS: u64 = 100;

/// A stretch of time, CLOCK_MONOTONIC nanoseconds; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its begin.
    pub from_ns: u64,
    /// Its end.
    pub until_ns: u64,
}

impl Span {
    /// From one time to another, and at least as long as the shortest.
    pub fn new(from_ns: u64, until_ns: u64) -> Self {
        Self {
            from_ns,
            until_ns: until_ns.max(from_ns.saturating_add(SHORTEST_NS)),
        }
    }

    /// Its length, nanoseconds.
    pub fn length_ns(&self) -> u64 {
        (self.until_ns - self.from_ns).max(1)
    }

    /// Whether a time is in it.
    pub fn holds(&self, at_ns: u64) -> bool {
        (self.from_ns..self.until_ns).contains(&at_ns)
    }

    /// The column of a time, of so many; the nearest one for times outside.
    pub fn column(&self, at_ns: u64, columns: u16) -> u16 {
        let last = u128::from(columns.saturating_sub(1));
        let at = u128::from(at_ns.saturating_sub(self.from_ns));
        (at * u128::from(columns) / u128::from(self.length_ns())).min(last) as u16
    }

    /// Begin of a column, nanoseconds.
    pub fn begin_of(&self, column: u16, columns: u16) -> u64 {
        let into = u128::from(self.length_ns()) * u128::from(column) / u128::from(columns.max(1));
        self.from_ns.saturating_add(into as u64)
    }

    /// Half or double as long, with `around_ns` where it was, and inside of `all`.
    pub fn zoomed(&self, into: bool, around_ns: u64, all: &Self) -> Self {
        let length = self.length_ns();
        let wanted = if into {
            (length / 2).max(SHORTEST_NS)
        } else {
            length.saturating_mul(2).min(all.length_ns())
        };
        let around = around_ns.clamp(self.from_ns, self.until_ns);
        let before = u128::from(around - self.from_ns) * u128::from(wanted) / u128::from(length);
        Self::starting(around.saturating_sub(before as u64), wanted, all)
    }

    /// Moved by so many quarters of its length, inside of `all`.
    pub fn moved(&self, quarters: i64, all: &Self) -> Self {
        let step = (self.length_ns() / 4).max(1);
        let by = step.saturating_mul(quarters.unsigned_abs());
        let from_ns = match quarters < 0 {
            true => self.from_ns.saturating_sub(by),
            false => self.from_ns.saturating_add(by),
        };
        Self::starting(from_ns, self.length_ns(), all)
    }

    /// As long as it is, with a time in its middle, inside of `all`.
    pub fn centred(&self, at_ns: u64, all: &Self) -> Self {
        let length = self.length_ns();
        Self::starting(at_ns.saturating_sub(length / 2), length, all)
    }

    fn starting(from_ns: u64, length_ns: u64, all: &Self) -> Self {
        let length_ns = length_ns.min(all.length_ns());
        let last = all.until_ns - length_ns;
        let from_ns = from_ns.clamp(all.from_ns, last.max(all.from_ns));
        Self::new(from_ns, from_ns + length_ns)
    }

    /// Times with a label, at least `apart` columns from each other: round numbers of 1, 2 or 5, counted from `start_ns`.
    pub fn ticks(&self, columns: u16, apart: u16, start_ns: u64) -> Vec<(u64, String)> {
        let most = u64::from((columns / apart.max(1)).max(1));
        let mut step = 1u64;
        while self.length_ns() / step > most {
            let leading = step / 10u64.pow(step.ilog10());
            step = match leading {
                1 => step * 2,
                2 => step / 2 * 5,
                _ => step.saturating_mul(2),
            };
        }
        let decimals = 9usize.saturating_sub(step.ilog10() as usize);
        let first = (self.from_ns.saturating_sub(start_ns)).div_ceil(step);
        (first..)
            .map(|number| number.saturating_mul(step))
            .take_while(|since| start_ns.saturating_add(*since) < self.until_ns)
            .take(most as usize + 2)
            .map(|since| (start_ns + since, seconds(since, decimals)))
            .collect()
    }
}

/// Seconds with so many decimals, rounded down.
fn seconds(ns: u64, decimals: usize) -> String {
    let whole = ns / 1_000_000_000;
    let part = format!("{:09}", ns % 1_000_000_000);
    match decimals.min(9) {
        0 => format!("{whole}s"),
        decimals => format!("{whole}.{}s", &part[..decimals]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Span = Span {
        from_ns: 1000,
        until_ns: 101_000,
    };

    #[test]
    fn zooming_keeps_its_point_and_stays_inside() {
        let half = ALL.zoomed(true, 51_000, &ALL);
        assert_eq!((half.from_ns, half.until_ns), (26_000, 76_000));
        assert_eq!(half.zoomed(false, 51_000, &ALL), ALL);
        assert_eq!(ALL.zoomed(false, 51_000, &ALL), ALL);
        let end = ALL.zoomed(true, 101_000, &ALL);
        assert_eq!(end.until_ns, 101_000);
        let mut deep = ALL;
        (0..40).for_each(|_| deep = deep.zoomed(true, 50_000, &ALL));
        assert_eq!(deep.length_ns(), SHORTEST_NS);
        assert!(deep.holds(50_000));
    }

    #[test]
    fn moving_stops_at_the_ends() {
        let half = ALL.zoomed(true, 51_000, &ALL);
        assert_eq!(half.moved(100, &ALL).until_ns, 101_000);
        assert_eq!(half.moved(-100, &ALL).from_ns, 1000);
        assert_eq!(half.moved(1, &ALL).from_ns, 38_500);
        assert_eq!(half.centred(0, &ALL).from_ns, 1000);
    }

    #[test]
    fn columns_and_their_times_agree() {
        for column in 0..80 {
            assert_eq!(ALL.column(ALL.begin_of(column, 80), 80), column);
        }
        assert_eq!(ALL.column(0, 80), 0);
        assert_eq!(ALL.column(u64::MAX, 80), 79);
    }

    #[test]
    fn ticks_are_round_and_not_too_near() {
        let span = Span::new(1_204_112_000, 1_204_212_000);
        let ticks = span.ticks(100, 14, 0);
        let labels: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(
            labels,
            ["1.20412s", "1.20414s", "1.20416s", "1.20418s", "1.20420s"]
        );
        assert_eq!(
            Span::new(0, 10_000_000_000).ticks(60, 12, 0)[1],
            (2_000_000_000, "2s".to_owned())
        );
        assert!(!Span::new(5, 105).ticks(1, 12, 0).is_empty());
    }
}
