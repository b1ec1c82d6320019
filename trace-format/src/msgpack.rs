//! The few msgpack values that blocks are made of: written without a detour, and read from hostile bytes without trusting a length.

/// Appends an unsigned integer in its shortest form.
#[inline]
pub fn write_uint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Appends nil.
pub fn write_nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends a boolean.
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends the head of an array; `length` values follow.
pub fn write_array_len(out: &mut Vec<u8>, length: usize) {
    write_len(out, length, (0x90, 16), None, (0xdc, 0xdd));
}

/// Appends the head of a map; `length` keys and values follow.
pub fn write_map_len(out: &mut Vec<u8>, length: usize) {
    write_len(out, length, (0x80, 16), None, (0xde, 0xdf));
}

/// Appends the head of a byte string; `length` bytes follow.
pub fn write_bin_len(out: &mut Vec<u8>, length: usize) {
    write_len(out, length, (0, 0), Some(0xc4), (0xc5, 0xc6));
}

/// Appends a byte string.
pub fn write_bin(out: &mut Vec<u8>, bytes: &[u8]) {
    write_bin_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a text.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    write_len(out, text.len(), (0xa0, 32), Some(0xd9), (0xda, 0xdb));
    out.extend_from_slice(text.as_bytes());
}

/// `fixed` is (marker, number of lengths that fit into it). No block is longer than 2^32 bytes, so no length is.
fn write_len(
    out: &mut Vec<u8>,
    length: usize,
    fixed: (u8, usize),
    byte: Option<u8>,
    wide: (u8, u8),
) {
    match (length, byte) {
        (_, _) if length < fixed.1 => out.push(fixed.0 | length as u8),
        (0..=0xff, Some(marker)) => out.extend_from_slice(&[marker, length as u8]),
        (0..=0xffff, _) => {
            out.push(wide.0);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(wide.1);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

/// What was wrong with a msgpack value, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: expected {expected}, found {found}")]
pub struct Unexpected {
    /// Byte offset in the block's msgpack.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
    /// What is there.
    pub found: String,
}

/// Nesting that a skipped value may have.
const MAX_DEPTH: u32 = 64;

/// Reads msgpack values one after the other. Lengths are checked against the bytes that are left before anything is made of them.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// From the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// All bytes, from the first one.
    pub fn block(&self) -> &'a [u8] {
        self.bytes
    }

    /// Offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Goes to an offset.
    pub fn seek(&mut self, offset: usize) -> Result<(), Unexpected> {
        if offset > self.bytes.len() {
            return Err(self.unexpected("an offset in the block", offset));
        }
        self.at = offset;
        Ok(())
    }

    /// An error at the present place.
    pub fn unexpected(&self, expected: &'static str, found: impl std::fmt::Display) -> Unexpected {
        Unexpected {
            at: self.at,
            expected,
            found: found.to_string(),
        }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, length: usize, expected: &'static str) -> Result<&'a [u8], Unexpected> {
        if length > self.left() {
            return Err(self.unexpected(
                expected,
                format_args!("{} bytes to the end of the block", self.left()),
            ));
        }
        let taken = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize, expected: &'static str) -> Result<u64, Unexpected> {
        Ok(self
            .take(bytes, expected)?
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// The marker of the next value, not consumed.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn marker(&mut self, expected: &'static str) -> Result<u8, Unexpected> {
        Ok(self.take(1, expected)?[0])
    }

    fn refuse<T>(&mut self, expected: &'static str, marker: u8) -> Result<T, Unexpected> {
        self.at -= 1;
        Err(self.unexpected(expected, format_args!("marker {marker:#04x}")))
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> Result<u64, Unexpected> {
        const EXPECTED: &str = "an unsigned integer";
        match self.marker(EXPECTED)? {
            value @ 0..=0x7f => Ok(value.into()),
            0xcc => self.number(1, EXPECTED),
            0xcd => self.number(2, EXPECTED),
            0xce => self.number(4, EXPECTED),
            0xcf => self.number(8, EXPECTED),
            marker => self.refuse(EXPECTED, marker),
        }
    }

    /// An unsigned integer that fits 32 bits.
    pub fn u32(&mut self) -> Result<u32, Unexpected> {
        let value = self.uint()?;
        u32::try_from(value).map_err(|_| self.unexpected("a number below 2^32", value))
    }

    /// A boolean.
    pub fn bool(&mut self) -> Result<bool, Unexpected> {
        match self.marker("a boolean")? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            marker => self.refuse("a boolean", marker),
        }
    }

    /// An unsigned integer, or nil.
    pub fn optional_uint(&mut self) -> Result<Option<u64>, Unexpected> {
        if self.peek() == Some(0xc0) {
            self.at += 1;
            return Ok(None);
        }
        self.uint().map(Some)
    }

    fn collection_len(
        &mut self,
        fixed: u8,
        wide: (u8, u8),
        expected: &'static str,
    ) -> Result<usize, Unexpected> {
        let length = match self.marker(expected)? {
            marker if marker & 0xf0 == fixed => (marker & 0x0f).into(),
            marker if marker == wide.0 => self.number(2, expected)?,
            marker if marker == wide.1 => self.number(4, expected)?,
            marker => return self.refuse(expected, marker),
        };
        // Every element takes a byte at least, so a longer claim is a lie.
        if length > self.left() as u64 {
            return Err(self.unexpected(expected, format_args!("a claim of {length} elements")));
        }
        Ok(length as usize)
    }

    /// The head of an array. The length is never more than the bytes left.
    pub fn array_len(&mut self) -> Result<usize, Unexpected> {
        self.collection_len(0x90, (0xdc, 0xdd), "an array")
    }

    /// The head of an array that has at least `least` elements.
    pub fn array_of(&mut self, least: usize) -> Result<usize, Unexpected> {
        let length = self.array_len()?;
        if length < least {
            return Err(self.unexpected("a longer array", format_args!("{length} elements")));
        }
        Ok(length)
    }

    /// The head of a map.
    pub fn map_len(&mut self) -> Result<usize, Unexpected> {
        self.collection_len(0x80, (0xde, 0xdf), "a map")
    }

    /// A byte string.
    pub fn bin(&mut self) -> Result<&'a [u8], Unexpected> {
        const EXPECTED: &str = "a byte string";
        let length = match self.marker(EXPECTED)? {
            0xc4 => self.number(1, EXPECTED)?,
            0xc5 => self.number(2, EXPECTED)?,
            0xc6 => self.number(4, EXPECTED)?,
            marker => return self.refuse(EXPECTED, marker),
        };
        self.take(length as usize, EXPECTED)
    }

    /// A text; also taken where a map has its keys.
    pub fn str(&mut self) -> Result<&'a str, Unexpected> {
        const EXPECTED: &str = "a text";
        let length = match self.marker(EXPECTED)? {
            marker @ 0xa0..=0xbf => (marker & 0x1f).into(),
            0xd9 => self.number(1, EXPECTED)?,
            0xda => self.number(2, EXPECTED)?,
            0xdb => self.number(4, EXPECTED)?,
            marker => return self.refuse(EXPECTED, marker),
        };
        let bytes = self.take(length as usize, EXPECTED)?;
        std::str::from_utf8(bytes).map_err(|error| self.unexpected("UTF-8", error))
    }

    /// Passes over one value of any type.
    pub fn skip(&mut self) -> Result<(), Unexpected> {
        self.skip_nested(0)
    }

    /// Passes over what is left of an array of `length` elements of which `read` were read.
    pub fn skip_rest(&mut self, length: usize, read: usize) -> Result<(), Unexpected> {
        for _ in read..length {
            self.skip()?;
        }
        Ok(())
    }

    fn skip_nested(&mut self, depth: u32) -> Result<(), Unexpected> {
        const EXPECTED: &str = "a msgpack value";
        if depth > MAX_DEPTH {
            return Err(self.unexpected("values nested less deeply", depth));
        }
        let marker = self.marker(EXPECTED)?;
        let bytes = match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 0,
            0x80..=0x8f | 0xde | 0xdf => {
                self.at -= 1;
                let pairs = self.map_len()?;
                for _ in 0..2 * pairs {
                    self.skip_nested(depth + 1)?;
                }
                0
            }
            0x90..=0x9f | 0xdc | 0xdd => {
                self.at -= 1;
                for _ in 0..self.array_len()? {
                    self.skip_nested(depth + 1)?;
                }
                0
            }
            0xa0..=0xbf => u64::from(marker & 0x1f),
            0xc4 | 0xd9 => self.number(1, EXPECTED)?,
            0xc5 | 0xda => self.number(2, EXPECTED)?,
            0xc6 | 0xdb => self.number(4, EXPECTED)?,
            0xc7 => self.number(1, EXPECTED)? + 1,
            0xc8 => self.number(2, EXPECTED)? + 1,
            0xc9 => self.number(4, EXPECTED)? + 1,
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 => 2,
            0xca | 0xce | 0xd2 => 4,
            0xcb | 0xcf | 0xd3 => 8,
            0xd4 => 2,
            0xd5 => 3,
            0xd6 => 5,
            0xd7 => 9,
            0xd8 => 17,
            0xc1 => return self.refuse(EXPECTED, marker),
        };
        self.take(bytes as usize, EXPECTED)?;
        Ok(())
    }
}
