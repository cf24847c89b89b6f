"""The clearinghouse."""
