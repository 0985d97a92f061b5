"""Private network namespaces with generated traffic, for `bpftop demo` and for tests."""
