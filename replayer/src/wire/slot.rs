//! One call in the shared memory: what was recorded of it, and room for what it answers now.
//!
//! A head with the state, then the *body*: the *message*, which only the judge writes, and the *answer*, which only the player writes.

use cutape_trace_format::record::Captured;

/// States of a slot.
pub mod state {
    /// Its turn has not come.
    pub const WAITING: u32 = 0;
    /// It is being played.
    pub const STARTED: u32 = 1;
    /// It has been.
    pub const DONE: u32 = 2;
}

/// Words before the body: the state in the lower half, and the slot's number of words in the upper one.
pub const HEAD_WORDS: usize = 1;
/// Words of a message before the waits.
pub const MESSAGE_WORDS: usize = 5;
/// Words of an answer before the outputs.
pub const ANSWER_WORDS: usize = 6;
/// Words before the bytes of a capture or an output.
pub const BLOB_WORDS: usize = 2;
/// What a word of an answer's outputs reads when there are no more.
pub const NO_MORE: u64 = u64::MAX;

const HAS_RETURNED: u32 = 1;
const IS_TIMED: u32 = 2;
const IS_BARRED: u32 = 4;
const HAS_FULL: u64 = 1 << 16;
const IS_OUT: u64 = 1 << 8;

/// Words that so many bytes take.
pub const fn words_of(bytes: usize) -> usize {
    bytes.div_ceil(8)
}

/// A thread, and how many of its calls must have ended before a call may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Number of the thread in its process.
    pub thread: u32,
    /// How many calls.
    pub ended: u32,
}

/// What a slot says besides arguments and captures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The call's number in the trace.
    pub seq: u64,
    /// Place of the function's plan.
    pub plan: u32,
    /// How deep the call lies in others of its thread.
    pub depth: u16,
    /// What it returned.
    pub returned: Option<u64>,
    /// Its time is to be taken.
    pub is_timed: bool,
    /// It is not to be played: it has ended a process before.
    pub is_barred: bool,
}

/// Writes a slot: head and message, and zeros for the answer. `answer_words` is the room for outputs.
pub fn write<'a>(
    slot: &mut Vec<u64>,
    order: &Order,
    waits: &[Wait],
    args: &[u64],
    captures: impl Iterator<Item = Captured<'a>>,
    answer_words: usize,
) {
    slot.clear();
    slot.resize(HEAD_WORDS + MESSAGE_WORDS, 0);
    slot.extend(
        waits
            .iter()
            .map(|wait| u64::from(wait.thread) << 32 | u64::from(wait.ended)),
    );
    slot.extend_from_slice(args);
    let mut count = 0u64;
    for capture in captures {
        count += 1;
        let mut head = u64::from(capture.param) | (capture.bytes.len() as u64) << 32;
        head |= if capture.out { IS_OUT } else { 0 };
        head |= if capture.full.is_some() { HAS_FULL } else { 0 };
        slot.push(head);
        slot.push(capture.full.unwrap_or(0));
        push_bytes(slot, capture.bytes);
    }
    let answer_at = (slot.len() - HEAD_WORDS) as u64;
    let mut flags = 0;
    flags |= if order.returned.is_some() {
        HAS_RETURNED
    } else {
        0
    };
    flags |= if order.is_timed { IS_TIMED } else { 0 };
    flags |= if order.is_barred { IS_BARRED } else { 0 };
    slot[1] = order.seq;
    slot[2] = u64::from(order.plan) | u64::from(order.depth) << 32;
    slot[3] = waits.len() as u64 | (args.len() as u64) << 24 | count << 48;
    slot[4] = u64::from(flags) | answer_at << 32;
    slot[5] = order.returned.unwrap_or(0);
    slot.resize(slot.len() + ANSWER_WORDS + answer_words + 1, 0);
    slot[0] = (slot.len() as u64) << 32;
}

fn push_bytes(words: &mut Vec<u64>, bytes: &[u8]) {
    let (whole, rest) = bytes.as_chunks::<8>();
    words.extend(whole.iter().map(|word| u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        words.push(u64::from_le_bytes(last));
    }
}

/// Place in the body where the answer begins, by the first words of a message.
pub fn answer_at(fixed: &[u64]) -> usize {
    fixed.get(3).map_or(0, |word| (word >> 32) as usize)
}

/// A message, read. All lengths are checked: the driver may have written over them.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// What the slot says besides.
    pub order: Order,
    waits: &'a [u64],
    /// Argument words.
    pub args: &'a [u64],
    captures: &'a [u64],
    /// Place in the body where the answer begins.
    pub answer_at: usize,
}

