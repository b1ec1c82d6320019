//! A set of functions of the table, as a variable of the environment names it.

use std::env;

use crate::hooks::HOOKS;

/// Functions by id: a hexadecimal digit for each four of them, lowest bit first.
#[derive(Default)]
pub struct FunctionSet(Vec<u8>);

impl FunctionSet {
    /// Reads `NUMBER:DIGITS`, where the number is that of all functions of the table. None is in it where the variable was made for another
    /// table, or is not there.
    pub fn of_variable(name: &str) -> Self {
        let value = env::var(name).unwrap_or_default();
        Self(digits(&value).unwrap_or_default())
    }

    /// Whether a function is in it.
    pub fn has(&self, id: u32) -> bool {
        let digit = self.0.get(id as usize / 4).copied().unwrap_or(0);
        digit >> (id % 4) & 1 != 0
    }
}

fn digits(value: &str) -> Option<Vec<u8>> {
    let (functions, digits) = value.split_once(':')?;
    if functions.parse() != Ok(HOOKS.len()) {
        return None;
    }
    let digit = |letter: char| letter.to_digit(16).map(|digit| digit as u8);
    digits.chars().map(digit).collect()
}
