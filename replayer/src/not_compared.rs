//! Why what a copy has brought to the host was not compared.

use serde::Serialize;

/// Why what a copy has brought to the host was not compared, where the recording says something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum NotCompared {
    /// An asynchronous copy, and no recorded call has waited for it.
    NeverWaitedFor,
    /// Something else may have been written there before the data was known to have come.
    Overwritten,
    /// The recording has no data: too large, unreadable, no room.
    NotRecorded,
    /// More than is compared.
    TooLarge,
    /// What is copied may be something else than when it was recorded, for reasons that are no fault of the driver's.
    UnknownSource,
    /// The program asked whether the data had come, and it had; here it has not yet.
    NotReady,
}

impl NotCompared {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NeverWaitedFor,
        Self::Overwritten,
        Self::NotRecorded,
        Self::TooLarge,
        Self::UnknownSource,
        Self::NotReady,
    ];

    /// Its stable name in reports: `never-waited-for`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverWaitedFor => "never-waited-for",
            Self::Overwritten => "overwritten",
            Self::NotRecorded => "not-recorded",
            Self::TooLarge => "too-large",
            Self::UnknownSource => "unknown-source",
            Self::NotReady => "not-ready",
        }
    }

    /// One line for people.
    pub fn why(self) -> &'static str {
        match self {
            Self::NeverWaitedFor => "no recorded call has waited for the data",
            Self::Overwritten => {
                "something else may have been written there before the program waited"
            }
            Self::NotRecorded => "the recording doesn't have the data",
            Self::TooLarge => "more than is compared",
            Self::UnknownSource => "what is copied may be other data than when it was recorded",
            Self::NotReady => "the program was told that the data is there, and here it isn't yet",
        }
    }

    /// As an output in place of a reference to the data; `copy` is the number of an asynchronous copy, or 0.
    pub(crate) fn to_bytes(self, copy: u64) -> [u8; BYTES] {
        let mut bytes = [self as u8; BYTES];
        bytes[1..].copy_from_slice(&copy.to_le_bytes());
        bytes
    }

    /// Reads an output; `None` if it is none of these.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, u64)> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let (code, copy) = bytes.split_first_chunk::<1>()?;
        let reason = Self::ALL.get(usize::from(code[0])).copied()?;
        Some((reason, u64::from_le_bytes(copy.try_into().ok()?)))
    }
}

/// Bytes of such an output: fewer than any reference has.
const BYTES: usize = 9;

#[cfg(test)]
mod tests {
    use super::NotCompared;

    #[test]
    fn a_reason_comes_back_as_it_went() {
        for reason in NotCompared::ALL {
            let bytes = reason.to_bytes(1 << 40);
            assert_eq!(NotCompared::read(&bytes), Some((reason, 1 << 40)));
        }
        assert_eq!(NotCompared::read(&[6; 9]), None);
        assert_eq!(NotCompared::read(&[0; 48]), None);
    }
}
