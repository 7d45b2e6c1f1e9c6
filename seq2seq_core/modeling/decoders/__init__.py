"""Decoders: the memory and the target so far to features and logits."""
