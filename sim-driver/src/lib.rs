//! A simulated GPU driver: libcuda.so.1 and libnvidia-ml.so.1 without a GPU.
