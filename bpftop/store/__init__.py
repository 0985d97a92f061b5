"""Samples kept: as JSON lines, and as a recording in SQLite. Both directions."""
