"""Batches made of the rows of several requests."""
