"""The job that prepares databases and broker."""
