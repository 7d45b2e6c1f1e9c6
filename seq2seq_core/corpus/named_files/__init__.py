"""The files that sources of a corpus name."""
