"""Code that runs inside the guests, with Python's standard library and bpftop alone."""
