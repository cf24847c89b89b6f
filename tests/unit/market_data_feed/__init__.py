"""The market data feed."""
