"""A module per verb."""
