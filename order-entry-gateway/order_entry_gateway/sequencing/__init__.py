"""The way into the log: ids, commands, the clock, and the reports of what was confirmed."""
