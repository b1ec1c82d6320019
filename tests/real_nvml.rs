//! NVML of the simulated GPU under the software that asks it: NVIDIA's Python bindings, and PyTorch's check by NVML.

mod support;

use cutape_test_clients::{find_or_skip, programs, python};
use support::{End, cutape, finish, record};

const TWO_GPUS: &str = "\
driver 595.99 CUDA 13050
0 NVIDIA H100 80GB HBM3 GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a60 00000000:19:00.0
  memory 85899345920 83751862272 2147483648 reserved 2147483648 used 0
  utilisation 0 0 temperature 34
  processes []
  fan: Not Supported
  found by UUID at 0
1 NVIDIA H100 80GB HBM3 GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a61 00000000:1A:00.0
  memory 85899345920 83751862272 2147483648 reserved 2147483648 used 0
  utilisation 0 0 temperature 34
  processes []
  fan: Not Supported
  found by UUID at 1
99: Invalid Argument
";

#[test]
fn nvidia_s_python_bindings_list_the_gpus_alone_and_recorded() {
    let Some(bindings) = find_or_skip("nvidia-ml-py") else {
        return;
    };
    let script = programs::python_script("nvml_devices");
    let mut alone = cutape(["sim", "--profile", "two-gpu", "--"]);
    alone.arg(python::interpreter()).arg(&script);
    let alone = finish(alone.env("PYTHONPATH", &bindings));
    assert_eq!(alone.stdout, TWO_GPUS, "{}", alone.stderr);
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("trace.cutape");
    let interpreter = std::path::PathBuf::from(python::interpreter());
    let mut recorded = record(
        &path,
        "sim:two-gpu",
        &interpreter,
        &[script.to_str().unwrap()],
    );
    let recorded = finish(recorded.env("PYTHONPATH", &bindings));
    assert_eq!(recorded.stdout, TWO_GPUS, "{}", recorded.stderr);
}

#[test]
fn pytorch_counts_the_gpus_by_nvml() {
    let Some(torch) = find_or_skip("torch") else {
        return;
    };
    let count = |profile: &str, visible: &str| {
        let mut command = cutape(["sim", "--profile", profile, "--"]);
        command.arg(python::interpreter()).args([
            "-c",
            "import torch; print(torch.cuda.is_available(), torch.cuda._device_count_nvml())",
        ]);
        command
            .env("PYTHONPATH", &torch)
            .env("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
            .env("CUDA_VISIBLE_DEVICES", visible);
        let printed = finish(&mut command);
        assert_eq!(printed.end, End::Code(0), "{}", printed.stderr);
        printed.stdout
    };
    assert_eq!(count("two-gpu", "0,1"), "True 2\n");
    assert_eq!(
        count("two-gpu", "GPU-5e0e8f2a-3c1d-4b6f-9a7e-1f2d3c4b5a61"),
        "True 1\n"
    );
    assert_eq!(count("h100", "-1"), "False 0\n");
}
