//! What a recording did to a call by its own rules (`record --inject`, `--override`), and what the driver itself had answered.
//!
//! The marks are captures with the number [`INJECTION`], which no parameter has: a reader that doesn't know them never asks for one. The one
//! of before the call says which rules act on it, the one of after it says so again and what the driver answered.

use crate::call::{Call, CaptureEdit};
use crate::capture_number::INJECTION;
use crate::record::Captured;

/// Rules that act on a call: bit `n` is rule `n` of the process, from 0.
pub type RuleBits = u64;

/// Rules that a recording can have.
pub const MAX_RULES: usize = RuleBits::BITS as usize;

/// Flag of the mark after the call: it was passed on to the driver.
const CALLED: u8 = 1;
/// Flag of that mark: time passed before the driver was called, or before the call returned.
const DELAYED: u8 = 2;
/// Flag of that mark: the calling thread was sent a signal.
const SIGNALLED: u8 = 4;
/// Bytes of that mark before the parameters: rules, flags, what the driver returned.
const HEAD_BYTES: usize = 24;
/// Bytes before a parameter's content: its number and the content's length.
const ITEM_BYTES: usize = 8;
/// In place of a length: what the driver left there is not known.
const UNKNOWN: u32 = u32::MAX;
/// Bytes of a mark that a recorder writes: it must fit on the stack of a thread that has little.
const MARK_BYTES: usize = 1024;

/// What a recording did to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Injection {
    /// The rules that acted on it.
    pub rules: RuleBits,
    /// They made it wait.
    pub delayed: bool,
    /// They sent its thread a signal.
    pub signalled: bool,
    /// What the driver had to do with it.
    pub driver: DriverAnswer,
}

/// What the driver itself answered to a call on which rules acted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DriverAnswer {
    /// Not on record: the call never returned.
    #[default]
    NotReturned,
    /// The call did not reach the driver.
    NotCalled,
    /// It answered.
    Answered {
        /// Its return word.
        returned: u64,
        /// The parameters behind which rules wrote, each with what the driver had left there; `None` where that is not known.
        replaced: Vec<(u8, Option<Vec<u8>>)>,
    },
}

/// The mark of after a call while it is written: by a signal handler perhaps, so nothing is allocated.
#[derive(Clone, Debug)]
pub struct MarkWriter {
    bytes: [u8; MARK_BYTES],
    used: usize,
    params: u64,
}

impl Default for MarkWriter {
    fn default() -> Self {
        Self {
            bytes: [0; MARK_BYTES],
            used: HEAD_BYTES,
            params: 0,
        }
    }
}

impl MarkWriter {
    /// Whether something was written behind a parameter.
    pub fn has(&self, param: u8) -> bool {
        self.params >> (param & 63) & 1 != 0
    }

    /// Whether nothing was written behind any.
    pub fn is_empty(&self) -> bool {
        self.params == 0
    }

    /// Adds a parameter. `read` puts what the driver left behind it into the room that there is and says how many bytes it is; `None` where
    /// that is not known, or too much.
    pub fn add(&mut self, param: u8, read: impl FnOnce(&mut [u8]) -> Option<usize>) {
        let Some((item, room)) = self.bytes[self.used..].split_at_mut_checked(ITEM_BYTES) else {
            return;
        };
        let known = read(room).filter(|&bytes| bytes <= room.len());
        item[0] = param;
        let length = known.map_or(UNKNOWN, |bytes| bytes as u32);
        item[4..].copy_from_slice(&length.to_le_bytes());
        self.used += ITEM_BYTES + known.unwrap_or(0);
        self.params |= 1 << (param & 63);
    }

    /// The whole mark of an injection, whose parameters are those added here; `returned` is the driver's answer if it was called.
    pub fn finish(&mut self, doings: &Doings, returned: Option<u64>) -> &[u8] {
        let head = doings.head(returned);
        self.bytes[..HEAD_BYTES].copy_from_slice(&head);
        let used = if returned.is_some() {
            self.used
        } else {
            HEAD_BYTES
        };
        &self.bytes[..used]
    }
}

/// What rules did to a call besides its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doings {
    /// The rules that acted on it.
    pub rules: RuleBits,
    /// They made it wait.
    pub delayed: bool,
    /// They sent its thread a signal.
    pub signalled: bool,
}

impl Doings {
    fn head(&self, returned: Option<u64>) -> [u8; HEAD_BYTES] {
        let called = if returned.is_some() { CALLED } else { 0 };
        let delayed = if self.delayed { DELAYED } else { 0 };
        let signalled = if self.signalled { SIGNALLED } else { 0 };
        let mut head = [0; HEAD_BYTES];
        head[..8].copy_from_slice(&self.rules.to_le_bytes());
        head[8] = called | delayed | signalled;
        head[16..].copy_from_slice(&returned.unwrap_or(0).to_le_bytes());
        head
    }
}

