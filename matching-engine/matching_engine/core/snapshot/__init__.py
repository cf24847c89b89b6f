"""The whole state as plain data, and back."""
