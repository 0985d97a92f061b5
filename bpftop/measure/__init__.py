"""On-demand measurement of map operations and BPF programs on this machine. This room prints nothing."""