impl Injection {
    /// The mark that is taken before the call.
    pub fn mark_before(rules: RuleBits) -> [u8; 8] {
        rules.to_le_bytes()
    }

    /// The mark that is taken after the call.
    pub fn mark_after(&self) -> Vec<u8> {
        let (returned, replaced) = match &self.driver {
            DriverAnswer::NotReturned | DriverAnswer::NotCalled => (None, &[][..]),
            DriverAnswer::Answered { returned, replaced } => (Some(*returned), replaced.as_slice()),
        };
        let doings = Doings {
            rules: self.rules,
            delayed: self.delayed,
            signalled: self.signalled,
        };
        let mut bytes = doings.head(returned).to_vec();
        for (param, content) in replaced {
            bytes.extend([*param, 0, 0, 0]);
            let length = content
                .as_ref()
                .map_or(UNKNOWN, |content| content.len() as u32);
            bytes.extend(length.to_le_bytes());
            bytes.extend(content.iter().flatten());
        }
        bytes
    }

    /// Whether the program got another answer than the driver's: another code, other values, or any where the driver was not asked.
    pub fn made_up(&self, returned: Option<u64>) -> bool {
        match &self.driver {
            DriverAnswer::NotReturned => false,
            DriverAnswer::NotCalled => true,
            DriverAnswer::Answered {
                returned: own,
                replaced,
            } => Some(*own) != returned || !replaced.is_empty(),
        }
    }

    /// The numbers of the rules, from 0.
    pub fn rule_numbers(&self) -> impl Iterator<Item = usize> + use<> {
        let rules = self.rules;
        (0..MAX_RULES).filter(move |number| rules >> number & 1 != 0)
    }

    /// The mark of after a call with other contents of what the driver left behind parameters; `None` for bytes that are no mark.
    pub fn mark_with(
        mark: &[u8],
        mut edit: impl FnMut(u8, &[u8]) -> CaptureEdit,
    ) -> Option<Vec<u8>> {
        let mut injection = Self::read_after(mark)?;
        if let DriverAnswer::Answered { replaced, .. } = &mut injection.driver {
            for (param, content) in replaced {
                let edited = content.as_ref().map(|content| edit(*param, content));
                match edited {
                    None | Some(CaptureEdit::Keep) => {}
                    Some(CaptureEdit::Drop) => *content = None,
                    Some(CaptureEdit::Replace(bytes)) => *content = Some(bytes),
                }
            }
        }
        Some(injection.mark_after())
    }

    fn of(call: &Call) -> Option<Self> {
        if let Some(after) = call.capture(INJECTION, true) {
            return Self::read_after(after.bytes);
        }
        let before = call.capture(INJECTION, false)?;
        Some(Self {
            rules: u64::from_le_bytes(before.bytes.try_into().ok()?),
            ..Self::default()
        })
    }

    /// `None` for bytes that no recorder wrote.
    fn read_after(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_at_checked(HEAD_BYTES)?;
        let word = |at: usize| Some(u64::from_le_bytes(head[at..at + 8].try_into().ok()?));
        let without_answer = Self {
            rules: word(0)?,
            delayed: head[8] & DELAYED != 0,
            signalled: head[8] & SIGNALLED != 0,
            driver: DriverAnswer::NotCalled,
        };
        if head[8] & CALLED == 0 {
            return Some(without_answer);
        }
        let mut replaced = Vec::new();
        while let Some((item, content)) = rest.split_at_checked(ITEM_BYTES) {
            let length = u32::from_le_bytes(item[4..].try_into().ok()?);
            if length == UNKNOWN {
                replaced.push((item[0], None));
                rest = content;
                continue;
            }
            let (content, behind) = content.split_at_checked(length as usize)?;
            replaced.push((item[0], Some(content.to_vec())));
            rest = behind;
        }
        Some(Self {
            driver: DriverAnswer::Answered {
                returned: word(16)?,
                replaced,
            },
            ..without_answer
        })
    }
}

impl Call {
    /// What the recording did to the call by its own rules; `None` for a call that no rule acted on.
    pub fn injection(&self) -> Option<Injection> {
        Injection::of(self)
    }

    /// Whether a rule of the recording acted on the call.
    pub fn is_injected(&self) -> bool {
        self.captures().any(|capture| capture.param == INJECTION)
    }

    /// The call as the driver answered it, without the rules' doing. `None` where no rule acted on it, or where the driver was not asked
    /// or has not answered.
    pub fn as_the_driver_answered(&self) -> Option<Self> {
        let DriverAnswer::Answered { returned, replaced } = self.injection()?.driver else {
            return None;
        };
        let mut own = self.clone();
        own.returned = Some(returned);
        own.edit_captures(|capture| own_content(capture, &replaced));
        Some(own)
    }
}

