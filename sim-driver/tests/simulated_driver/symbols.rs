//! Names: what is exported, and what look-ups answer.

use crate::driver::{Library, in_child, in_child_with, to};

#[test]
fn every_function_of_the_table_is_exported() {
    let cuda = Library::load();
    let missing: Vec<_> = cutape_cuda_api::Api::get()
        .functions()
        .iter()
        .map(|function| function.name.as_str())
        .filter(|name| cuda.symbol(name).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn look_ups_agree_with_the_table_for_every_name_and_version() {
    in_child(
        "symbols::look_ups_agree_with_the_table_for_every_name_and_version",
        "h100",
        |cuda| {
            use cutape_cuda_api::{Api, DefaultStream};
            let api = Api::get();
            let mut compared = 0;
            for function in api.functions().iter().filter(|function| function.since > 0) {
                let name = std::ffi::CString::new(function.base.as_str()).unwrap();
                for version in [function.since - 10, function.since, 12_000, 13_050] {
                    for (flags, stream) in
                        [(0, DefaultStream::Legacy), (2, DefaultStream::PerThread)]
                    {
                        let (mut address, mut status) = (7u64, 7u32);
                        let words = [
                            name.as_ptr() as u64,
                            to(&mut address),
                            u64::from(version),
                            flags,
                            to(&mut status),
                        ];
                        assert_eq!(cuda.call("cuGetProcAddress_v2", words), 0);
                        let expected = api
                            .resolve(&function.base, version, stream)
                            .and_then(|id| cuda.symbol(&api.at(id).name));
                        assert_eq!(
                            address,
                            expected.map_or(0, |symbol| symbol as u64),
                            "{} {version} {flags}",
                            function.base
                        );
                        assert_eq!(status == 0, expected.is_some());
                        compared += 1;
                    }
                }
            }
            assert!(compared > 4000, "only {compared} look-ups were compared");
        },
    );
}

#[test]
fn look_ups_give_its_own_functions_where_another_library_has_the_same_names() {
    const NAME: &str =
        "symbols::look_ups_give_its_own_functions_where_another_library_has_the_same_names";
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, other) = (folder.join("other.c"), folder.join("libother.so"));
    std::fs::write(
        &source,
        "int cuInit(unsigned flags) { return 77 + (int)flags; }\n",
    )
    .unwrap();
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let status = std::process::Command::new(compiler)
        .args(["-shared", "-fPIC", "-o"])
        .args([&other, &source])
        .status()
        .unwrap();
    assert!(status.success());
    in_child_with(NAME, &[("LD_PRELOAD", other.to_str().unwrap())], |cuda| {
        // SAFETY: asks for the first definition in the process.
        let first = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"cuInit".as_ptr()) };
        let own = cuda.symbol("cuInit").unwrap();
        assert_ne!(first, own, "the other library was not loaded");
        let (mut address, mut status) = (0u64, 7u32);
        let words = [
            c"cuInit".as_ptr() as u64,
            to(&mut address),
            12_000,
            0,
            to(&mut status),
        ];
        assert_eq!(cuda.call("cuGetProcAddress_v2", words), 0);
        assert_eq!(address, own as u64);
    });
}
