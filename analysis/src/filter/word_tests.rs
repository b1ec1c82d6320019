//! Tests of arguments that are a word: what a word answers is found out once.

use cutape_trace_format::call::FunctionId;

use crate::word_hash::WordMap;

/// Answers kept at most: arguments that are addresses may be anything.
const MAX_ANSWERS: usize = 1 << 16;

/// A function, the place of a test, and the word that the function was given.
pub(crate) type WordKey = (FunctionId, usize, u64);

/// Answers by word.
#[derive(Debug, Default)]
pub(crate) struct WordTests(WordMap<WordKey, bool>);

impl WordTests {
    /// The answer, if it is known.
    pub(crate) fn known(&self, key: WordKey) -> Option<bool> {
        self.0.get(&key).copied()
    }

    /// The answer, which `find` finds if it is not known.
    pub(crate) fn holds(&mut self, key: WordKey, find: impl FnOnce() -> bool) -> bool {
        if let Some(answer) = self.known(key) {
            return answer;
        }
        if self.0.len() >= MAX_ANSWERS {
            self.0.clear();
        }
        let answer = find();
        self.0.insert(key, answer);
        answer
    }
}
