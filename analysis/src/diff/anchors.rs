//! Symbols that hold two sequences together where there is no time to look for more.

/// Places of symbols that each side has once, in the order of the left side.
pub(crate) fn once_in_both(left: &[u32], right: &[u32]) -> Vec<(u32, u32)> {
    let (left, right) = (once(left), once(right));
    let mut right = right.into_iter().peekable();
    let mut found = Vec::new();
    for (symbol, place) in left {
        while right.next_if(|&(other, _)| other < symbol).is_some() {}
        if let Some((_, other)) = right.next_if(|&(other, _)| other == symbol) {
            found.push((place, other));
        }
    }
    found.sort_unstable();
    found
}

/// Symbols that a sequence has once, with their places, in the order of the symbols.
fn once(sequence: &[u32]) -> Vec<(u32, u32)> {
    let mut all: Vec<(u32, u32)> = sequence.iter().copied().zip(0..).collect();
    all.sort_unstable();
    let of_one_symbol = all.chunk_by(|one, next| one.0 == next.0);
    of_one_symbol
        .filter(|places| places.len() == 1)
        .map(|places| places[0])
        .collect()
}

/// The longest part of a list of pairs, rising in their first number, that rises in the second one, too.
pub(crate) fn longest_rising(pairs: &[(u32, u32)]) -> Vec<(u32, u32)> {
    // By length: the place of the pair with the smallest second number that a part of that length ends with.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (place, &(_, second)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|&end| pairs[end].1 < second);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() {
            ends.push(place);
        } else {
            ends[length] = place;
        }
    }
    let mut longest = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(place) = at {
        longest.push(pairs[place]);
        at = before[place];
    }
    longest.reverse();
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_what_both_sides_have_once() {
        let left = [1, 2, 3, 2, 4, 5];
        let right = [5, 3, 1, 9, 9, 4];
        assert_eq!(
            once_in_both(&left, &right),
            [(0, 2), (2, 1), (4, 5), (5, 0)]
        );
        assert_eq!(
            longest_rising(&once_in_both(&left, &right)),
            [(2, 1), (4, 5)]
        );
    }
}
