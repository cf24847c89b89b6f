"""Tests of one service with the real servers it talks to."""
