"""What the parts of the exchange share: messages, units, settings, the bus, logs, the runner."""
