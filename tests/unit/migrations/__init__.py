"""Tests of the migrations that need no server."""
