//! From a return address, registers and a piece of the stack to the return addresses above.

use std::collections::HashMap;
use std::sync::Arc;

use cutape_trace_format::code_reader::LoadedFiles;
use cutape_trace_format::metadata::Library;
use cutape_trace_format::stack_memory::StackMemory;
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};

use crate::program_file::ProgramFile;
use crate::program_files::Opened;

/// Steps through a stack at most.
pub const MAX_FRAMES: usize = 256;

/// `mov rax, SYS_rt_sigreturn; syscall`: where signal handlers return to.
const SIGNAL_RETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
/// Registers of the interrupted code, from the stack pointer there: struct ucontext of the kernel's uapi/asm/ucontext.h, then struct
/// sigcontext_64.
const SAVED_BP: u64 = 120;
const SAVED_SP: u64 = 160;
const SAVED_IP: u64 = 168;
/// The longest call instruction that ends before a return address, without prefixes.
const LONGEST_CALL: usize = 7;

/// The program files of one process, as far as stacks led through them.
pub struct ProcessFiles {
    unwinder: UnwinderX86_64<Arc<[u8]>>,
    cache: CacheX86_64,
    /// By address, what is known to the unwinder.
    mapped: HashMap<u64, Library>,
}

impl Default for ProcessFiles {
    fn default() -> Self {
        Self {
            unwinder: UnwinderX86_64::new(),
            cache: CacheX86_64::new(),
            mapped: HashMap::new(),
        }
    }
}

impl ProcessFiles {
    /// The return addresses above `caller`, the innermost first, up to the first one that is not sure.
    pub fn walk(
        &mut self,
        opened: &mut Opened,
        loaded: &LoadedFiles<'_>,
        caller: u64,
        stack: &StackMemory,
    ) -> Vec<u64> {
        let mut registers = UnwindRegsX86_64::new(caller, stack.stack_pointer, stack.frame_pointer);
        let mut addresses = Vec::new();
        let mut address = FrameAddress::from_return_address(caller);
        while let Some(here) = address
            && addresses.len() < MAX_FRAMES
        {
            address = self.step(opened, loaded, here, &mut registers, stack);
            addresses.extend(address.map(FrameAddress::address));
        }
        addresses
    }

    /// Where the function at an address returns to.
    fn step(
        &mut self,
        opened: &mut Opened,
        loaded: &LoadedFiles<'_>,
        here: FrameAddress,
        registers: &mut UnwindRegsX86_64,
        stack: &StackMemory,
    ) -> Option<FrameAddress> {
        let (library, offset) = loaded.at(here.address_for_lookup())?;
        let program = opened.file(library)?;
        // Signal handlers return to the first instruction, and to none behind a call.
        if here.is_return_address() && is_signal_return(&program, offset + 1) {
            return interrupted(registers, stack);
        }
        self.know(library, &program)?;
        let mut read = |address| stack.word(address).ok_or(());
        let next = self
            .unwinder
            .unwind_frame(here, registers, &mut self.cache, &mut read);
        let next = next.ok()??;
        // Where a file says nothing of an address, the frame pointer is followed, which may be a number like any other.
        let (library, offset) = loaded.at(next.checked_sub(1)?)?;
        let program = opened.file(library)?;
        let is_sure =
            is_behind_call(&program, offset + 1) || is_signal_return(&program, offset + 1);
        FrameAddress::from_return_address(next).filter(|_| is_sure)
    }

    /// Lets the unwinder know of a mapped file.
    fn know(&mut self, library: &Library, program: &ProgramFile) -> Option<()> {
        match self.mapped.get(&library.start) {
            Some(known) if known == library => return Some(()),
            Some(_) => self.unwinder.remove_module(library.start),
            None => {}
        }
        let bias = library
            .start
            .wrapping_sub(program.address_of(library.file_offset)?);
        let (range, path) = (library.start..library.end, library.path.clone());
        let module = Module::new(path, range, bias, unwind_sections(program));
        self.unwinder.add_module(module);
        self.mapped.insert(library.start, library.clone());
        Some(())
    }
}

fn unwind_sections(program: &ProgramFile) -> ExplicitModuleSectionInfo<Arc<[u8]>> {
    let range = |name: &str| {
        let section = program.section(name)?;
        Some(section.address..section.address.checked_add(section.bytes)?)
    };
    let content = |name: &str| program.content(program.section(name)?);
    ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        got_svma: range(".got"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: content(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: content(".eh_frame_hdr"),
        debug_frame: content(".debug_frame"),
        ..ExplicitModuleSectionInfo::default()
    }
}

fn is_signal_return(program: &ProgramFile, offset: u64) -> bool {
    let code = program.bytes(offset, SIGNAL_RETURN.len() as u64);
    code.is_some_and(|code| code == SIGNAL_RETURN)
}

/// Goes on where a signal came. On a signal stack of its own that is another stack, and the walk ends there.
fn interrupted(registers: &mut UnwindRegsX86_64, stack: &StackMemory) -> Option<FrameAddress> {
    let saved = |at: u64| stack.word(registers.sp().checked_add(at)?);
    let (ip, sp, bp) = (saved(SAVED_IP)?, saved(SAVED_SP)?, saved(SAVED_BP)?);
    *registers = UnwindRegsX86_64::new(ip, sp, bp);
    Some(FrameAddress::from_instruction_pointer(ip))
}

/// Whether a call instruction ends at an offset of a file.
fn is_behind_call(program: &ProgramFile, offset: u64) -> bool {
    let start = offset.saturating_sub(LONGEST_CALL as u64);
    let Some(code) = program.bytes(start, offset - start) else {
        return false;
    };
    ends_with_call(&code)
}

/// `call rel32`, or `call` through a register or memory: opcode FF with 2 in the middle of the next byte, in the lengths that it has.
fn ends_with_call(code: &[u8]) -> bool {
    let from_end = |bytes: usize| code.len().checked_sub(bytes).map(|at| &code[at..]);
    let direct = from_end(5).is_some_and(|code| code[0] == 0xe8);
    direct
        || [2, 3, 4, 6, 7].into_iter().any(|bytes| {
            from_end(bytes).is_some_and(|code| code[0] == 0xff && code[1] >> 3 & 7 == 2)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_instructions_are_told_from_others() {
        let calls: [&[u8]; 8] = [
            &[0x90, 0xe8, 1, 2, 3, 4],
            &[0xff, 0xd0],
            &[0x41, 0xff, 0xd4],
            &[0xff, 0x50, 0x18],
            &[0xff, 0x54, 0x24, 0x08],
            &[0xff, 0x15, 1, 2, 3, 4],
            &[0xff, 0x90, 1, 2, 3, 4],
            &[0xff, 0x94, 0x24, 1, 2, 3, 4],
        ];
        for code in calls {
            assert!(ends_with_call(code), "{code:x?}");
        }
        let others: [&[u8]; 5] = [
            &[],
            &[0xe8],
            &[0x90; 7],
            // jmp rax, jmp [rip+...]
            &[0x90, 0x90, 0xff, 0xe0],
            &[0xff, 0x25, 1, 2, 3, 4],
        ];
        for code in others {
            assert!(!ends_with_call(code), "{code:x?}");
        }
    }
}
