"""What the feed knows."""
