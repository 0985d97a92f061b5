"""Faults for `bpftop demo --fault`, and what makes them: traffic, sockets, filters."""
