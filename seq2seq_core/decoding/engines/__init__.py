"""Engines: what runs a model to decode with it, behind one protocol."""
