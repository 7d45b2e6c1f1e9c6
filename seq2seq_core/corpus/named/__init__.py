"""Files that a side of a corpus names: recordings and pictures."""
