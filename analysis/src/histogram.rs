//! Times in buckets: percentiles of any number of calls in little memory.

use serde::Serialize;

use crate::json::integer;

/// Buckets of each power of two.
const BUCKETS: usize = 32;
const BUCKET_BITS: u32 = BUCKETS.trailing_zeros();
/// Groups: one of times below 32 ns, then one for each power of two up to 2^63.
const GROUPS: usize = 1 + 64 - BUCKET_BITS as usize;

/// Times from one power of two to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// The shortest.
    #[serde(serialize_with = "integer")]
    pub from_ns: u64,
    /// Shorter than this.
    #[serde(serialize_with = "integer")]
    pub to_ns: u64,
    /// Calls that took so long.
    #[serde(serialize_with = "integer")]
    pub calls: u64,
}

/// Counts of times. A percentile is within 1.6 % of the true one: half the width of a bucket, 1/32 of its lower end.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Made when the first time falls into them: calls of one function spread over few powers of two.
    groups: [Option<Box<[u64; BUCKETS]>>; GROUPS],
    count: u64,
    least_ns: u64,
    most_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            groups: [const { None }; GROUPS],
            count: 0,
            least_ns: u64::MAX,
            most_ns: 0,
        }
    }
}

impl Histogram {
    /// Takes in a time.
    pub fn add(&mut self, ns: u64) {
        let (group, bucket) = place(ns);
        self.groups[group].get_or_insert_default()[bucket] += 1;
        self.count += 1;
        self.least_ns = self.least_ns.min(ns);
        self.most_ns = self.most_ns.max(ns);
    }

    /// Number of times taken in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest time, exact; `None` without times.
    pub fn most_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.most_ns)
    }

    /// The time that `percent` of all times do not exceed (nearest rank), within 1.6 %; `None` without times.
    pub fn percentile_ns(&self, percent: u64) -> Option<u64> {
        let rank = (u128::from(self.count) * u128::from(percent))
            .div_ceil(100)
            .max(1) as u64;
        let mut below = 0;
        for (group, buckets) in self.groups.iter().enumerate() {
            for (bucket, count) in buckets
                .iter()
                .flat_map(|buckets| buckets.iter())
                .enumerate()
            {
                below += count;
                if below >= rank {
                    return Some(middle_ns(group, bucket).clamp(self.least_ns, self.most_ns));
                }
            }
        }
        None
    }

    /// Counts by powers of two, from the first that has a time to the last.
    pub fn powers_of_two(&self) -> Vec<Bucket> {
        let mut counts = [0u64; 65];
        for (group, buckets) in self.groups.iter().enumerate() {
            for (bucket, count) in buckets
                .iter()
                .flat_map(|buckets| buckets.iter())
                .enumerate()
            {
                // A bucket lies inside of one power of two, so any of its times will do.
                let power = u64::BITS - middle_ns(group, bucket).leading_zeros();
                counts[power as usize] += count;
            }
        }
        let used = |count: &u64| *count > 0;
        let (Some(first), Some(last)) =
            (counts.iter().position(used), counts.iter().rposition(used))
        else {
            return Vec::new();
        };
        (first..=last)
            .map(|power| Bucket {
                from_ns: if power == 0 { 0 } else { 1 << (power - 1) },
                to_ns: 1u64.checked_shl(power as u32).unwrap_or(u64::MAX),
                calls: counts[power],
            })
            .collect()
    }

    /// How many times there are in each octave, with its lower end in nanoseconds: below 32 ns, then from 32, 64, 128, ... to the double.
    pub fn octaves(&self) -> impl Iterator<Item = (u64, u64)> {
        self.groups.iter().enumerate().map(|(group, buckets)| {
            let low_ns = match group {
                0 => 0,
                _ => (BUCKETS as u64) << (group - 1),
            };
            let count = buckets.as_ref().map_or(0, |buckets| buckets.iter().sum());
            (low_ns, count)
        })
    }

    /// Adds the counts of another one.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.groups.iter_mut().zip(&other.groups) {
            if let Some(theirs) = theirs {
                let mine = mine.get_or_insert_default();
                mine.iter_mut()
                    .zip(theirs.iter())
                    .for_each(|(mine, theirs)| *mine += theirs);
            }
        }
        self.count += other.count;
        self.least_ns = self.least_ns.min(other.least_ns);
        self.most_ns = self.most_ns.max(other.most_ns);
    }
}

