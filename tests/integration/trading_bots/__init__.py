"""The client library and the bots against the whole exchange."""
