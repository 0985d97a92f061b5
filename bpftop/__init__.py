"""bpftop: what arrives on a network interface, counted in the kernel and shown live."""

__version__ = "0.1.0"
