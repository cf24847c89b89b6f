"""Tests of the exchange, by tier; `support` holds what they share."""
