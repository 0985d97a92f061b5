"""Checks of a snapshot: small pure functions, and the table of rules that names them with their limits."""
