"""Findings: what is wrong, said by rules that are data and small pure functions. ``table`` lists them."""
