"""Stages on other machines: what is handed over, how it comes back, and what a worker does with it."""
