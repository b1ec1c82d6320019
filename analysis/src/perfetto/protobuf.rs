//! The wire format of Protocol Buffers, as far as it takes to write messages: fields in the order in which they are pushed.
//! <https://protobuf.dev/programming-guides/encoding/>

/// Number of a field in its message.
pub(super) type Field = u32;

const VARINT: u32 = 0;
const FIXED_64: u32 = 1;
const LENGTH: u32 = 2;

/// Adds fields of a message to bytes.
#[derive(Debug)]
pub(super) struct Message<'a>(&'a mut Vec<u8>);

impl<'a> Message<'a> {
    /// A message whose fields are appended to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self(out)
    }

    fn tag(&mut self, field: Field, wire_type: u32) {
        push_varint(self.0, u64::from(field << 3 | wire_type));
    }

    /// Adds an unsigned number, an enumeration's value or a boolean.
    pub fn uint(&mut self, field: Field, value: u64) {
        self.tag(field, VARINT);
        push_varint(self.0, value);
    }

    /// Adds a number of type `int64` or `int32`.
    pub fn int(&mut self, field: Field, value: i64) {
        self.uint(field, value.cast_unsigned());
    }

    /// Adds a number of type `fixed64`.
    pub fn fixed(&mut self, field: Field, value: u64) {
        self.tag(field, FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Adds a number of type `double`.
    pub fn double(&mut self, field: Field, value: f64) {
        self.fixed(field, value.to_bits());
    }

    /// Adds a text or bytes.
    pub fn bytes(&mut self, field: Field, value: &[u8]) {
        self.tag(field, LENGTH);
        push_varint(self.0, value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// Adds a message inside this one.
    pub fn message(&mut self, field: Field, write: impl FnOnce(&mut Message<'_>)) {
        self.tag(field, LENGTH);
        let start = self.0.len();
        write(&mut Message(self.0));
        // The length stands before the message and is known after it; most are short, so little has to move.
        let mut length = [0; MAX_VARINT];
        let bytes = encode_varint((self.0.len() - start) as u64, &mut length);
        self.0.splice(start..start, length[..bytes].iter().copied());
    }
}

/// Bytes of the longest varint.
const MAX_VARINT: usize = 10;

fn push_varint(out: &mut Vec<u8>, value: u64) {
    let mut bytes = [0; MAX_VARINT];
    let count = encode_varint(value, &mut bytes);
    out.extend_from_slice(&bytes[..count]);
}

/// Writes seven bits a byte, lowest first; returns the number of bytes.
fn encode_varint(mut value: u64, bytes: &mut [u8; MAX_VARINT]) -> usize {
    let mut count = 0;
    while value >= 0x80 {
        bytes[count] = value as u8 | 0x80;
        value >>= 7;
        count += 1;
    }
    bytes[count] = value as u8;
    count + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_encoding_guide() {
        let mut out = Vec::new();
        let mut message = Message::new(&mut out);
        message.uint(1, 150);
        message.bytes(2, b"testing");
        message.message(3, |inner| inner.uint(1, 150));
        message.int(4, -2);
        let expected = b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x20\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_long_message_has_a_long_length() {
        let mut out = Vec::new();
        Message::new(&mut out).message(1, |inner| inner.bytes(2, &[7; 300]));
        assert_eq!(out[..6], [0x0a, 0xaf, 0x02, 0x12, 0xac, 0x02]);
        assert_eq!(out.len(), 6 + 300);
    }
}
