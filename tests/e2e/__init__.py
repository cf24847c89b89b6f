"""The whole exchange, as its users meet it."""
