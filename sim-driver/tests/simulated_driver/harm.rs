//! Faults that harm the process: what is left of a program that called such a driver.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use crate::driver::{Library, child, is_child, profile_file, start, to};

/// Runs the test of that name again in a child, where it calls `body` with a driver whose `cuDeviceGetCount` does what `fault` says;
/// gives how the child ended, and nothing inside the child.
fn harmed(test: &str, fault: &str, body: impl FnOnce(&Library)) -> Option<Output> {
    if is_child() {
        let cuda = Library::load();
        start(&cuda);
        body(&cuda);
        return None;
    }
    let profile = profile_file(
        test,
        &format!("extends = \"h100\"\n[[fault]]\nfunction = \"cuDeviceGetCount\"\n{fault}\n"),
    );
    let test = format!("harm::{test}");
    Some(child(&test, &[("CUTAPE_SIM_PROFILE", &profile)]))
}

fn count(cuda: &Library) -> u32 {
    let mut count = 0i32;
    cuda.call("cuDeviceGetCount", [to(&mut count)])
}

/// Writes without allocating.
fn say(text: &str) {
    // SAFETY: the bytes are those of the text.
    unsafe { libc::write(1, text.as_ptr().cast(), text.len()) };
}

#[test]
fn a_driver_may_end_the_process_by_exit() {
    extern "C" fn at_the_end() {
        say("at the end\n");
    }
    let ended = harmed(
        "a_driver_may_end_the_process_by_exit",
        "exit = 7\nwhen = 2",
        |cuda| {
            // SAFETY: registers a function that takes nothing and stays.
            unsafe { libc::atexit(at_the_end) };
            assert_eq!(count(cuda), 0);
            say("first\n");
            count(cuda);
            say("second\n");
        },
    );
    if let Some(ended) = ended {
        assert_eq!(ended.status.code(), Some(7), "{ended:?}");
        let text = String::from_utf8_lossy(&ended.stdout);
        assert!(text.ends_with("first\nat the end\n"), "{text}");
    }
}

#[test]
fn a_driver_may_write_to_standard_output() {
    let ended = harmed(
        "a_driver_may_write_to_standard_output",
        "prints = \"shim: here\\n\"\nwhen = \"2..3\"\nerror = 999",
        |cuda| {
            for expected in [0, 999, 999, 0] {
                assert_eq!(count(cuda), expected);
                say("call\n");
            }
        },
    );
    if let Some(ended) = ended {
        let text = String::from_utf8_lossy(&ended.stdout);
        let expected = "call\nshim: here\ncall\nshim: here\ncall\ncall\n";
        assert!(
            ended.status.success() && text.contains(expected),
            "{ended:?}"
        );
    }
}

#[test]
fn a_driver_may_close_the_descriptors_of_its_process() {
    let ended = harmed(
        "a_driver_may_close_the_descriptors_of_its_process",
        "close_descriptors = true",
        |cuda| {
            // SAFETY: duplicates a descriptor to some number not below 100.
            let mine = unsafe { libc::fcntl(1, libc::F_DUPFD, 100) };
            assert!(mine >= 100);
            assert_eq!(count(cuda), 0);
            // SAFETY: asks about descriptors.
            let left = [0, 1, 2, mine].map(|number| unsafe { libc::fcntl(number, libc::F_GETFD) });
            assert!(left[..3].iter().all(|&flags| flags >= 0), "{left:?}");
            assert_eq!(left[3], -1);
        },
    );
    if let Some(ended) = ended {
        assert!(ended.status.success(), "{ended:?}");
    }
}

#[test]
fn a_driver_that_corrupts_the_heap_comes_back_and_the_program_dies_of_it_later() {
    let ended = harmed(
        "a_driver_that_corrupts_the_heap_comes_back_and_the_program_dies_of_it_later",
        "scribble = true",
        |cuda| {
            assert_eq!(count(cuda), 0);
            say("came back\n");
            for _ in 0..2 {
                // SAFETY: allocates; that it does not come back is what is tested.
                std::hint::black_box(unsafe { libc::malloc(40) });
            }
            say("still there\n");
        },
    );
    if let Some(ended) = ended {
        assert_eq!(ended.status.signal(), Some(libc::SIGABRT), "{ended:?}");
        let text = String::from_utf8_lossy(&ended.stdout);
        assert!(text.ends_with("came back\n"), "{text}");
    }
}
