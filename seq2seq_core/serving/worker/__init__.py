"""Processes that decode, apart from the one that answers requests."""
