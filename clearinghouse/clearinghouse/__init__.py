"""Settles every execution, delivery versus payment, in a double-entry ledger."""
