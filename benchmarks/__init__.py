"""Measures the exchange end to end: `make bench`."""
