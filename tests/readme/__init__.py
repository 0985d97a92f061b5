"""The walk of a newcomer: what README.md says, done."""
