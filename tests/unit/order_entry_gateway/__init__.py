"""The order-entry gateway."""
