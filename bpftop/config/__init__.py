"""Settings of the person who runs bpftop, and the folders and ids of that person."""
