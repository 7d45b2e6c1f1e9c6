"""Encoders: the source to a memory."""
