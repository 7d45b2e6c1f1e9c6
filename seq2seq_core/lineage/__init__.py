"""Lineage of versions: what a version was made of, how two differ, and what is needed to make one again."""
