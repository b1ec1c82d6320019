//! A profile that is wrong: told once, with its line; then every call refuses.

use crate::driver::{Library, profile_file, to};

#[test]
fn a_wrong_profile_is_told_once_with_its_line_and_every_call_refuses() {
    const NAME: &str =
        "wrong_profile::a_wrong_profile_is_told_once_with_its_line_and_every_call_refuses";
    let wrong = [
        (
            "unknown-key",
            "extends = \"h100\"\n\ntotal_memry = \"80 GiB\"\n",
            "line 3: unknown key `total_memry`",
            "did you mean \"total_memory\"?",
        ),
        ("not-toml", "name = \n", "line 1: not TOML", ""),
        (
            "bad-size",
            "total_memory = \"80 GB\"\n",
            "line 1: `total_memory`: expected bytes",
            "found \"80 GB\"",
        ),
        (
            "bad-attribute",
            "[attributes]\nwarp_sice = 32\n",
            "line 2: unknown device attribute `warp_sice`",
            "\"warp_size\"",
        ),
        (
            "bad-function",
            "[[fault]]\nfunction = \"cuMemGetInf_v2\"\nerror = 3\n",
            "line 2: `function`",
            "\"cuMemGetInfo_v2\"",
        ),
        (
            "bad-error",
            "[[fault]]\nfunction = \"cuInit\"\nerror = \"CUDA_ERROR_NO_DEVISE\"\n",
            "line 3",
            "\"CUDA_ERROR_NO_DEVICE\"",
        ),
        (
            "bad-when",
            "[[fault]]\nfunction = \"cuInit\"\nerror = 3\nwhen = \"soon\"\n",
            "line 4: `when`",
            "every 4",
        ),
        (
            "bad-set",
            "[[fault]]\nfunction = \"cuMemGetInfo_v2\"\nset = { fre = 1 }\n",
            "line 3: `fre` is not an out parameter",
            "free, total",
        ),
        (
            "bad-base",
            "\nextends = \"h10\"\n",
            "line 2: `extends`",
            "\"h100\"",
        ),
        (
            "too-free",
            "total_memory = 4096\nfree_memory = 8192\n",
            "free_memory (8192 bytes) is more",
            "",
        ),
        (
            "circle",
            "extends = \"./circle.toml\"\n",
            "extend one another",
            "",
        ),
    ];
    for (name, text, line, hint) in wrong {
        let path = profile_file(name, text);
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "wrong_profile::every_call_refuses",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("CUTAPE_SIM_PROFILE", &path)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{NAME} {name}: {errors}");
        assert!(
            errors.contains(line) && errors.contains(hint),
            "{name}: {errors}"
        );
        assert_eq!(
            errors.matches("cutape: simulated driver").count(),
            1,
            "{name}: {errors}"
        );
    }
}

#[test]
#[ignore = "runs as the child of a_wrong_profile_is_told_once_with_its_line_and_every_call_refuses"]
fn every_call_refuses() {
    let cuda = Library::load();
    let mut number = 0i32;
    for _ in 0..2 {
        assert_eq!(cuda.call("cuInit", [0]), 3);
        assert_eq!(cuda.call("cuDriverGetVersion", [to(&mut number)]), 3);
        assert_eq!(cuda.call("cuArray3DCreate_v2", [0, 0]), 3);
        assert_eq!(cuda.call("nvmlInit_v2", []), 1);
    }
}
