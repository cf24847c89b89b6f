"""Tests of the driver of faults, which needs no exchange to be tested."""
