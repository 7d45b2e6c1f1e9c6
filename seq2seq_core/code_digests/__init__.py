"""Digests of the code that a stage reaches: behaviour counts, layout and comments do not."""
