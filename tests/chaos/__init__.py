"""Faults at random, from a seed, under load: `make chaos`, and a short run among the tests."""
