//! Arrays, textures and surfaces of NVIDIA's own CUDA runtimes on the simulated GPU, alone and recorded.

mod support;

use std::path::Path;

use cutape_test_clients::real;
use support::{client, compare_on_simulated_gpu};

const PRINTED: &str = "\
cudaMallocArray 0, cudaArrayGetInfo 0, 100x20, 32 bits, kind 2, flags 2
copied 0 0, came back
copied beyond its rows 1
cudaCreateTextureObject 0, told 0, of the array
surface 0 0, cudaDestroyTextureObject 0
cudaMallocMipmappedArray 0, level 0, 25x5
texture of it 0 0
freed 0 0
";

fn has_arrays_and_textures(runtime: &Path) {
    let program = client("runtime_arrays");
    let compared = compare_on_simulated_gpu(&program, &[runtime.to_str().unwrap()]);
    assert_eq!(
        compared.recorded.stdout, PRINTED,
        "{}",
        compared.recorded.stderr
    );
    compared.trace.assert_nothing_lost();
    assert_eq!(compared.trace.of("cuTexObjectCreate").len(), 2);
}

#[test]
fn the_runtime_of_cuda_12_9_has_arrays_and_textures() {
    if let Some(runtime) = real::cudart_12() {
        has_arrays_and_textures(&runtime);
    }
}

#[test]
fn the_runtime_of_cuda_13_5_has_arrays_and_textures() {
    if let Some(runtime) = real::cudart_13() {
        has_arrays_and_textures(&runtime);
    }
}
