"""Phrases that a target must contain or must not: what was asked, how texts are searched for them, and the rules for a search."""
