"""Mutated inputs for every parser of text that somebody else wrote: files, sample lines, netlink, /proc."""
