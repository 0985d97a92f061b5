"""Packets copied by BPF programs: dropped packets with their reason, or packets of an interface."""
