"""Tells what happens on the exchange: REST, WebSocket streams, a web page, and the history."""
