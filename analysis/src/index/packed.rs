//! Numbers of a chunk of calls in few bytes each.

/// Bytes behind the last number, so that eight bytes can be read and written at any of them.
const PADDING: usize = 8;
/// What an outlier costs: its row and its value.
const OUTLIER_BYTES: usize = size_of::<(u16, u64)>();

/// A column of numbers: what they have in common is stored once, the rest in 0 to 8 bytes each. Few numbers that are much larger than the
/// others are kept apart, so that one call that took a second does not make all others wide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedColumn {
    base: u64,
    unit: u64,
    width: u8,
    bytes: Box<[u8]>,
    /// By row.
    outliers: Box<[(u16, u64)]>,
}

impl PackedColumn {
    /// Packs numbers, at most 65,536. All of them are `unit` times something.
    pub(crate) fn of(numbers: &[u64], unit: u64) -> Self {
        let base = numbers.iter().copied().min().unwrap_or(0);
        let offset = |number: u64| (number - base) / unit;
        let mut by_length = [0usize; 9];
        for &number in numbers {
            by_length[byte_length(offset(number))] += 1;
        }
        let width = cheapest_width(&by_length, numbers.len());
        let mut bytes = vec![0; numbers.len() * width + PADDING];
        let mut outliers = Vec::new();
        for (row, &number) in numbers.iter().enumerate() {
            let offset = offset(number);
            if byte_length(offset) > width {
                outliers.push((row as u16, number));
                continue;
            }
            // What is beyond the width is zero, and the next number writes over it.
            let at = row * width;
            bytes[at..at + 8].copy_from_slice(&offset.to_le_bytes());
        }
        Self {
            base,
            unit,
            width: width as u8,
            bytes: bytes.into_boxed_slice(),
            outliers: outliers.into_boxed_slice(),
        }
    }

    /// The number of a row.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> u64 {
        if !self.outliers.is_empty()
            && let Ok(place) = self
                .outliers
                .binary_search_by_key(&(row as u16), |&(row, _)| row)
        {
            return self.outliers[place].1;
        }
        self.base + self.unit * self.load(row)
    }

    /// All numbers in order, `rows` of them.
    pub(crate) fn unpack(&self, rows: usize, numbers: &mut Vec<u64>) {
        numbers.clear();
        numbers.extend((0..rows).map(|row| self.base + self.unit * self.load(row)));
        for &(row, number) in &self.outliers {
            numbers[usize::from(row)] = number;
        }
    }

    #[inline]
    fn load(&self, row: usize) -> u64 {
        let width = usize::from(self.width);
        let mut eight = [0; 8];
        eight.copy_from_slice(&self.bytes[row * width..row * width + 8]);
        // A width of 0 shifts by 64, which is no shift.
        let unused = 64 - 8 * u32::from(self.width);
        u64::from_le_bytes(eight)
            .checked_shl(unused)
            .map_or(0, |word| word >> unused)
    }

    /// Memory besides its own size.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.outliers.len() * OUTLIER_BYTES
    }
}

/// Bytes that a number needs.
fn byte_length(number: u64) -> usize {
    (64 - number.leading_zeros()).div_ceil(8) as usize
}

/// The width with which all takes the least memory, outliers included.
fn cheapest_width(by_length: &[usize; 9], rows: usize) -> usize {
    let mut longer = rows;
    let mut best = (usize::MAX, 8);
    for (width, count) in by_length.iter().enumerate() {
        longer -= count;
        best = best.min((rows * width + longer * OUTLIER_BYTES, width));
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutape_trace_format::sample::Chance;

    fn round_trip(numbers: &[u64], unit: u64) -> usize {
        let packed = PackedColumn::of(numbers, unit);
        let read: Vec<u64> = (0..numbers.len()).map(|row| packed.get(row)).collect();
        assert_eq!(read, numbers);
        let mut unpacked = vec![7];
        packed.unpack(numbers.len(), &mut unpacked);
        assert_eq!(unpacked, numbers);
        packed.heap_bytes()
    }

    #[test]
    fn numbers_come_back_whatever_they_are() {
        let mut chance = Chance::new(11);
        for length in [0, 1, 2, 100, 1000] {
            for bits in 0..=64u32 {
                let numbers: Vec<u64> = (0..length)
                    .map(|_| chance.word().checked_shr(64 - bits).unwrap_or(0))
                    .collect();
                round_trip(&numbers, 1);
            }
        }
        round_trip(&[u64::MAX, 0, u64::MAX / 2, 1], 1);
        round_trip(&vec![u64::MAX; 1 << 16], 1);
    }

    #[test]
    fn common_numbers_are_small_and_a_rare_large_one_does_not_matter() {
        assert!(
            round_trip(&[5_000_000_000; 10_000], 10) <= PADDING,
            "all the same"
        );
        let begins: Vec<u64> = (0..10_000).map(|row| 7_000_000_000 + row * 1_000).collect();
        assert!(round_trip(&begins, 10) <= 3 * 10_000 + PADDING);
        let mut durations: Vec<u64> = (0..10_000).map(|row| row % 60_000 * 10).collect();
        durations[17] = 5_000_000_000;
        assert!(round_trip(&durations, 10) <= 2 * 10_000 + PADDING + OUTLIER_BYTES);
    }
}
