"""The matching engine: one in-memory order book per security, driven by the command log."""
