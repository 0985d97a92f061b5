"""Capture files that Wireshark reads: blocks, and packets without their payload."""
