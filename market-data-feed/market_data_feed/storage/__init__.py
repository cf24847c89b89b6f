"""The database `market_data`: what is stored, how, and how it is read again."""
