"""The tail of the feed."""
