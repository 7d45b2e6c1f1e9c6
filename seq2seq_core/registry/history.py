"""The ledger for people: a table, or a JSON object an entry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from seq2seq_core.registry.ledger import Entry

GAP = "  "
HEAD = ("when (UTC)", "what", "version", "before", "by", "why")


def to_table(entries: Sequence[Entry]) -> str:
    """The entries as lines of a table for a terminal, its head first.

    Args:
        entries: in order.
    """
    rows = [HEAD, *map(_cells, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    lines = [[*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]] for row in rows]
    return "\n".join(GAP.join(line).rstrip() for line in lines)


def _cells(entry: Entry) -> tuple[str, ...]:
    when = entry.when.strftime("%Y-%m-%d %H:%M:%S") if entry.when else ""
    return (when, entry.shown_kind, entry.shown_version or "-", entry.before or "-", entry.who, " ".join(entry.reason.split()))


def to_json(entry: Entry) -> str:
    """An entry as one line of JSON.

    Args:
        entry: of the ledger.
    """
    try:
        evidence: Any = json.loads(entry.evidence) if entry.evidence else None
    except ValueError:
        evidence = entry.evidence
    values = {
        "number": entry.number, "when": entry.when.isoformat() if entry.when else None, "kind": entry.shown_kind,
        "version": entry.shown_version, "champion": entry.champion, "before": entry.before, "who": entry.who,
        "reason": entry.reason, "evidence": evidence,
    }  # fmt: skip
    return json.dumps(values, ensure_ascii=False)
