"""What the protection against leaks means for the figures of a test set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq_core.corpus.leakage.similar_leaks import LEAKAGE

REASON = "leakage_reason"
"""The key of the reason in the report of ``prepare``."""


def split_note(report: Mapping[str, Any]) -> str:
    """What a reader of the test scores must know of the split, as a sentence; empty: nothing.

    Args:
        report: the content of ``reports/prepare.json``, which may be damaged or of an older version.
    """
    train = report.get("train")
    dropped = train.get("dropped") if isinstance(train, Mapping) else None
    if not isinstance(train, Mapping) or not isinstance(dropped, Mapping):
        return ""
    carved = train.get("carved")
    if isinstance(carved, Mapping) and "test" in carved:
        return ""  # nobody else has this split
    if reason := train.get(REASON):
        return f"prepare.leakage is keep, so train may have what dev and test ask: {reason}"
    leaks = [count for rule, count in dropped.items() if rule == LEAKAGE or str(rule).startswith(f"{LEAKAGE}.")]
    number = sum(count for count in leaks if isinstance(count, int))
    if not number:
        return ""
    return (
        f"{number:,} of {train.get('rows_in', 0):,} rows of train are left out because dev or test has them (prepare.leakage); if "
        "others have published figures of this split, these are of another one (prepare.leakage: keep gives that, with a "
        "prepare.leakage_reason)"
    )


def read_split_note(path: Path) -> str:
    """The note of a report on the disk; empty where there is none.

    Args:
        path: ``reports/prepare.json``.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return split_note(report) if isinstance(report, dict) else ""
