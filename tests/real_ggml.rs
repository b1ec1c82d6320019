//! llama.cpp's own libraries and cuBLAS on the simulated GPU, alone and recorded: the same outcome both times.

mod support;

use std::path::{Path, PathBuf};

use cutape_test_clients::real::{self, LlamaCpp};
use support::{End, Finished, Recorded, client, cutape, finish};

/// A client, its arguments and its library path.
struct Run {
    client: &'static str,
    arguments: Vec<PathBuf>,
    library_path: String,
}

impl Run {
    /// GGML's CUDA backend, with the plainest CPU backend to fall back to.
    fn of_ggml(llama: &LlamaCpp) -> Self {
        Self {
            client: "ggml_backend",
            arguments: llama.backend_libraries().into(),
            library_path: llama.library_path.clone(),
        }
    }

    /// Runs it on a profile twice, the second time recorded; fails unless both print the same and end well.
    fn on(&self, profile: &str) -> (Finished, Recorded) {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("trace.cutape");
        let alone = self.finish(&["sim", "--profile", profile, "--"]);
        let driver = format!("sim:{profile}");
        let recorded = self.finish(&["record", "-o", text(&path), "--driver", &driver, "--"]);
        recorded.assert_same_as(&alone);
        assert_eq!(recorded.end, End::Code(0), "{}", recorded.stderr);
        (recorded, Recorded::open(&path))
    }

    fn finish(&self, command: &[&str]) -> Finished {
        let mut command = cutape(command);
        command.arg(client(self.client)).args(&self.arguments);
        finish(command.env("LD_LIBRARY_PATH", &self.library_path))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn ggml_lists_the_gpu_moves_tensors_bit_for_bit_and_runs_a_graph_to_the_end() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let (finished, trace) = Run::of_ggml(&llama).on("h100");
    // Kernels are accepted and not executed: the sum is the one thing that is not there.
    let expected = "CUDA backend: loaded
devices: 1
device: CUDA0 (NVIDIA H100 80GB HBM3), 79872 MiB free of 81920 MiB
backend: CUDA0
buffer: allocated
tensor: came back
graph: status 0
sum: not computed
tensor: untouched
";
    assert_eq!(finished.stdout, expected);
    trace.assert_nothing_lost();
    // The third time the same graph is computed, GGML captures it, and launches what it captured from then on.
    for function in [
        "cuStreamBeginCapture_v2",
        "cuStreamEndCapture",
        "cuGraphLaunch",
    ] {
        let calls = trace.of(function);
        assert!(!calls.is_empty(), "{function} was not called");
    }
}

#[test]
fn ggml_shows_a_gpu_whose_memory_cannot_be_asked_for_as_empty_and_falls_back() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let (finished, trace) = Run::of_ggml(&llama).on("shim-uninitialized");
    let expected = "CUDA backend: loaded
devices: 1
device: CUDA0 (NVIDIA H100 80GB HBM3), 0 MiB free of 0 MiB
backend: CPU
buffer: allocated
tensor: came back
graph: status 0
sum: computed
tensor: untouched
";
    assert_eq!(finished.stdout, expected);
    assert!(
        finished.stderr.contains("cudaMemGetInfo failed"),
        "{}",
        finished.stderr
    );
    assert!(!trace.of("cuMemGetInfo_v2").is_empty());
}

#[test]
fn ggml_says_nothing_where_the_memory_is_0_of_0_without_an_error() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let (finished, _) = Run::of_ggml(&llama).on("meminfo-zero");
    let passed_over = "(NVIDIA H100 80GB HBM3), 0 MiB free of 0 MiB\nbackend: CPU\n";
    assert!(finished.stdout.contains(passed_over), "{}", finished.stdout);
    let mut own = finished
        .stderr
        .lines()
        .filter(|line| !line.starts_with("cutape:"));
    let complains = |line: &str| ["failed", "error", "warn"].map(|word| line.contains(word));
    assert!(
        !own.any(|line| complains(line).contains(&true)),
        "{}",
        finished.stderr
    );
}

#[test]
fn ggml_loads_no_cuda_devices_where_there_is_none() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let (finished, _) = Run::of_ggml(&llama).on("no-device");
    assert!(
        finished.stdout.contains("backend: CPU\n") && finished.stdout.contains("sum: computed\n"),
        "{}",
        finished.stdout
    );
}

#[test]
fn llama_cpp_lists_the_gpus_that_it_would_offload_to() {
    let Some(llama) = LlamaCpp::find() else {
        return;
    };
    let run = Run {
        client: "llama_devices",
        arguments: vec![
            llama.library("libggml.cuda"),
            llama.library("libllama.cuda"),
            llama.folder.clone(),
        ],
        library_path: llama.library_path.clone(),
    };
    let (finished, _) = run.on("two-gpu");
    let expected = "GPU: CUDA0 (NVIDIA H100 80GB HBM3), 79872 MiB free of 81920 MiB
GPU: CUDA1 (NVIDIA H100 80GB HBM3), 79872 MiB free of 81920 MiB
CPU: 1
offload: yes, at most several devices
";
    assert_eq!(finished.stdout, expected);
}

#[test]
fn cublas_takes_products_of_matrices_on_gpus_of_four_generations() {
    let (Some(runtime), Some(blas)) = (real::cudart_13(), real::cublas_13()) else {
        return;
    };
    let folder = |library: &Path| text(library.parent().expect("a folder")).to_owned();
    let run = Run {
        client: "cublas_gemm",
        library_path: [folder(&runtime), folder(&blas)].join(":"),
        arguments: vec![runtime, blas],
    };
    let expected = "cudaMalloc 0 0 0
cudaMemcpy 0 0
cublasCreate 0
cudaStreamCreate 0
cublasSetStream 0
cublasSgemm 0
cublasGemmEx 0
cudaStreamSynchronize 0
cudaMemcpy 0, the factor is untouched
cublasDestroy 0
cudaDeviceSynchronize 0
cudaGetLastError 0
";
    for profile in ["h100", "a100", "l4", "t4"] {
        let (finished, trace) = run.on(profile);
        assert_eq!(finished.stdout, expected, "{profile}");
        let launches = trace.of("cuLaunchKernelEx").len() + trace.of("cuLaunchKernel").len();
        assert!(launches >= 2, "{profile}: {launches} launches");
    }
}