fn own_content(capture: &Captured<'_>, replaced: &[(u8, Option<Vec<u8>>)]) -> CaptureEdit {
    if capture.param == INJECTION {
        return CaptureEdit::Drop;
    }
    let content = replaced
        .iter()
        .find(|(param, _)| capture.out && *param == capture.param);
    match content {
        None => CaptureEdit::Keep,
        Some((_, None)) => CaptureEdit::Drop,
        Some((_, Some(bytes))) => CaptureEdit::Replace(bytes.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(param: u8, out: bool, bytes: &[u8]) -> Captured<'_> {
        Captured {
            param,
            out,
            bytes,
            full: None,
        }
    }

    fn injected(injection: &Injection, outs: &[(u8, &[u8])]) -> Call {
        let (before, after) = (
            Injection::mark_before(injection.rules),
            injection.mark_after(),
        );
        let outs = outs
            .iter()
            .map(|&(param, bytes)| captured(param, true, bytes));
        let marks = [
            captured(INJECTION, false, &before),
            captured(INJECTION, true, &after),
        ];
        let mut call = Call::default();
        call.returned = Some(0);
        call.with_captures(marks.into_iter().chain(outs))
    }

    #[test]
    fn what_the_driver_answered_comes_back_in_place_of_what_the_program_got() {
        let injection = Injection {
            rules: 0b101,
            delayed: true,
            signalled: false,
            driver: DriverAnswer::Answered {
                returned: 3,
                replaced: vec![(0, Some(vec![0; 8])), (1, None)],
            },
        };
        let call = injected(&injection, &[(0, &[9; 8]), (1, &[8; 8]), (2, &[7; 4])]);
        assert_eq!(call.injection(), Some(injection.clone()));
        assert!(call.is_injected() && injection.made_up(call.returned));
        assert_eq!(injection.rule_numbers().collect::<Vec<_>>(), [0, 2]);
        let own = call.as_the_driver_answered().expect("the driver answered");
        assert_eq!(own.returned, Some(3));
        let outs: Vec<_> = own
            .captures()
            .map(|capture| (capture.param, capture.bytes.to_vec()))
            .collect();
        assert_eq!(outs, [(0, vec![0; 8]), (2, vec![7; 4])]);
        assert!(!own.is_injected());
    }

    #[test]
    fn what_a_recorder_writes_is_what_a_reader_reads() {
        let doings = Doings {
            rules: 6,
            delayed: true,
            signalled: true,
        };
        let mut writer = MarkWriter::default();
        assert!(writer.is_empty());
        writer.add(1, |room| {
            room[..3].copy_from_slice(b"abc");
            Some(3)
        });
        writer.add(2, |_| None);
        // No room is left for the last one.
        writer.add(3, |room| Some(room.len() - 4));
        writer.add(4, |_| Some(1));
        assert!(writer.has(1) && writer.has(3) && !writer.has(4));
        let read = Injection::read_after(writer.finish(&doings, Some(7))).expect("a mark");
        let DriverAnswer::Answered { returned, replaced } = read.driver else {
            panic!("the driver was called");
        };
        assert_eq!((read.rules, read.delayed, read.signalled), (6, true, true));
        assert_eq!((returned, replaced.len()), (7, 3));
        assert_eq!(replaced[..2], [(1, Some(b"abc".to_vec())), (2, None)]);
        let without = Injection::read_after(writer.finish(&doings, None)).expect("a mark");
        assert_eq!(without.driver, DriverAnswer::NotCalled);
    }

    #[test]
    fn a_call_that_did_not_reach_the_driver_has_no_answer_of_the_drivers() {
        let injection = Injection {
            rules: 1,
            signalled: true,
            delayed: false,
            driver: DriverAnswer::NotCalled,
        };
        let call = injected(&injection, &[]);
        assert_eq!(call.injection(), Some(injection));
        assert_eq!(call.as_the_driver_answered(), None);
        let open = Call::default().with_captures(std::iter::once(captured(
            INJECTION,
            false,
            &Injection::mark_before(2),
        )));
        let driver = open.injection().map(|injection| injection.driver);
        assert_eq!(driver, Some(DriverAnswer::NotReturned));
        assert_eq!(Call::default().injection(), None);
    }

    #[test]
    fn marks_that_no_recorder_wrote_are_none() {
        let whole = Injection {
            rules: 1,
            driver: DriverAnswer::Answered {
                returned: 0,
                replaced: vec![(0, Some(vec![1; 40]))],
            },
            ..Injection::default()
        }
        .mark_after();
        for length in 0..whole.len() {
            // Cut anywhere, it must not be taken for more than it says, nor end the reader.
            if let Some(read) = Injection::read_after(&whole[..length]) {
                let DriverAnswer::Answered { replaced, .. } = read.driver else {
                    panic!("the flag says that the driver was called");
                };
                assert!(replaced.is_empty(), "{length}");
            }
        }
        assert!(Injection::read_after(&whole).is_some());
    }
}
