//! Module images and copied data: kept once by content, referred to by calls.

use std::fmt;

/// Bytes of a reference in a capture.
pub const REF_BYTES: usize = 48;

/// The BLAKE3 hash of a payload's content: its name in the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PayloadHash(pub [u8; 32]);

impl PayloadHash {
    /// The hash of some content.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// The first four bytes, enough to tell the payloads of one trace apart: `12ab34cd`.
    pub fn short(&self) -> String {
        self.0[..4]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl fmt::Display for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a payload is, as far as its first bytes tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// Bytes of no known form.
    #[default]
    Other,
    /// A fat binary: images for several architectures.
    Fatbin,
    /// An ELF file: a cubin, or a relocatable object.
    Elf,
    /// PTX text.
    Ptx,
    /// Data of a copy.
    Data,
}

/// Numbers of the kinds in a reference, and their names.
const KINDS: [(u8, PayloadKind, &str); 5] = [
    (0, PayloadKind::Other, "image"),
    (1, PayloadKind::Fatbin, "fatbin"),
    (2, PayloadKind::Elf, "cubin"),
    (3, PayloadKind::Ptx, "ptx"),
    (4, PayloadKind::Data, "data"),
];

/// Magic number of a fat binary's header.
const FATBIN_MAGIC: [u8; 4] = 0xba55_ed50u32.to_le_bytes();

impl PayloadKind {
    /// What an image is by its first bytes.
    pub fn of_image(start: &[u8]) -> Self {
        if start.starts_with(&FATBIN_MAGIC) {
            Self::Fatbin
        } else if start.starts_with(b"\x7fELF") {
            Self::Elf
        } else if is_ptx(start) {
            Self::Ptx
        } else {
            Self::Other
        }
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        KINDS
            .iter()
            .find(|(_, kind, _)| *kind == self)
            .map_or("image", |(.., name)| name)
    }

    fn code(self) -> u8 {
        KINDS
            .iter()
            .find(|(_, kind, _)| *kind == self)
            .map_or(0, |(code, ..)| *code)
    }

    fn of_code(code: u8) -> Self {
        KINDS
            .iter()
            .find(|(known, ..)| *known == code)
            .map_or(Self::Other, |(_, kind, _)| *kind)
    }
}

/// PTX is text: comments and blanks, then the directive `.version`.
fn is_ptx(start: &[u8]) -> bool {
    let mut rest = start;
    loop {
        rest = rest.trim_ascii_start();
        let end = match rest {
            [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n'),
            [b'/', b'*', ..] => rest
                .windows(2)
                .position(|two| two == b"*/")
                .map(|at| at + 1),
            _ => return rest.starts_with(b".version"),
        };
        match end {
            Some(end) => rest = &rest[end + 1..],
            // The comment is longer than what is looked at; nothing but text starts with one.
            None => return true,
        }
    }
}

/// Whether a payload is in the trace, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadState {
    /// It is.
    Stored,
    /// It is larger than what a recording keeps of one payload.
    TooLarge,
    /// The memory or the file could not be read.
    Unreadable,
    /// How long it is can't be told: bytes of no known form.
    UnknownLength,
    /// The trace's size limit was reached, or the disk was full.
    NoRoom,
    /// The data was not there yet when the call returned: an asynchronous copy.
    Later,
    /// When the data was known to have come, something else may have been written in its place.
    Overwritten,
    /// A word that this version does not know.
    Unknown(u8),
}

/// Numbers of the states in a reference, and what is said of payloads that are not there.
const STATES: [(u8, PayloadState, &str); 7] = [
    (0, PayloadState::Stored, "stored"),
    (1, PayloadState::TooLarge, "too large"),
    (2, PayloadState::Unreadable, "could not be read"),
    (3, PayloadState::UnknownLength, "length unknown"),
    (4, PayloadState::NoRoom, "no room"),
    (5, PayloadState::Later, "copied later"),
    (6, PayloadState::Overwritten, "perhaps overwritten"),
];

impl PayloadState {
    /// Why it is not there, in a word or three.
    pub fn reason(self) -> &'static str {
        STATES
            .iter()
            .find(|(_, state, _)| *state == self)
            .map_or("unknown reason", |(.., reason)| reason)
    }

    fn code(self) -> u8 {
        match self {
            Self::Unknown(code) => code,
            known => STATES
                .iter()
                .find(|(_, state, _)| *state == known)
                .map_or(0, |(code, ..)| *code),
        }
    }

