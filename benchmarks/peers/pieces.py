"""The pairs that all trainers read: pieces of one vocabulary as ids; standard library only.

Ids are those of this repository's subword models: 0 padding, 1 unknown, 2 begin, 3 end.
"""

from __future__ import annotations

import json
from pathlib import Path

PAD_ID, UNK_ID, BOS_ID, EOS_ID = range(4)


def read_pairs(path: Path) -> list[tuple[list[int], list[int]]]:
    """Sources and targets, each ending with ``EOS_ID``.

    Args:
        path: a file with a JSON array ``[source, target]`` a line.
    """
    with path.open(encoding="utf-8") as file:
        return [tuple(json.loads(line)) for line in file]
