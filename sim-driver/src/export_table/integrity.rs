//! The check by which the CUDA runtime makes sure that it talks to the driver that it found: a keyed digest over addresses of this
//! process, its thread, the time and the devices. What goes in was learnt by others from running programs (ZLUDA's `dark_api` says it
//! in code); it is interoperability, and protects nothing.

use super::md2::{self, keyed_digest};
use crate::driver::Driver;

/// The key of the digest.
const KEY: [u8; md2::BYTES] = [
    0x14, 0x6a, 0xdd, 0xae, 0x53, 0xa9, 0xa7, 0x52, 0xaa, 0x08, 0x41, 0x36, 0x0b, 0xf5, 0x5a, 0x9f,
];
/// The answers to the two questions that are the same everywhere: versions that end in 0 and in 1.
const FIXED: [[u64; 2]; 2] = [
    [0x3341_181c_03cb_675c, 0x8ed3_83aa_1f4c_d1e8],
    [0x1841_181c_03cb_675c, 0x8ed3_83aa_1f4c_d1e8],
];

/// What the runtime asks with.
#[derive(Clone, Copy)]
pub struct Question {
    pub version: u32,
    pub unix_seconds: u64,
}

/// Where the tables lie that the runtime has seen.
#[derive(Clone, Copy)]
pub struct Addresses {
    pub cudart_interface: u64,
    pub integrity_check: u64,
    pub check_function: u64,
}

/// The answer.
pub fn answer(driver: &Driver, question: Question, addresses: Addresses) -> [u64; 2] {
    if let Some(fixed) = FIXED.get(question.version as usize % 10) {
        return *fixed;
    }
    // SAFETY: takes nothing and always succeeds.
    let thread = unsafe { libc::pthread_self() } as u32;
    let mut message = Vec::new();
    for word in [
        driver.profile.cuda_version.cast_unsigned(),
        question.version,
        std::process::id(),
        thread,
    ] {
        message.extend(word.to_le_bytes());
    }
    let Addresses {
        cudart_interface,
        integrity_check,
        check_function,
    } = addresses;
    for word in [
        cudart_interface,
        integrity_check,
        check_function,
        question.unix_seconds,
    ] {
        message.extend(word.to_le_bytes());
    }
    for device in driver.devices() {
        message.extend(device.uuid);
        for word in [device.pci.domain, device.pci.bus, device.pci.device] {
            message.extend(word.to_le_bytes());
        }
    }
    let digest = keyed_digest(&KEY, &message);
    let half = |from: usize| {
        digest[from..from + 8]
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    [half(0), half(8)]
}
