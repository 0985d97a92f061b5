"""Recordings and streams of samples: written, read and replayed."""