impl<'a> Message<'a> {
    /// Reads the message of a body; what comes behind the message need not be there.
    pub fn read(body: &'a [u64]) -> Option<Self> {
        let fixed = body.get(..MESSAGE_WORDS)?;
        let waits = fixed[2] as usize & 0xff_ffff;
        let args = (fixed[2] >> 24) as usize & 0xff_ffff;
        let flags = fixed[3] as u32;
        let answer_at = answer_at(fixed);
        let rest = body.get(MESSAGE_WORDS..answer_at)?;
        let (waits, rest) = rest.split_at_checked(waits)?;
        let (args, captures) = rest.split_at_checked(args)?;
        Some(Self {
            order: Order {
                seq: fixed[0],
                plan: fixed[1] as u32,
                depth: (fixed[1] >> 32) as u16,
                returned: (flags & HAS_RETURNED != 0).then_some(fixed[4]),
                is_timed: flags & IS_TIMED != 0,
                is_barred: flags & IS_BARRED != 0,
            },
            waits,
            args,
            captures,
            answer_at,
        })
    }

    /// What must have ended before.
    pub fn waits(&self) -> impl Iterator<Item = Wait> + 'a {
        self.waits.iter().map(|&word| Wait {
            thread: (word >> 32) as u32,
            ended: word as u32,
        })
    }

    /// What was captured.
    pub fn captures(&self) -> Blobs<'a> {
        Blobs(self.captures)
    }

    /// The capture behind a parameter, of after the call if `out`.
    #[inline]
    pub fn capture(&self, param: u8, out: bool) -> Option<Captured<'a>> {
        self.captures()
            .find(|capture| capture.param == param && capture.out == out)
    }
}

/// Captures or outputs, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Blobs<'a>(&'a [u64]);

impl<'a> Iterator for Blobs<'a> {
    type Item = Captured<'a>;

    #[inline]
    fn next(&mut self) -> Option<Captured<'a>> {
        let (&head, rest) = self.0.split_first()?;
        if head == NO_MORE {
            return None;
        }
        let (&full, rest) = rest.split_first()?;
        let bytes = (head >> 32) as usize;
        let (blob, rest) = rest.split_at_checked(words_of(bytes))?;
        self.0 = rest;
        Some(Captured {
            param: head as u8,
            out: head & IS_OUT != 0,
            bytes: &bytes_of(blob)[..bytes],
            full: (head & HAS_FULL != 0).then_some(full),
        })
    }
}

/// Words as the bytes that they are on this little-endian machine.
pub fn bytes_of(words: &[u64]) -> &[u8] {
    // SAFETY: any words are valid bytes, and the length is theirs.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

/// What became of a call in the player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was played and returned this.
    Returned(u64),
    /// The driver does not export it.
    Missing,
    /// It was not played: number of a [`SkipReason`](crate::skip::SkipReason), and what belongs to it.
    Skipped {
        /// The reason's number.
        reason: u32,
        /// For a consequence the causing call's number, for an unknown handle its recorded word.
        detail: u64,
        /// Which parameter's, from 0.
        param: u32,
    },
}

/// Numbers of outcomes in an answer's first word.
mod outcome {
    pub const RETURNED: u32 = 1;
    pub const MISSING: u32 = 2;
    pub const SKIPPED: u32 = 3;
}

/// An answer, read.
#[derive(Clone, Copy, Debug)]
pub struct AnswerMessage<'a> {
    /// What became of the call.
    pub outcome: Outcome,
    /// How long it took, nanoseconds, if that was asked for.
    pub duration_ns: u64,
    /// Parameters (by bit) behind whose memory the driver wrote where nothing was its own.
    pub overrun: u64,
    outputs: &'a [u64],
}

impl<'a> AnswerMessage<'a> {
    /// Reads an answer that starts at that place of a body.
    pub fn read(body: &'a [u64], answer_at: usize) -> Option<Self> {
        let answer = body.get(answer_at..)?;
        let (fixed, outputs) = answer.split_at_checked(ANSWER_WORDS)?;
        let outcome = match fixed[0] as u32 {
            outcome::RETURNED => Outcome::Returned(fixed[1]),
            outcome::MISSING => Outcome::Missing,
            outcome::SKIPPED => Outcome::Skipped {
                reason: (fixed[0] >> 32) as u32,
                detail: fixed[2],
                param: fixed[3] as u32,
            },
            _ => return None,
        };
        Some(Self {
            outcome,
            duration_ns: fixed[4],
            overrun: fixed[5],
            outputs,
        })
    }

    /// What lay behind pointers after the call, in the recorded process's words: handles and device pointers that stand for the same
    /// objects are the recorded ones.
    pub fn outputs(&self) -> Blobs<'a> {
        Blobs(self.outputs)
    }
}

/// Writes an answer.
#[derive(Debug)]
pub struct AnswerWriter<'a> {
    words: &'a mut [u64],
    next: usize,
}

impl<'a> AnswerWriter<'a> {
    /// Into the answer's words of a body.
    pub fn new(words: &'a mut [u64]) -> Self {
        Self {
            words,
            next: ANSWER_WORDS,
        }
    }

