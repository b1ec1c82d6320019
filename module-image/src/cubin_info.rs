//! Facts that a cubin states of its functions: `.nv.info` for all of them, `.nv.info.NAME` for one. Each fact is a byte of format, a
//! byte that says which, and two bytes of value, or of the size of what follows. The numbers were measured with ptxas 13.4, whose `-v`
//! tells the same, and with ptxas 12.9.

use std::collections::BTreeMap;

use crate::elf::Bytes;
use crate::image::KernelImage;

const FORMAT_VALUE: u8 = 3;
const FORMAT_SIZED: u8 = 4;
const MAX_THREADS: u8 = 0x05;
const FRAME_BYTES: u8 = 0x11;
const PARAM: u8 = 0x17;
/// Bytes of all parameters; the value stands where others have their size.
const PARAM_BYTES: u8 = 0x19;
const REGISTERS: u8 = 0x2f;
/// What stands in place of [`PARAM`] where all parameters together have more than 4096 bytes (CUDA 12.1 and newer): cuobjdump calls it
/// `EIATTR_KPARAM_INFO_V2`.
const LARGE_PARAM: u8 = 0x45;

/// What `.nv.info` says of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Registers of a thread.
    pub registers: u32,
    /// Local memory of a thread.
    pub frame_bytes: u32,
}

/// A fact with a size: which, and where its content begins.
struct Fact {
    which: u8,
    at: usize,
}

/// All facts that have content; ends at the first one that is cut short.
fn facts(info: &Bytes) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut at = 0;
    while let (Some(head), Some(size)) = (info.part(at, 2), info.u16(at + 2)) {
        at += 4;
        if head[0] != FORMAT_SIZED {
            continue;
        }
        facts.push(Fact { which: head[1], at });
        at += usize::from(size);
    }
    facts
}

/// The facts of `.nv.info`, by the number of the function's symbol.
pub fn of_functions(info: &Bytes) -> BTreeMap<u32, FunctionFacts> {
    let mut functions: BTreeMap<u32, FunctionFacts> = BTreeMap::new();
    for fact in facts(info) {
        let (Some(symbol), Some(value)) = (info.u32(fact.at), info.u32(fact.at + 4)) else {
            continue;
        };
        match fact.which {
            REGISTERS => functions.entry(symbol).or_default().registers = value,
            FRAME_BYTES => functions.entry(symbol).or_default().frame_bytes = value,
            _ => {}
        }
    }
    functions
}

/// The value of the fact that has no content but a value.
fn value_of(info: &Bytes, which: u8) -> Option<u16> {
    let mut at = 0;
    while let (Some(head), Some(size)) = (info.part(at, 2), info.u16(at + 2)) {
        if head == [FORMAT_VALUE, which] {
            return Some(size);
        }
        at += 4 + match head[0] {
            FORMAT_SIZED => usize::from(size),
            _ => 0,
        };
    }
    None
}

/// Adds what `.nv.info.NAME` says to its kernel: parameters and the bound on threads.
pub fn add_to_kernel(info: &Bytes, kernel: &mut KernelImage) {
    let mut params: Vec<(u32, (u32, u32))> = Vec::new();
    for Fact { which, at } in facts(info) {
        match which {
            PARAM => {
                // Index of the parameter list, number of the parameter, its offset, and its bytes in the upper 14 bits.
                if let (Some(number), Some(offset), Some(word)) =
                    (info.u16(at + 4), info.u16(at + 6), info.u32(at + 8))
                {
                    params.push((u32::from(number), (u32::from(offset), word >> 18)));
                }
            }
            LARGE_PARAM => {
                // The same, with bytes in 16 bits, and 16 bits of attributes.
                if let (Some(number), Some(offset), Some(bytes)) =
                    (info.u16(at + 4), info.u16(at + 6), info.u16(at + 8))
                {
                    params.push((number.into(), (offset.into(), bytes.into())));
                }
            }
            MAX_THREADS => {
                let threads = [0, 4, 8].map(|offset| info.u32(at + offset).unwrap_or(1));
                kernel.max_threads = threads.into_iter().fold(1, u32::saturating_mul);
            }
            _ => {}
        }
    }
    params.sort_unstable();
    kernel.params = params.into_iter().map(|(_, param)| param).collect();
    kernel.param_bytes = value_of(info, PARAM_BYTES).map(u32::from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_local_memory_are_known_by_symbol() {
        // As ptxas 13.4 writes it for a kernel of 9 registers and 400 bytes of local memory, and one of 4 and none.
        let info = [
            [0x04, 0x2f, 8, 0, 12, 0, 0, 0, 9, 0, 0, 0],
            [0x04, 0x11, 8, 0, 12, 0, 0, 0, 0x90, 1, 0, 0],
            [0x04, 0x2f, 8, 0, 11, 0, 0, 0, 4, 0, 0, 0],
            [0x04, 0x11, 8, 0, 11, 0, 0, 0, 0, 0, 0, 0],
            [0x04, 0x12, 8, 0, 12, 0, 0, 0, 0x90, 1, 0, 0],
        ]
        .concat();
        let found = of_functions(&Bytes(&info));
        let facts = |registers, frame_bytes| FunctionFacts {
            registers,
            frame_bytes,
        };
        assert_eq!(
            found,
            BTreeMap::from([(11, facts(4, 0)), (12, facts(9, 400))])
        );
    }

    #[test]
    fn parameters_of_more_than_a_page_are_known() {
        // As ptxas 12.9 and 13.4 write it for `.b8 big[32000], .u64 to, .u32 count, .u16 half`.
        let info = [
            &[0x04, 0x45, 12, 0, 0, 0, 0, 0, 3, 0, 0x0c, 0x7d, 2, 0, 0, 0][..],
            &[0x04, 0x45, 12, 0, 0, 0, 0, 0, 2, 0, 0x08, 0x7d, 4, 0, 0, 0],
            &[0x04, 0x45, 12, 0, 0, 0, 0, 0, 1, 0, 0x00, 0x7d, 8, 0, 0, 0],
            &[0x04, 0x45, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x7d, 0, 0],
            &[0x03, 0x19, 0x0e, 0x7d],
        ]
        .concat();
        let mut kernel = KernelImage::default();
        add_to_kernel(&Bytes(&info), &mut kernel);
        let params = [(0, 32000), (32000, 8), (32008, 4), (32012, 2)];
        assert_eq!(kernel.known_params(), Some(&params[..]));
        assert_eq!(kernel.param_bytes, Some(32014));
    }

    #[test]
    fn facts_that_are_cut_short_are_left_out() {
        let info = [0x04, 0x2f, 8, 0, 12, 0, 0, 0, 9, 0];
        assert!(of_functions(&Bytes(&info)).is_empty());
    }
}
