"""Private network namespaces with generated traffic: what `bpftop demo` watches, and what the tests run in."""
