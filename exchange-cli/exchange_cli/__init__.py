"""The command line: runs the whole exchange in one process, and verifies an exchange."""
