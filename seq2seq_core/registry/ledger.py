"""The ledger of a model's alias ``champion``: each decision and each move is one entry that nobody changes afterwards.

MLflow keeps no history of aliases. The ledger of the model ``dates`` is the registered model ``dates.ledger``, whose versions are
the entries, so that it lives in any registry and can be read on MLflow's pages. A registry gives each version a number that no
other version has, which makes the order of concurrent writers unique. Each entry names the entry that its writer had seen last. It
counts only if no other entry came between; the writer whose entry does not count decides anew. So all readers agree on the history
without a lock (optimistic concurrency control: Kung and Robinson 1981). The alias follows the last entry that counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from seq2seq_core.registry.row_sketch import SAME_SHARE, common_share

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION: Literal["champion"] = "champion"
Kind = Literal["promoted", "kept", "forced", "rolled back", "adopted"]
KINDS: tuple[Kind, ...] = ("promoted", "kept", "forced", "rolled back", "adopted")
"""``promoted`` and ``kept`` by the gate, ``forced`` and ``rolled back`` by a person, ``adopted``: the alias was moved elsewhere."""
NO_VERSION = ""
RECORD_TAG, APPLIED_TAG = "mlflow.s2s.record", "mlflow.s2s.alias_is_set"
"""What only programs read; the page of an entry in MLflow leaves out tags that begin with ``mlflow.``."""


@dataclass(frozen=True)
class Entry:
    """An entry of the ledger.

    Attributes:
        kind: why it was made.
        version: the version that was decided on.
        champion: the version that holds the alias from here on; empty: none.
        before: the version that held it before; empty: none.
        reason: one sentence, with the figures.
        seen: number of the last entry that its writer had seen; 0: none.
        who: the user and the machine.
        test_rows: sketch of the test set of a comparison; empty: nothing was compared.
        comparison: digest of what was compared, see :func:`comparison_key`; empty: nothing, or an earlier release wrote the entry.
        evidence: the receipt or the evidence of the decision, as JSON.
        model_created: when the registered model was created, by the registry's clock; a model that somebody deleted and created
            again begins its version numbers anew.
        number: given by the registry; 0: not written yet.
        when: time of writing by the registry's clock, in UTC; None: not written yet.
        is_applied: whether the alias was set accordingly.
    """

    kind: Kind
    version: str
    champion: str
    before: str
    reason: str
    seen: int = 0
    who: str = ""
    test_rows: str = ""
    comparison: str = ""
    evidence: str = ""
    model_created: str = ""
    number: int = 0
    when: datetime | None = None
    is_applied: bool = False

    @property
    def receipt(self) -> dict[str, Any]:
        """The receipt of a decision by the gate, as JSON; empty where it has none."""
        try:
            found = json.loads(self.evidence) if self.evidence else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def is_move(self) -> bool:
        """Whether the alias changed its version."""
        return self.champion != self.before

    @property
    def is_removal(self) -> bool:
        """Whether somebody removed the alias without this ledger, an adopted move that leaves no champion."""
        return self.kind == "adopted" and self.is_move and not self.champion

    @property
    def shown_kind(self) -> str:
        """The kind for readers."""
        return "removed" if self.is_removal else self.kind

    @property
    def shown_version(self) -> str:
        """The version for readers; empty where the alias was removed."""
        return NO_VERSION if self.is_removal else self.version


@dataclass(frozen=True)
class Ledger:
    """The history of a model's alias, as read at one moment.

    Attributes:
        entries: those that count, in order, since the registered model was created.
        last_number: of the last entry that counts; 0: none. It may be of a model of this name that was deleted.
    """

    entries: tuple[Entry, ...] = ()
    last_number: int = 0

    @property
    def last(self) -> Entry | None:
        """The last entry that counts."""
        return self.entries[-1] if self.entries else None

    @property
    def champion(self) -> str:
        """The version that holds the alias by the ledger; empty: none."""
        return self.last.champion if self.last else NO_VERSION

    def champions(self) -> list[str]:
        """The versions that ever held the alias, the latest holder first, each once."""
        held = [entry.champion for entry in reversed(self.entries) if entry.champion]
        return list(dict.fromkeys(held))

    def given_up(self, version: str) -> Entry | None:
        """The move by which a person took the alias from a version, where it did not come back to it since.

        Args:
            version: its number.
        """
        moves = (entry for entry in reversed(self.entries) if entry.is_move and version in (entry.champion, entry.before))
        last = next(moves, None)
        return last if last is not None and last.before == version and last.kind != "promoted" else None

    def looks(self, test_rows: str) -> int:
        """How many comparisons were made on a test set, or on one that it shares rows with; the same one again is none.

        Args:
            test_rows: the sketch of the test set.
        """
        return len(self._compared(test_rows))

    def look(self, test_rows: str, comparison: str) -> int:
        """The number of a comparison on a test set: the one that it had, where it was made before, else the next one.

        Args:
            test_rows: the sketch of the test set.
            comparison: see :func:`comparison_key`.
        """
        compared = self._compared(test_rows)
        return compared.index(comparison) + 1 if comparison in compared else len(compared) + 1

    def _compared(self, test_rows: str) -> list[str]:
        """The comparisons on a test set, each once, in order; one of an earlier release by the number of its entry."""
        shared = (one for one in self.entries if one.test_rows and common_share(one.test_rows, test_rows) > SAME_SHARE)
        return list(dict.fromkeys(entry.comparison or str(entry.number) for entry in shared))

    def until(self, entry: Entry) -> Ledger:
        """The ledger as the writer of an entry had seen it.

        Args:
            entry: one of its entries.
        """
        return Ledger(tuple(one for one in self.entries if one.number < entry.number), entry.seen)

    def find(self, version: str) -> Entry | None:
        """The last entry about a version.

        Args:
            version: its number.
        """
        return next((entry for entry in reversed(self.entries) if entry.version == version), None)


def comparison_key(bundles: Sequence[str], outputs: Sequence[Sequence[str]], test_set: str, scoring: Sequence[object]) -> str:
    """The digest of all that the p-values of a comparison depend on: the same evidence counts once, whoever holds the alias.

    Args:
        bundles: the digests of the version's bundle and of its rival's; empty: it has none.
        outputs: the hypotheses of both.
        test_set: digest of the test set.
        scoring: the metric with its settings, and the settings that change the test.
    """
    compared = [list(bundles), [list(texts) for texts in outputs], test_set, list(scoring)]
    return hashlib.sha256(json.dumps(compared).encode()).hexdigest()


def chain(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries that count: each had seen the one before it, or one that somebody deleted since.

    Args:
        entries: all, in any order.
    """
    ordered = sorted(entries, key=lambda one: one.number)
    existing, kept, last = {entry.number for entry in ordered}, list[Entry](), 0
    for entry in ordered:
        if entry.seen == last or (entry.seen > last and entry.seen not in existing):
            kept.append(entry)
            last = entry.number
    return tuple(kept)


