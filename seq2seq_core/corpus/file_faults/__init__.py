"""Faults of corpus files, in words: broken lines, other encodings, formats that are not read."""
