"""The clearinghouse on a real Postgres."""
