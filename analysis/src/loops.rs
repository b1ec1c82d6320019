//! Sequences of calls that repeat, such as the loop in which a program launches its kernels: found in one pass, however long they are.

pub use crate::found_loop::Loop;

use crate::diff::fold::loops_of;

/// Symbols that calls may have.
pub const MOST_SYMBOLS: u32 = 1 << 20;

/// The loops in a sequence of symbols below [`MOST_SYMBOLS`], in order; a loop of loops is one. Twelve bytes for each symbol that is in no loop
/// are needed meanwhile. Of more than 4 billion symbols, those beyond are in no loop.
pub fn loops(symbols: impl IntoIterator<Item = u32>) -> Vec<Loop> {
    loops_of(
        symbols.into_iter().take(u32::MAX as usize - 1),
        MOST_SYMBOLS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_found_with_their_place_and_length() {
        let mut symbols = vec![1, 2];
        symbols.extend([3, 4, 5].repeat(1000));
        symbols.extend([6, 6, 6, 7]);
        let found = loops(symbols);
        let of = |start, body, count| Loop { start, body, count };
        assert_eq!(found, [of(2, 3, 1000), of(3002, 1, 3)]);
        assert_eq!((found[0].calls(), found[0].end()), (3000, 3002));
        assert!(loops([]).is_empty() && loops(0..100).is_empty());
    }

    #[test]
    fn a_loop_of_loops_is_one() {
        let mut step = [1, 2].repeat(5);
        step.push(3);
        let found = loops(step.repeat(100));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].body, found[0].count), (11, 100));
    }
}
