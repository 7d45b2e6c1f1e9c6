"""Mending of texts: what a rule is, and the rules."""
