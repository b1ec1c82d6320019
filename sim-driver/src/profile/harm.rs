//! What a faulty driver does to the process that loaded it.

use std::ffi::c_void;

/// Below this are the descriptors that every program has: standard input, output and error.
const FIRST_OF_THE_PROGRAM: libc::c_int = 3;

/// Writes the text to standard output, past the program's own buffers, as a driver's stray message does.
pub fn print(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        // SAFETY: the bytes are those of the text.
        let written = unsafe { libc::write(libc::STDOUT_FILENO, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => rest = &rest[written..],
            Err(_) if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            // A program that closed its output does not see the message.
            _ => return,
        }
    }
}

/// Closes every descriptor but the three standard ones, as code does that takes the process for its own.
pub fn close_descriptors() {
    // SAFETY: takes numbers only. What the program loses by it is what the profile asked for.
    if unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST_OF_THE_PROGRAM,
            libc::c_uint::MAX,
            0,
        )
    } == 0
    {
        return;
    }
    // Before Linux 5.9: one by one, up to the limit.
    // SAFETY: asks for a number, and takes numbers.
    let limit = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    for descriptor in FIRST_OF_THE_PROGRAM..libc::c_int::try_from(limit).unwrap_or(1024) {
        // SAFETY: as above.
        unsafe { libc::close(descriptor) };
    }
}

/// Writes into memory that was freed. glibc keeps what a thread has freed of each small size in a list that runs through the freed
/// blocks; with the links overwritten, the second allocation of any small size in this thread ends the process
/// (`malloc(): unaligned tcache chunk detected`), at a later call or in the program's own code, and always at the same place.
pub fn scribble() {
    const SMALLEST_BYTES: usize = 24;
    const LARGEST_BYTES: usize = 1032;
    const STEP_BYTES: usize = 16;
    for bytes in (SMALLEST_BYTES..=LARGEST_BYTES).step_by(STEP_BYTES) {
        // SAFETY: allocates two blocks and frees them; the list then has a link to overwrite, whatever it held before.
        let block = unsafe {
            let blocks = [libc::malloc(bytes), libc::malloc(bytes)];
            blocks.iter().for_each(|&block| libc::free(block));
            blocks[1]
        };
        if !block.is_null() {
            overwrite(block);
        }
    }
}

/// Hides from the compiler that the block was freed, which it would otherwise take as a reason to leave the write out.
#[inline(never)]
fn overwrite(block: *mut c_void) {
    const NO_LINK: u64 = 0x5c5c_5c5c_5c5c_5c5c;
    let block = std::hint::black_box(block.addr());
    // SAFETY: not sound, and meant not to be: a profile asks for a driver that corrupts the heap. The address is mapped, because small
    // blocks are parts of a heap that stays.
    unsafe { (block as *mut u64).write_volatile(NO_LINK) };
}

/// The call never comes back.
pub fn hang() -> ! {
    loop {
        // SAFETY: waits for a signal; a handler that returns lets it wait again.
        unsafe { libc::pause() };
    }
}

/// The call ends the process by `exit`, so that the program's own functions for its end still run.
pub fn exit(code: i32) -> ! {
    // SAFETY: takes a number; what runs at the program's end is the program's.
    unsafe { libc::exit(code) }
}

/// The process gets a signal, as from a crash inside the driver.
pub fn crash(signal: i32) -> ! {
    // SAFETY: `raise` takes any signal number; the program's handler runs first, as it would after a real crash.
    unsafe { libc::raise(signal) };
    // The handler came back. Where the processor raises the signal, the instruction runs again and the program gets nowhere; here,
    // the default action ends it.
    // SAFETY: resets one signal of this process and sends it to this thread.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
        libc::abort()
    }
}