def parse_entry(version: ModelVersion) -> Entry:
    """The entry in a version of the ledger's model; an entry that cannot be read never counts.

    Args:
        version: as the registry gives it.
    """
    tags = version.tags
    kind = [known for known in KINDS if known == tags.get("kind")]
    try:
        found = json.loads(tags.get(RECORD_TAG, ""))
    except ValueError:
        found = {}
    record = {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    seen = record.get("seen", "")
    return Entry(
        kind=kind[0] if kind else "adopted",
        version=tags.get("version", NO_VERSION),
        champion=tags.get("champion", NO_VERSION),
        before=tags.get("before", NO_VERSION),
        reason=record.get("reason", ""),
        seen=int(seen) if kind and seen.isdecimal() else -1,
        who=tags.get("who", ""),
        test_rows=record.get("test_rows", ""),
        comparison=record.get("comparison", ""),
        evidence=record.get("evidence", ""),
        model_created=record.get("model_created", ""),
        number=int(version.version),
        when=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        is_applied=tags.get(APPLIED_TAG) == "true",
    )


def entry_tags(entry: Entry) -> dict[str, str]:
    """The tags that :func:`parse_entry` reads: five for people, and a record for programs.

    Args:
        entry: not written yet.
    """
    record = {
        "reason": entry.reason, "seen": str(entry.seen), "test_rows": entry.test_rows, "comparison": entry.comparison,
        "evidence": entry.evidence, "model_created": entry.model_created,
    }  # fmt: skip
    return {
        "kind": entry.kind, "version": entry.version, "champion": entry.champion, "before": entry.before, "who": entry.who,
        RECORD_TAG: json.dumps(record, ensure_ascii=False),
    }  # fmt: skip


def describe_entry(entry: Entry, name: str) -> str:
    """The Markdown description of an entry on MLflow's pages: what happened in a line, the reason, and where the version is.

    Args:
        entry: not written yet.
        name: the registered model's name.
    """
    holder = f"version {entry.champion}" if entry.champion else "no version"
    move = f"champion is {holder}" + (f", before version {entry.before}" if entry.is_move and entry.before else "")
    # The table of entries shows the beginning of the first line as it stands: no Markdown there.
    what = {"kept": "not promoted", "rolled back": "rolled back to"}.get(entry.kind, entry.kind)
    head = "alias removed" if entry.is_removal else f"version {entry.version or 'none'} {what}"
    lines = [f"{head}: {move}, by {entry.who}", entry.reason]
    if entry.version:
        lines.append(f"[Version {entry.version} of {name}](#/models/{quote(name)}/versions/{entry.version})")
    return "\n\n".join(lines) + "\n"
