"""What is shared."""
