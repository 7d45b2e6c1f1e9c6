"""The four special ids at the start of every vocabulary."""

from __future__ import annotations

PAD_ID = 0
"""Fills the rows of a batch up to the longest one; never predicted."""
UNK_ID = 1
"""Stands for text that the vocabulary cannot spell."""
BOS_ID = 2
"""The decoder's first input; never predicted, never stored."""
EOS_ID = 3
"""Ends every source and every target."""
NUM_SPECIAL = 4

SPECIAL_NAMES = {PAD_ID: "<pad>", UNK_ID: "<unk>", BOS_ID: "<s>", EOS_ID: "</s>"}
"""Readable names of the special ids, for attention maps and such."""
