"""The doors: REST and WebSocket."""
