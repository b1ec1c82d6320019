//! The linker: images put together, and loaded.

use crate::driver::{Library, in_child, start, to};

const PTX: u64 = 1;
const HEAD: &str = ".version 7.0\n.target sm_50\n.address_size 64\n";

fn kernel(name: &str) -> String {
    format!("{HEAD}.visible .entry {name}(.param .u64 {name}_0)\n{{\n ret;\n}}\n\0")
}

fn link(cuda: &Library) -> u64 {
    let mut state = 0u64;
    assert_eq!(cuda.call("cuLinkCreate_v2", [0, 0, 0, to(&mut state)]), 0);
    state
}

fn add(cuda: &Library, state: u64, kind: u64, input: &[u8]) -> u32 {
    let data = input.as_ptr() as u64;
    let words = [state, kind, data, input.len() as u64, 0, 0, 0, 0];
    cuda.call("cuLinkAddData_v2", words)
}

fn has(cuda: &Library, module: u64, name: &std::ffi::CStr) -> u32 {
    let mut function = 0u64;
    let words = [to(&mut function), module, name.as_ptr() as u64];
    cuda.call("cuModuleGetFunction", words)
}

#[test]
fn what_was_linked_is_loaded_and_linked_again() {
    in_child(
        "linker::what_was_linked_is_loaded_and_linked_again",
        "h100",
        |cuda| {
            start(cuda);
            let state = link(cuda);
            assert_eq!(add(cuda, state, PTX, kernel("one").as_bytes()), 0);
            assert_eq!(add(cuda, state, PTX, kernel("two").as_bytes()), 0);
            let (mut file, mut bytes) = (0u64, 0usize);
            let words = [state, to(&mut file), to(&mut bytes)];
            assert_eq!(cuda.call("cuLinkComplete", words), 0);
            // Nothing can be added to what is complete.
            assert_eq!(add(cuda, state, PTX, kernel("three").as_bytes()), 1);
            let (mut module, mut both) = (0u64, 0u64);
            assert_eq!(cuda.call("cuModuleLoadData", [to(&mut module), file]), 0);
            assert_eq!(
                (has(cuda, module, c"one"), has(cuda, module, c"two")),
                (0, 0)
            );
            // The program keeps such files, as CuPy does in its cache.
            // SAFETY: the call said that so many bytes lie there; they live as long as the state.
            let kept = unsafe { std::slice::from_raw_parts(file as usize as *const u8, bytes) };
            let kept = kept.to_vec();
            assert!(kept.starts_with(b"\x7fELF"));
            assert_eq!(cuda.call("cuLinkDestroy", [state]), 0);
            assert_eq!(cuda.call("cuLinkDestroy", [state]), 400);
            let again = link(cuda);
            assert_eq!(add(cuda, again, 0, &kept), 0);
            assert_eq!(add(cuda, again, PTX, kernel("three").as_bytes()), 0);
            let words = [again, to(&mut file), to(&mut bytes)];
            assert_eq!(cuda.call("cuLinkComplete", words), 0);
            assert_eq!(cuda.call("cuModuleLoadData", [to(&mut both), file]), 0);
            for name in [c"one", c"two", c"three"] {
                assert_eq!(has(cuda, both, name), 0);
            }
            assert_eq!(has(cuda, both, c"four"), 500);
        },
    );
}

#[test]
fn inputs_that_are_none_are_refused() {
    in_child("linker::inputs_that_are_none_are_refused", "h100", |cuda| {
        start(cuda);
        let state = link(cuda);
        let (mut file, mut bytes) = (0u64, 0usize);
        let words = [state, to(&mut file), to(&mut bytes)];
        assert_eq!(cuda.call("cuLinkComplete", words), 1, "nothing to link");
        assert_eq!(add(cuda, state, PTX, kernel("one").as_bytes()), 0);
        assert_eq!(
            add(cuda, state, PTX, kernel("one").as_bytes()),
            200,
            "twice"
        );
        assert_eq!(add(cuda, state, PTX, b"no code at all\0"), 200);
        let newer = kernel("two").replace("7.0", "99.0");
        assert_eq!(add(cuda, state, PTX, newer.as_bytes()), 222);
        assert_eq!(add(cuda, state, 9, kernel("two").as_bytes()), 1);
        assert_eq!(add(cuda, state, 5, b"BC\xc0\xde"), 801);
        assert_eq!(add(cuda, 0, PTX, kernel("two").as_bytes()), 400);
        let path = c"/nowhere/at/all.ptx".as_ptr() as u64;
        assert_eq!(
            cuda.call("cuLinkAddFile_v2", [state, PTX, path, 0, 0, 0]),
            301
        );
    });
}

#[test]
fn a_program_that_wants_the_linker_s_messages_is_told_that_there_are_none() {
    in_child(
        "linker::a_program_that_wants_the_linker_s_messages_is_told_that_there_are_none",
        "h100",
        |cuda| {
            start(cuda);
            let mut log = *b"not written";
            // CU_JIT_ERROR_LOG_BUFFER and its size, which goes both ways.
            let mut options = [5u32, 6];
            let mut values = [to(&mut log), log.len() as u64];
            let mut state = 0u64;
            let words = [2, to(&mut options), to(&mut values), to(&mut state)];
            assert_eq!(cuda.call("cuLinkCreate_v2", words), 0);
            assert_eq!(add(cuda, state, PTX, kernel("one").as_bytes()), 0);
            let (mut file, mut bytes) = (0u64, 0usize);
            let words = [state, to(&mut file), to(&mut bytes)];
            assert_eq!(cuda.call("cuLinkComplete", words), 0);
            assert_eq!((log[0], values[1]), (0, 0));
        },
    );
}
