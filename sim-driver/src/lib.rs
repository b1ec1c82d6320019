//! A simulated GPU driver: libcuda.so.1 and libnvidia-ml.so.1 without a GPU.
//!
//! Each call is a safe function named after the C function, in the module of its family. The build script finds them, compares their
//! parameters with the API table, and makes the exported entry points: the implemented ones lead here through `entry`, all others
//! of the table answer "not supported". See docs/profiles.md for what is simulated and how it can be broken.
//!
//! Not done, and said so: kernels are accepted and not executed.
#![allow(non_snake_case, reason = "calls bear the names of the C API")]
#![allow(
    missing_docs,
    reason = "a call of the C API is documented by NVIDIA; everything that is not one has its comment"
)]

mod abi;
mod array;
mod attribute;
mod boundary;
mod context;
mod device;
mod driver;
mod entry;
mod error_text;
mod event;
mod export_table;
mod graph;
mod inquiry;
mod launch;
mod logs;
mod memory;
mod module;
mod nvml;
mod proc_address;
mod profile;
mod registry;
mod shared_file;
mod stack_room;
mod start;
mod status;
mod stream;
mod surface;
mod tensor_map;
mod visible_devices;
