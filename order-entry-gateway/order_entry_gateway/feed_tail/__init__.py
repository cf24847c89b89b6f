"""The way back out of the log: what `data_feed` tells of keys, states, answers and reports."""
