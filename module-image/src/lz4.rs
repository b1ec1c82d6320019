//! LZ4 blocks, in which fat binaries keep compressed entries. The block format is public (lz4_Block_format.md of the LZ4 project).

/// The unpacked bytes, if the block is sound and unpacks to exactly that many.
pub fn unpack(block: &[u8], bytes: usize) -> Option<Vec<u8>> {
    /// Entries are code; a declared size beyond this is damage, not code.
    const MOST_BYTES: usize = 1 << 30;
    const SHORTEST_MATCH: usize = 4;
    if bytes > MOST_BYTES {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.min(block.len().saturating_mul(255)));
    let mut at = 0;
    while at < block.len() {
        let token = block[at];
        at += 1;
        let literals = length(block, &mut at, usize::from(token >> 4))?;
        out.extend_from_slice(block.get(at..at.checked_add(literals)?)?);
        at += literals;
        if at == block.len() {
            break;
        }
        let distance = usize::from(u16::from_le_bytes(block.get(at..at + 2)?.try_into().ok()?));
        at += 2;
        let matched = SHORTEST_MATCH + length(block, &mut at, usize::from(token & 0xf))?;
        let begin = out.len().checked_sub(distance).filter(|_| distance > 0)?;
        if out.len() + matched > bytes {
            return None;
        }
        // The match may reach into the bytes that it makes.
        for place in begin..begin + matched {
            out.push(out[place]);
        }
    }
    (out.len() == bytes).then_some(out)
}

/// A length of 15 goes on in further bytes, as long as they are 255.
fn length(block: &[u8], at: &mut usize, first: usize) -> Option<usize> {
    let mut length = first;
    if first == 15 {
        loop {
            let byte = *block.get(*at)?;
            *at += 1;
            length = length.checked_add(usize::from(byte))?;
            if byte != 255 {
                break;
            }
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::unpack;

    #[test]
    fn literals_and_overlapping_matches_unpack() {
        // "abc", then 9 bytes from 3 back, then "xyz".
        let block = [0x35, b'a', b'b', b'c', 3, 0, 0x30, b'x', b'y', b'z'];
        assert_eq!(unpack(&block, 15).as_deref(), Some(&b"abcabcabcabcxyz"[..]));
    }

    #[test]
    fn damaged_blocks_are_refused() {
        let block = [0x35, b'a', b'b', b'c', 3, 0, 0x30, b'x', b'y', b'z'];
        assert_eq!(unpack(&block, 14), None);
        assert_eq!(unpack(&block[..9], 15), None);
        assert_eq!(unpack(&[0x30, b'a'], 3), None);
        assert_eq!(unpack(&[0x14, b'a', 2, 0, 0], 9), None);
        assert_eq!(unpack(&[0xf0, 255, 255], 9), None);
    }
}
