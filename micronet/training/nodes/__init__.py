"""Networks of single-channel nodes on a CPU: node-major activations, compiled kernels."""
