//! Whether a function is found that was not found when the calls were recorded, or the other way round.

use cutape_trace_format::record::Captured;

use crate::plan::UNWRITTEN;
use crate::verdict::Verdict;
use crate::wire::slot::{AnswerMessage, Message};

/// The functions that look functions up, by the beginning of their names.
pub const LOOK_UP: &str = "cuGetProcAddress";
/// Number of the parameter that the function's address is answered behind.
const PFN: u8 = 1;

/// The verdict on a look-up that succeeded both times, if one of them found the function and the other one didn't: the second version
/// of the look-up says so by NULL and a status, not by its code.
pub fn verdict(
    function: &str,
    message: &Message<'_>,
    answer: &AnswerMessage<'_>,
) -> Option<Verdict> {
    if !function.starts_with(LOOK_UP) {
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
    use crate::wire::slot::{self, AnswerWriter, HEAD_WORDS, Order, Outcome};

    /// The verdict on a look-up that answered `was` when it was recorded, and `is` now.
    fn verdict_on(function: &str, was: u64, is: u64) -> Option<Verdict> {
        let recorded = was.to_le_bytes();
        let recorded = Captured {
            param: PFN,
            out: true,
            bytes: &recorded,
            full: None,
        };
        let mut words = Vec::new();
        let captures = [recorded].into_iter();
        slot::write(&mut words, &Order::default(), &[], &[0; 5], captures, 4);
        let body = &mut words[HEAD_WORDS..];
        let answer_at = Message::read(body).expect("whole").answer_at;
        let mut writer = AnswerWriter::new(&mut body[answer_at..]);
        writer.output(PFN, &is.to_le_bytes());
        writer.finish(Outcome::Returned(0), 0, 0);
        let message = Message::read(body).expect("whole");
        let answer = AnswerMessage::read(body, answer_at).expect("whole");
        verdict(function, &message, &answer)
    }

    #[test]
    fn found_again_is_fixed_and_found_no_longer_regressed() {
        let unwritten = u64::from_le_bytes([UNWRITTEN; 8]);
        let v2 = |was, is| verdict_on("cuGetProcAddress_v2", was, is);
        assert_eq!(v2(0, 0x7f00_1234), Some(Verdict::Fixed));
        assert_eq!(v2(0x7f00_1234, 0), Some(Verdict::Regressed));
        assert_eq!(v2(0x7f00_1234, unwritten), Some(Verdict::Regressed));
        assert_eq!(v2(0x7f00_1234, 0x7f00_5678), None);
        assert_eq!(verdict_on("cuMemAlloc_v2", 0, 0x7f00_1234), None);
    }
}
