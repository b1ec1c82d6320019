//! Graphs of NVIDIA's own CUDA runtimes on the simulated GPU, alone and recorded.

mod support;

use std::path::Path;

use cutape_test_clients::real;
use support::{client, compare_on_simulated_gpu};

const PRINTED: &str = "memory 0, stream 0
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

fn captures_and_launches(runtime: &Path) {
    let program = client("runtime_graph");
    let compared = compare_on_simulated_gpu(&program, &[runtime.to_str().unwrap()]);
    assert_eq!(
        compared.recorded.stdout, PRINTED,
        "{}",
        compared.recorded.stderr
    );
    compared.trace.assert_nothing_lost();
    assert_eq!(compared.trace.of("cuGraphLaunch").len(), 2);
}

#[test]
fn the_runtime_of_cuda_12_9_captures_and_launches() {
    if let Some(runtime) = real::cudart_12() {
        captures_and_launches(&runtime);
    }
}

#[test]
fn the_runtime_of_cuda_13_5_captures_and_launches() {
    if let Some(runtime) = real::cudart_13() {
        captures_and_launches(&runtime);
    }
}
