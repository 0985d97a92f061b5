"""Stock Debian kernels under QEMU, and what bpftop has to show in them. docs/testing.md says how it works."""
