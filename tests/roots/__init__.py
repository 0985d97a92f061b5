"""The Debian package in roots of the releases that it is for. docs/testing.md says how it works."""
