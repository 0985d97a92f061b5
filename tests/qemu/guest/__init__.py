"""What runs inside the guests: Python's standard library and bpftop alone."""
