//! The library that takes the place of libcuda.so.1 and libnvidia-ml.so.1 and records every call.
