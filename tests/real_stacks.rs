//! Call stacks through real software: from the call that costs GGML its GPU to `main`, and through PyTorch's libraries.

mod support;

use cutape_test_clients::real::LlamaCpp;
use cutape_test_clients::{find_or_skip, python};
use serde_json::Value;
use support::{End, cutape, finish};

const BROKEN: &str = "sim:shim-uninitialized";

/// File and function of each place on the stack of the call that failed for want of initialisation.
fn stack_of_failure(trace: &std::path::Path) -> Vec<(String, String)> {
    let words = [
        "print",
        "--format",
        "jsonl",
        "-e",
        "cuMemGetInfo and ret == NOT_INITIALIZED",
    ];
    let printed = finish(cutape(words).arg(trace));
    assert_eq!(printed.end, End::Code(0), "{}", printed.stderr);
    let call = printed.stdout.lines().nth(1).expect("such a call");
    let call: Value = serde_json::from_str(call).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let file = |module: String| module.rsplit('/').next().unwrap_or_default().to_owned();
    let places = call["stack"].as_array().expect("its stack").iter();
    places
        .map(|place| (file(text(&place["module"])), text(&place["symbol"])))
        .collect()
}

/// Whether these places are on a stack, in this order from the innermost, by the beginnings of files and functions.
fn has(stack: &[(String, String)], wanted: &[(&str, &str)]) -> bool {
    let mut places = stack.iter();
    wanted.iter().all(|(file, function)| {
        places.any(|place| place.0.starts_with(file) && place.1.starts_with(function))
    })
}

#[test]
fn ggmls_question_for_memory_leads_back_to_main() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("ggml.cutape");
    let mut command = cutape(["record", "--driver", BROKEN, "-o"]);
    command.arg(&trace).arg("--");
    llama.add_backend(&mut command);
    let recorded = finish(&mut command);
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    let stack = stack_of_failure(&trace);
    let way = [
        ("libcudart.so.13", ""),
        ("libcudart.so.13", "cudaMemGetInfo"),
        ("libggml-cuda.so", "ggml_backend_cuda_device_get_memory"),
        ("ggml_backend", "main"),
        ("libc.so.6", "__libc_start"),
    ];
    assert!(has(&stack, &way), "{stack:#?}");
    // What is not exported of a stripped library has no name, and nobody else's.
    assert_eq!(stack[0].1, "");
    let told = finish(cutape(["doctor"]).arg(&trace)).stdout;
    assert!(
        told.contains("> libggml-cuda.so ggml_backend_cuda_device_get_memory+0x"),
        "{told}"
    );
}

#[test]
fn pytorchs_libraries_are_named_up_to_the_interpreter() {
    let Some(torch) = find_or_skip("torch") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("torch.cutape");
    let script = "import torch
torch.zeros(1, device='cuda')
try:
    torch.cuda.mem_get_info()
except Exception:
    pass";
    let mut command = cutape(["record", "--driver", BROKEN, "-o"]);
    command.arg(&trace).arg("--").arg(python::interpreter());
    let recorded = finish(command.args(["-c", script]).env("PYTHONPATH", torch));
    assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
    let stack = stack_of_failure(&trace);
    let way = [
        ("libcudart.so.13", "cudaMemGetInfo"),
        (
            "libtorch_python.so",
            "torch::cuda::shared::initCudartBindings",
        ),
        ("libtorch_python.so", "pybind11::cpp_function::dispatcher"),
        ("", "_PyEval_EvalFrameDefault"),
        ("", "Py_RunMain"),
    ];
    assert!(has(&stack, &way), "{stack:#?}");
    let named = finish(cutape(["stats", "--by", "caller"]).arg(&trace)).stdout;
    assert!(named.contains("libtorch_cuda.so at::cuda::"), "{named}");
}
