//! What the CUDA driver API and NVML *are*: functions, parameters, types, error names; data, no behaviour.

mod model;

pub use model::*;
