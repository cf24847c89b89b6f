"""What is told, as JSON."""
