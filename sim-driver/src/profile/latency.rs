//! How long a call takes that a fault slows down: always the same time, or one drawn from a distribution.

use std::time::{Duration, Instant};

/// A time that is added to calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    /// The same for every call.
    Fixed(Duration),
    /// Anything between two times is equally likely.
    Uniform {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
    },
    /// Logarithms of times are normally distributed, as those of calls that cross a network nearly are.
    LogNormal {
        /// Half of the calls take longer.
        median: Duration,
        /// One call in a hundred takes longer.
        p99: Duration,
    },
}

/// The standard normal distribution's 99th percentile.
const NORMAL_P99: f64 = 2.326_347_874_040_841;
/// The operating system wakes sleepers up about this much late; the rest of a time is spent looking at the clock.
const SLEEP_SLACK: Duration = Duration::from_micros(150);

impl Latency {
    /// What the call of that number takes. The same `seed` and number give the same time in every run.
    pub fn of_call(self, seed: u64, call: u64) -> Duration {
        match self {
            Self::Fixed(duration) => duration,
            Self::Uniform { least, most } => {
                least + most.saturating_sub(least).mul_f64(draw(seed, call))
            }
            Self::LogNormal { median, p99 } => {
                let spread = (p99.as_secs_f64() / median.as_secs_f64()).ln() / NORMAL_P99;
                let factor = (spread * normal(seed, call)).exp();
                Duration::try_from_secs_f64(median.as_secs_f64() * factor).unwrap_or(p99)
            }
        }
    }
}

/// Lets that time pass on the calling thread.
pub fn pass(duration: Duration) {
    let end = Instant::now() + duration;
    if let Some(sleep) = duration.checked_sub(SLEEP_SLACK) {
        std::thread::sleep(sleep);
    }
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// A number from 0 (included) to 1 (not included) that depends on nothing but its arguments.
fn draw(seed: u64, call: u64) -> f64 {
    // Two rounds of the SplitMix64 generator, whose state is a counter.
    let mut word = seed ^ call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for _ in 0..2 {
        word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
    }
    (word >> 11) as f64 / (1u64 << 53) as f64
}

/// A number of the standard normal distribution, by Box and Muller's method.
fn normal(seed: u64, call: u64) -> f64 {
    let (radius, angle) = (draw(seed, 2 * call), draw(seed, 2 * call + 1));
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: u64 = 20_000;

    fn sorted(latency: Latency) -> Vec<Duration> {
        let mut times: Vec<_> = (1..=CALLS).map(|call| latency.of_call(7, call)).collect();
        times.sort();
        times
    }

    #[test]
    fn a_fixed_time_is_the_same_for_every_call() {
        let ms = Duration::from_millis(3);
        assert!(sorted(Latency::Fixed(ms)).iter().all(|&time| time == ms));
    }

    #[test]
    fn uniform_times_fill_their_range_evenly() {
        let (least, most) = (Duration::from_millis(10), Duration::from_millis(20));
        let times = sorted(Latency::Uniform { least, most });
        assert!(times[0] >= least && times[CALLS as usize - 1] <= most);
        for (tenth, ms) in [(1, 11.0), (5, 15.0), (9, 19.0)] {
            let found = times[(CALLS * tenth / 10) as usize].as_secs_f64() * 1e3;
            assert!((found - ms).abs() < 0.2, "{found} ms at tenth {tenth}");
        }
    }

    #[test]
    fn log_normal_times_have_the_median_and_the_percentile_asked_for() {
        let (median, p99) = (Duration::from_millis(2), Duration::from_millis(50));
        let times = sorted(Latency::LogNormal { median, p99 });
        let at = |percent: u64| times[(CALLS * percent / 100) as usize].as_secs_f64() * 1e3;
        assert!((at(50) - 2.0).abs() < 0.1, "{} ms", at(50));
        assert!((at(99) - 50.0).abs() < 5.0, "{} ms", at(99));
    }

    #[test]
    fn a_seed_gives_the_same_times_again_and_another_one_gives_others() {
        let latency = Latency::Uniform {
            least: Duration::ZERO,
            most: Duration::from_secs(1),
        };
        assert_eq!(latency.of_call(1, 5), latency.of_call(1, 5));
        assert_ne!(latency.of_call(1, 5), latency.of_call(2, 5));
        assert_ne!(latency.of_call(1, 5), latency.of_call(1, 6));
    }
}
