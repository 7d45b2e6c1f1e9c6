"""Digests of the code that a stage reaches: what it does counts, how it is written does not."""
