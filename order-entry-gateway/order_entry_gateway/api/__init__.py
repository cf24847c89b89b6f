"""The doors: HTTP calls and WebSocket sessions."""