    fn of_code(code: u8) -> Self {
        STATES
            .iter()
            .find(|(known, ..)| *known == code)
            .map_or(Self::Unknown(code), |(_, state, _)| *state)
    }
}

/// How a call refers to a payload: the content of a capture whose number has [`crate::capture_number::PAYLOAD`] added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadRef {
    /// Its name; `None` where it was not read.
    pub hash: Option<PayloadHash>,
    /// Its length; 0 where that is not known.
    pub bytes: u64,
    /// What it is.
    pub kind: PayloadKind,
    /// Whether it is in the trace.
    pub state: PayloadState,
    /// Number of the asynchronous copy that brings the data, from 1 in each process: it stands in the copy's own reference, and in that of the call
    /// with which the program waited for the data. 0 for all others.
    pub copy: u64,
}

/// The largest number of a copy that a reference has room for.
const MAX_COPY: u64 = (1 << 48) - 1;

impl PayloadRef {
    /// A payload that is in the trace.
    pub fn stored(hash: PayloadHash, bytes: u64, kind: PayloadKind) -> Self {
        Self {
            hash: Some(hash),
            bytes,
            kind,
            state: PayloadState::Stored,
            copy: 0,
        }
    }

    /// A payload that is not.
    pub fn missing(state: PayloadState, bytes: u64, kind: PayloadKind) -> Self {
        Self {
            hash: None,
            bytes,
            kind,
            state,
            copy: 0,
        }
    }

    /// The same, of the asynchronous copy with that number.
    pub fn of_copy(self, copy: u64) -> Self {
        Self {
            copy: copy.min(MAX_COPY),
            ..self
        }
    }

    /// As it stands in a capture: hash (zeros for none), length, kind, state, number of the copy in 6 bytes.
    pub fn to_bytes(&self) -> [u8; REF_BYTES] {
        let mut bytes = [0; REF_BYTES];
        bytes[..32].copy_from_slice(&self.hash.unwrap_or_default().0);
        bytes[32..40].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[40] = self.kind.code();
        bytes[41] = self.state.code();
        bytes[42..].copy_from_slice(&self.copy.to_le_bytes()[..6]);
        bytes
    }

    /// Reads a capture; `None` if it is too short to be one.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; REF_BYTES] = bytes.get(..REF_BYTES)?.try_into().ok()?;
        let (hash, rest) = bytes.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let mut copy = [0; 8];
        copy[..6].copy_from_slice(&rest[2..]);
        Some(Self {
            hash: Some(PayloadHash(*hash)).filter(|hash| hash.0 != [0; 32]),
            bytes: u64::from_le_bytes(*length),
            kind: PayloadKind::of_code(rest[0]),
            state: PayloadState::of_code(rest[1]),
            copy: u64::from_le_bytes(copy),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_comes_back_as_it_went_in() {
        let hash = PayloadHash::of(b"an image");
        for (_, kind, _) in KINDS {
            let stored = PayloadRef::stored(hash, 8, kind);
            assert_eq!(PayloadRef::read(&stored.to_bytes()), Some(stored));
        }
        let states = STATES.iter().map(|(_, state, _)| *state);
        for state in states.chain([PayloadState::Unknown(77)]) {
            let missing = PayloadRef::missing(state, 1 << 40, PayloadKind::Fatbin);
            assert_eq!(PayloadRef::read(&missing.to_bytes()), Some(missing));
            let copied = missing.of_copy(0x1234_5678_9abc);
            assert_eq!(PayloadRef::read(&copied.to_bytes()), Some(copied));
        }
        assert_eq!(PayloadRef::read(&[0; REF_BYTES - 1]), None);
    }

    #[test]
    fn images_are_known_by_their_first_bytes() {
        let of = PayloadKind::of_image;
        assert_eq!(of(&[0x50, 0xed, 0x55, 0xba, 1]), PayloadKind::Fatbin);
        assert_eq!(of(b"\x7fELF\x02"), PayloadKind::Elf);
        assert_eq!(
            of(b"//\n// Generated\n/* by */ .version 8.0"),
            PayloadKind::Ptx
        );
        assert_eq!(of(b"  .target sm_90"), PayloadKind::Other);
        assert_eq!(of(b""), PayloadKind::Other);
    }
}
