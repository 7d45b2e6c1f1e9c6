"""The pairs for all trainers, as ids of pieces of one vocabulary; uses only the standard library.

Ids are those of this repository's subword models: 0 padding, 1 unknown, 2 begin, 3 end.
"""

from __future__ import annotations

import json
from pathlib import Path

PAD_ID, UNK_ID, BOS_ID, EOS_ID = range(4)


def read_pairs(path: Path) -> list[tuple[list[int], list[int]]]:
    """Reads sources and targets, each with ``EOS_ID`` at the end.

    Args:
        path: a file with one JSON array ``[source, target]`` per line.
    """
    with path.open(encoding="utf-8") as file:
        return [tuple(json.loads(line)) for line in file]
