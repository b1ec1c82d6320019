//! From ticks to time. A fit is a straight line through two anchors, so that times of neighbouring flushes join without a step.

/// The three clocks read at one moment, without the atomics of [`crate::ring::Anchor`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AnchorReading {
    /// The counter that records use.
    pub ticks: u64,
    /// CLOCK_MONOTONIC, nanoseconds.
    pub monotonic_ns: u64,
    /// CLOCK_REALTIME, nanoseconds since 1970.
    pub realtime_ns: u64,
}

/// Bits after the binary point of a slope; 8 bits remain before it, so no tick may be longer than 255 time units.
const SLOPE_BITS: u32 = 56;
/// Time units are at most this long; a coarser counter is not a clock for calls.
pub const MAX_UNIT_NS: u32 = 1_000_000;

/// Turns ticks into time units of CLOCK_MONOTONIC, where a unit is a whole number of nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct ClockFit {
    ticks: u64,
    base: i128,
    slope: u64,
    unit_ns: u32,
}

impl ClockFit {
    /// The line through two anchors: of the previous flush and of this one. Ticks outside them are extrapolated. `unit_ns` is the
    /// length of a time unit: the clock's granularity, such as 10 on a virtual machine whose counter moves in steps of 10 ns.
    ///
    /// Two anchors at the same tick give no slope; a tick is then taken for a nanosecond.
    pub fn between(previous: &AnchorReading, current: &AnchorReading, unit_ns: u32) -> Self {
        let unit_ns = unit_ns.clamp(1, MAX_UNIT_NS);
        let ticks = current.ticks.saturating_sub(previous.ticks);
        let elapsed_ns = current.monotonic_ns.saturating_sub(previous.monotonic_ns);
        let (elapsed_ns, ticks) = if ticks == 0 || elapsed_ns == 0 {
            (1, 1)
        } else {
            (elapsed_ns, ticks)
        };
        // Both factors are below 2^64, so the shifted numerator stays below 2^120.
        // Rounded up, so that ticks that are whole units come out as such.
        let slope = (u128::from(elapsed_ns) << SLOPE_BITS)
            .div_ceil(u128::from(ticks) * u128::from(unit_ns));
        Self {
            ticks: previous.ticks,
            base: ((i128::from(previous.monotonic_ns)) << SLOPE_BITS) / i128::from(unit_ns),
            slope: u64::try_from(slope).unwrap_or(u64::MAX),
            unit_ns,
        }
    }

    /// A fit for ticks that are nanoseconds of CLOCK_MONOTONIC themselves.
    pub fn monotonic(unit_ns: u32) -> Self {
        Self::between(
            &AnchorReading::default(),
            &AnchorReading::default(),
            unit_ns,
        )
    }

    /// CLOCK_MONOTONIC at that tick, in units of [`Self::unit_ns`].
    #[inline]
    pub fn units(&self, ticks: u64) -> u64 {
        let delta = ticks.wrapping_sub(self.ticks) as i64;
        let at = (self.base + i128::from(delta) * i128::from(self.slope)) >> SLOPE_BITS;
        if at < 0 { 0 } else { at as u64 }
    }

    /// Length of a time unit.
    pub fn unit_ns(&self) -> u32 {
        self.unit_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(ticks: u64, monotonic_ns: u64) -> AnchorReading {
        AnchorReading {
            ticks,
            monotonic_ns,
            realtime_ns: 0,
        }
    }

    #[test]
    fn neighbouring_fits_agree_at_their_common_anchor() {
        let (a, b, c) = (
            anchor(1000, 5_000_000),
            anchor(3_101_000, 6_000_007),
            anchor(6_222_000, 7_000_003),
        );
        let before = ClockFit::between(&a, &b, 1);
        let after = ClockFit::between(&b, &c, 1);
        assert!(before.units(b.ticks).abs_diff(b.monotonic_ns) <= 1);
        assert_eq!(after.units(b.ticks), b.monotonic_ns);
        assert!(
            before.units(a.ticks - 310) < a.monotonic_ns,
            "ticks before the first anchor lie before it"
        );
    }

    #[test]
    fn ten_hours_from_the_anchors_the_error_is_below_a_microsecond() {
        let (a, b) = (anchor(0, 0), anchor(30_000_000_000, 10_000_000_000));
        let fit = ClockFit::between(&a, &b, 1);
        let hours_ns = 36_000_000_000_000u64;
        assert!(fit.units(3 * hours_ns).abs_diff(hours_ns) < 1000);
    }

    #[test]
    fn units_are_whole_steps_of_the_clock() {
        let fit = ClockFit::monotonic(10);
        assert_eq!(
            [fit.units(0), fit.units(9), fit.units(10), fit.units(12_345)],
            [0, 0, 1, 1234]
        );
    }

    #[test]
    fn absurd_anchors_give_a_number_and_no_panic() {
        let fit = ClockFit::between(&anchor(u64::MAX, u64::MAX), &anchor(0, 0), 0);
        fit.units(0);
        let fit = ClockFit::between(&anchor(0, 0), &anchor(1, u64::MAX), u32::MAX);
        fit.units(u64::MAX / 2);
    }
}
