//! NVIDIA's own CUDA runtimes on the simulated GPU, alone and recorded: what they tell of the GPU, graphs, arrays.

mod support;

use std::path::Path;

use cutape_test_clients::real;
use support::{Recorded, client, compare_on_profile};

/// Runs a program of ours over both runtimes, as far as they are there. It must print the same alone and recorded, and this.
fn on_both_runtimes(name: &str, profile: &str, printed: &str, check: impl Fn(&Recorded)) {
    let program = client(name);
    let run = |runtime: &Path| {
        let compared = compare_on_profile(profile, |command| {
            command.arg(&program).arg(runtime);
        });
        assert_eq!(
            compared.recorded.stdout,
            printed,
            "{}: {}",
            runtime.display(),
            compared.recorded.stderr
        );
        compared.trace.assert_nothing_lost();
        check(&compared.trace);
    };
    let runtimes = [real::cudart_12(), real::cudart_13()];
    runtimes.iter().flatten().for_each(|runtime| run(runtime));
}

#[test]
fn the_runtimes_tell_the_gpu_of_the_profile() {
    let asked = |trace: &Recorded| {
        let attributes = trace.of("cuDeviceGetAttribute").len();
        assert!(
            attributes > 80,
            "only {attributes} attributes were asked for"
        );
    };
    on_both_runtimes("runtime_properties", "h100", H100, asked);
    on_both_runtimes("runtime_properties", "l4", L4, asked);
}

const H100: &str = "\
cudaGetDeviceProperties 0
NVIDIA H100 80GB HBM3, 9.0, 81920 MiB
uuid 5e0e8f2a-...-60
warps of 32, blocks of 1024 threads, 65536 registers, 49152 bytes shared, 65536 constant
grid up to 2147483647 x 65535 x 65535
second device 101
";

const L4: &str = "\
cudaGetDeviceProperties 0
NVIDIA L4, 8.9, 22528 MiB
uuid 1f6d3b82-...-60
warps of 32, blocks of 1024 threads, 65536 registers, 49152 bytes shared, 65536 constant
grid up to 2147483647 x 65535 x 65535
second device 101
";

#[test]
fn the_runtimes_capture_and_launch_graphs() {
    on_both_runtimes("runtime_graph", "h100", GRAPHS, |trace| {
        assert_eq!(trace.of("cuGraphLaunch").len(), 2);
    });
}

const GRAPHS: &str = "memory 0, stream 0
capture begins 0, asked 0, status 1
capture takes 0, done at once: no
capture ends 0, asked 0, status 0
nodes 0, 3
instantiate 0
launch 0 0, data arrived, host function ran 1 times and saw 0x11
launch 0 0, data arrived, host function ran 2 times and saw 0x12
clone 0, destroy 0
destroy 0 0
broken capture 0, cudaMalloc 900, end 901, graph NULL
broken capture 0, cudaStreamSynchronize 900, end 901
relaxed capture 0, cudaMalloc 0, end 0
empty graph destroyed 0, memory freed 0
fork 0, joined: end 0, 1 nodes
fork 0, not joined: end 904, 0 nodes
end 0 0
";

#[test]
fn the_runtimes_have_arrays_and_textures() {
    on_both_runtimes("runtime_arrays", "h100", ARRAYS, |trace| {
        assert_eq!(trace.of("cuTexObjectCreate").len(), 2);
    });
}

const ARRAYS: &str = "\
cudaMallocArray 0, cudaArrayGetInfo 0, 100x20, 32 bits, kind 2, flags 2
copied 0 0, came back
copied beyond its rows 1
cudaCreateTextureObject 0, told 0, of the array
surface 0 0, cudaDestroyTextureObject 0
cudaMallocMipmappedArray 0, level 0, 25x5
texture of it 0 0
freed 0 0
";
