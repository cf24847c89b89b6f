"""The doors of the gateway."""
