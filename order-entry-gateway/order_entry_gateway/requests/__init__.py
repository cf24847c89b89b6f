"""What may be asked, and how it is read."""
