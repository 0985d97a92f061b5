"""Long runs of bpftop, to see that its memory does not grow."""
