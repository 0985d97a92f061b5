"""Packets copied by BPF programs: dropped ones with their reason, or those of an interface."""
