//! `cuLaunchCooperativeKernelMultiDevice`: one kernel on several devices.

use crate::driver::{Library, in_child, to};

const INVALID_VALUE: u32 = 1;
const INVALID_DEVICE: u32 = 101;
const TOO_LARGE: u32 = 720;
const IMAGE: &[u8] = b".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry kernel(.param .u64 to)\n{\n    ret;\n}\n\0";

/// `CUDA_LAUNCH_PARAMS`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Launch {
    function: u64,
    grid: [u32; 3],
    block: [u32; 3],
    shared_bytes: u32,
    stream: u64,
    params: u64,
}

/// A launch on a device, in a stream of its own.
fn on(cuda: &Library, device: u64, params: u64) -> Launch {
    let (mut context, mut module, mut function, mut stream) = (0u64, 0u64, 0u64, 0u64);
    let words = [to(&mut context), device];
    assert_eq!(cuda.call("cuDevicePrimaryCtxRetain", words), 0);
    assert_eq!(cuda.call("cuCtxSetCurrent", [context]), 0);
    let words = [to(&mut module), IMAGE.as_ptr() as u64];
    assert_eq!(cuda.call("cuModuleLoadData", words), 0);
    let words = [to(&mut function), module, c"kernel".as_ptr() as u64];
    assert_eq!(cuda.call("cuModuleGetFunction", words), 0);
    assert_eq!(cuda.call("cuStreamCreate", [to(&mut stream), 1]), 0);
    Launch {
        function,
        grid: [4, 1, 1],
        block: [32, 1, 1],
        shared_bytes: 0,
        stream,
        params,
    }
}

fn launch(cuda: &Library, mut all: Vec<Launch>, flags: u64) -> u32 {
    let words = [all.as_mut_ptr() as u64, all.len() as u64, flags];
    cuda.call("cuLaunchCooperativeKernelMultiDevice", words)
}

#[test]
fn one_kernel_runs_on_each_device_once() {
    in_child(
        "multi_device::one_kernel_runs_on_each_device_once",
        "two-gpu",
        |cuda| {
            assert_eq!(cuda.call("cuInit", [0]), 0);
            let mut value = 0u64;
            let mut params = [to(&mut value)];
            let [one, other] = [0, 1].map(|device| on(cuda, device, to(&mut params)));
            assert_eq!(launch(cuda, vec![one, other], 0), 0);
            assert_eq!(launch(cuda, vec![one], 3), 0);
            assert_eq!(launch(cuda, vec![one, one], 0), INVALID_DEVICE);
            assert_eq!(launch(cuda, vec![], 0), INVALID_VALUE);
            assert_eq!(launch(cuda, vec![one, other, one], 0), INVALID_VALUE);
            assert_eq!(launch(cuda, vec![one], 4), INVALID_VALUE);
            let wider = Launch {
                block: [64, 1, 1],
                ..other
            };
            assert_eq!(launch(cuda, vec![one, wider], 0), INVALID_VALUE);
            let in_no_stream = Launch { stream: 0, ..one };
            assert_eq!(launch(cuda, vec![in_no_stream], 0), INVALID_VALUE);
            let without_params = Launch { params: 0, ..one };
            assert_eq!(launch(cuda, vec![without_params], 0), INVALID_VALUE);
            let huge = Launch {
                grid: [1 << 20, 1, 1],
                ..one
            };
            assert_eq!(launch(cuda, vec![huge], 0), TOO_LARGE);
        },
    );
}