    /// What became of the call. The last thing to be written.
    pub fn finish(self, outcome: Outcome, duration_ns: u64, overrun: u64) {
        let Some((fixed, outputs)) = self.words.split_at_mut_checked(ANSWER_WORDS) else {
            return;
        };
        if let Some(end) = outputs.get_mut(self.next - ANSWER_WORDS) {
            *end = NO_MORE;
        }
        fixed[4] = duration_ns;
        fixed[5] = overrun;
        fixed[0] = match outcome {
            Outcome::Returned(word) => {
                fixed[1] = word;
                outcome::RETURNED.into()
            }
            Outcome::Missing => outcome::MISSING.into(),
            Outcome::Skipped {
                reason,
                detail,
                param,
            } => {
                fixed[2] = detail;
                fixed[3] = param.into();
                u64::from(outcome::SKIPPED) | u64::from(reason) << 32
            }
        };
    }

    /// Adds what lies behind a parameter: as much as there is room for, and how much there is.
    pub fn output(&mut self, param: u8, bytes: &[u8]) {
        // One word is for the end.
        let room = (self.words.len()).saturating_sub(self.next + BLOB_WORDS + 1) * 8;
        let kept = &bytes[..bytes.len().min(room)];
        let is_cut = kept.len() < bytes.len();
        let Some(place) = self
            .words
            .get_mut(self.next..self.next + BLOB_WORDS + words_of(kept.len()))
        else {
            return;
        };
        place[0] = u64::from(param)
            | IS_OUT
            | if is_cut { HAS_FULL } else { 0 }
            | (kept.len() as u64) << 32;
        place[1] = bytes.len() as u64;
        let (whole, rest) = kept.as_chunks::<8>();
        for (to, from) in place[BLOB_WORDS..].iter_mut().zip(whole) {
            *to = u64::from_le_bytes(*from);
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            place[BLOB_WORDS + whole.len()] = u64::from_le_bytes(last);
        }
        self.next += place.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_reads_back() {
        let order = Order {
            seq: 41,
            plan: 7,
            depth: 2,
            returned: Some(3),
            is_timed: true,
            is_barred: false,
        };
        let waits = [Wait {
            thread: 5,
            ended: 9,
        }];
        let captures = [
            Captured {
                param: 1,
                out: false,
                bytes: b"cuInit\0",
                full: None,
            },
            Captured {
                param: 0,
                out: true,
                bytes: &[1, 2, 3, 4, 5, 6, 7, 8],
                full: Some(99),
            },
        ];
        let mut slot = Vec::new();
        write(
            &mut slot,
            &order,
            &waits,
            &[10, 20],
            captures.into_iter(),
            4,
        );
        let slot = &mut slot[HEAD_WORDS..];
        let message = Message::read(slot).expect("whole");
        assert_eq!(message.order, order);
        assert_eq!(message.waits().collect::<Vec<_>>(), waits);
        assert_eq!(message.args, [10, 20]);
        assert_eq!(message.captures().collect::<Vec<_>>(), captures);
        assert_eq!(message.capture(0, true), Some(captures[1]));
        let answer_at = message.answer_at;
        let mut writer = AnswerWriter::new(&mut slot[answer_at..]);
        writer.output(0, &[9; 8]);
        writer.output(3, &[8; 100]);
        writer.finish(Outcome::Returned(0), 55, 0);
        let answer = AnswerMessage::read(slot, answer_at).expect("whole");
        assert_eq!(answer.outcome, Outcome::Returned(0));
        let outputs: Vec<_> = answer.outputs().collect();
        assert_eq!(outputs[0].bytes, [9; 8]);
        // No room for more than that there was something.
        assert_eq!((outputs[1].bytes.len(), outputs[1].full), (0, Some(100)));
        assert_eq!((outputs.len(), answer.duration_ns), (2, 55));
        let message = Message::read(slot).expect("the answer leaves it alone");
        assert_eq!(message.order, order);
    }

    #[test]
    fn what_was_overwritten_is_not_believed() {
        let mut slot = Vec::new();
        write(&mut slot, &Order::default(), &[], &[1], [].into_iter(), 0);
        let slot = slot[HEAD_WORDS..].to_vec();
        let answer_at = Message::read(&slot).expect("whole").answer_at;
        assert!(AnswerMessage::read(&slot, answer_at).is_none());
        for place in 0..slot.len() {
            for word in [u64::MAX, 1 << 40, 0xff_ffff] {
                let mut broken = slot.clone();
                broken[place] = word;
                // Must not panic.
                if let Some(message) = Message::read(&broken) {
                    message.captures().count();
                    AnswerMessage::read(&broken, message.answer_at)
                        .map(|answer| answer.outputs().count());
                }
            }
        }
    }
}
