"""The long proofs: the engine against a naive exchange, and wrong engines against the proof."""
