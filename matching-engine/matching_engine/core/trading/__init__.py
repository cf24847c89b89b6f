"""What happens to orders: they trade, gather, are cancelled."""
