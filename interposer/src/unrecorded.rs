//! Functions that the recording's filter leaves out: their calls go straight to the driver. A call costs a few nanoseconds, no time stamp
//! and no room in a ring.

use std::env;
use std::sync::OnceLock;

use crate::hooks::HOOKS;

/// `CUTAPE_UNRECORDED`: number of functions of the table, a colon, and a hexadecimal digit for each four of them, lowest bit first.
pub fn is_left_out(id: u32) -> bool {
    static LEFT_OUT: OnceLock<Vec<u8>> = OnceLock::new();
    let digits = LEFT_OUT.get_or_init(|| {
        let value = env::var("CUTAPE_UNRECORDED").unwrap_or_default();
        digits(&value).unwrap_or_default()
    });
    let digit = digits.get(id as usize / 4).copied().unwrap_or(0);
    digit >> (id % 4) & 1 != 0
}

/// `None` where the value was made for another table: then everything is recorded, and sealing applies the filter.
fn digits(value: &str) -> Option<Vec<u8>> {
    let (functions, digits) = value.split_once(':')?;
    if functions.parse() != Ok(HOOKS.len()) {
        return None;
    }
    let digit = |letter: char| letter.to_digit(16).map(|digit| digit as u8);
    digits.chars().map(digit).collect()
}
