//! Whether a function is found that was not found when the calls were recorded, or the other way round.

use cutape_trace_format::record::Captured;

use crate::plan::{Plan, UNWRITTEN};
use crate::verdict::Verdict;
use crate::wire::slot::{AnswerMessage, Message};

/// The functions that look functions up, by the beginning of their names.
pub const LOOK_UP: &str = "cuGetProcAddress";
/// Number of the parameter that the function's address is answered behind.
const PFN: u8 = 1;

/// The verdict on a look-up that succeeded both times, if one of them found the function and the other one didn't: the second version
/// of the look-up says so by NULL and a status, not by its code.
pub fn verdict(plan: &Plan, message: &Message<'_>, answer: &AnswerMessage<'_>) -> Option<Verdict> {
    if !plan.function.starts_with(LOOK_UP) {
        return None;
    }
    let was = has_found(&message.capture(PFN, true)?);
    let is = has_found(&answer.outputs().find(|output| output.param == PFN)?);
    match (was, is) {
        (false, true) => Some(Verdict::Fixed),
        (true, false) => Some(Verdict::Regressed),
        _ => None,
    }
}

fn has_found(pointer: &Captured<'_>) -> bool {
    let unwritten = |&byte: &u8| byte == UNWRITTEN;
    pointer.bytes.iter().any(|&byte| byte != 0) && !pointer.bytes.iter().all(unwritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: &[u8]) -> Captured<'_> {
        Captured {
            param: PFN,
            out: true,
            bytes,
            full: None,
        }
    }

    #[test]
    fn null_and_what_nobody_wrote_is_nothing_found() {
        assert!(!has_found(&answer(&[0; 8])));
        assert!(!has_found(&answer(&[UNWRITTEN; 8])));
        assert!(has_found(&answer(&0x7f00_1234u64.to_le_bytes())));
    }
}