/// Group and bucket of a time.
fn place(ns: u64) -> (usize, usize) {
    let shift = (u64::BITS - ns.leading_zeros()).saturating_sub(BUCKET_BITS + 1);
    let group = if ns < BUCKETS as u64 {
        0
    } else {
        shift as usize + 1
    };
    (group, (ns >> shift) as usize % BUCKETS)
}

/// The middle of a bucket.
fn middle_ns(group: usize, bucket: usize) -> u64 {
    if group == 0 {
        return bucket as u64;
    }
    let shift = group - 1;
    let low = ((BUCKETS + bucket) as u64) << shift;
    low + ((1u64 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_their_promise_over_the_whole_range() {
        let mut at = 1u64;
        while at < u64::MAX / 3 {
            let mut histogram = Histogram::default();
            // Two others far away, so that the exact ends do not help.
            [0, at, u64::MAX]
                .into_iter()
                .for_each(|ns| histogram.add(ns));
            let found = histogram.percentile_ns(50).expect("has times");
            let error = found.abs_diff(at) as f64 / at as f64;
            assert!(error <= 0.016, "{at} came out as {found}");
            at = at + at / 7 + 1;
        }
    }

    #[test]
    fn small_times_and_the_ends_are_exact() {
        let mut histogram = Histogram::default();
        (1..=60).for_each(|ns| histogram.add(ns));
        assert_eq!(histogram.percentile_ns(50), Some(30));
        assert_eq!(histogram.percentile_ns(100), Some(60));
        assert_eq!(histogram.percentile_ns(0), Some(1));
        let mut one = Histogram::default();
        one.add(123_456_789);
        assert_eq!(
            one.percentile_ns(99),
            Some(123_456_789),
            "a single time is itself"
        );
        assert_eq!(Histogram::default().percentile_ns(50), None);
    }

    #[test]
    fn powers_of_two_count_every_time_once() {
        let mut histogram = Histogram::default();
        for ns in [
            0,
            1,
            2,
            3,
            4,
            7,
            8,
            31,
            32,
            63,
            64,
            1000,
            1023,
            1024,
            u64::MAX,
        ] {
            histogram.add(ns);
        }
        let buckets = histogram.powers_of_two();
        let calls = |from: u64| {
            let bucket = buckets.iter().find(|bucket| bucket.from_ns == from);
            bucket.map(|bucket| (bucket.to_ns, bucket.calls))
        };
        assert_eq!(calls(0), Some((1, 1)));
        assert_eq!(calls(2), Some((4, 2)));
        assert_eq!(calls(32), Some((64, 2)));
        assert_eq!(calls(512), Some((1024, 2)));
        assert_eq!(calls(2048), Some((4096, 0)), "gaps are shown");
        assert_eq!(calls(1 << 63), Some((u64::MAX, 1)));
        assert_eq!(buckets.iter().map(|bucket| bucket.calls).sum::<u64>(), 15);
        assert!(Histogram::default().powers_of_two().is_empty());
    }

    #[test]
    fn merging_is_adding_all_times() {
        let (mut left, mut right, mut both) = (
            Histogram::default(),
            Histogram::default(),
            Histogram::default(),
        );
        for ns in 0..10_000u64 {
            let time = ns * ns;
            if ns % 3 == 0 {
                left.add(time)
            } else {
                right.add(time)
            }
            both.add(time);
        }
        left.merge(&right);
        for percent in [1, 50, 90, 99, 100] {
            assert_eq!(left.percentile_ns(percent), both.percentile_ns(percent));
        }
        assert_eq!((left.count(), left.most_ns()), (10_000, both.most_ns()));
    }
}
