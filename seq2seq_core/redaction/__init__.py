"""Redaction: the secrets of this process, and every text that leaves it without them."""
