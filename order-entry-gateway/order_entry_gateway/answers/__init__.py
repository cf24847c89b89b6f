"""What requests are answered with, and how the engine's events become that."""
