"""One security's orders: those that rest, those that wait, and what an auction makes of them."""
