"""The funnel of each split: rows in, rows dropped by each rule, rows out, and text lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from seq2seq_core.errors import RowsLost

REAL_PAIRS = "distill.real_pairs"
"""The name in the funnel of pairs that are left out because a teacher's take their place."""
AUGMENTED = "augmented"
"""What the names of kinds of noise begin with among the samples of rows."""
TEACHER = "teacher"
"""The name of the funnel of a teacher's outputs."""
QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99}


@dataclass
class LengthProfile:
    """The number of texts of each length, in characters."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, text: str) -> None:
        """Counts one text."""
        self.counts[len(text)] += 1

    def take_back(self, text: str) -> None:
        """Undoes the count of one text."""
        self.counts[len(text)] -= 1
        if not self.counts[len(text)]:
            del self.counts[len(text)]

    def add_counts(self, counts: Mapping[int, int]) -> None:
        """Counts many texts.

        Args:
            counts: number of texts by length.
        """
        self.counts.update(counts)

    def summarize(self) -> dict[str, float]:
        """Mean, quantiles and maximum; zeros if there are no texts."""
        total = self.counts.total()
        if not total:
            return {"mean": 0.0, **dict.fromkeys(QUANTILES, 0.0), "max": 0.0}
        mean = sum(length * count for length, count in self.counts.items()) / total
        return {
            "mean": round(mean, 3),
            **{name: self._quantile(share) for name, share in QUANTILES.items()},
            "max": max(self.counts),
        }

    def _quantile(self, share: float) -> int:
        """The smallest length that at least this share of the texts does not exceed."""
        wanted, seen = share * self.counts.total(), 0
        for length in sorted(self.counts):
            seen += self.counts[length]
            if seen >= wanted:
                return length
        raise AssertionError("a share above 1")


@dataclass
class Funnel:
    """The row counts of one split in ``prepare``.

    Always rows_in = rows_out - exchanged - taught - augmented + dropped + carved.

    Attributes:
        rows_in: rows of the split's files, or pairs carved out of train for it.
        dropped: pairs dropped, by rule.
        carved: pairs that became dev or test (train only).
        exchanged: pairs written a second time with their sides exchanged (train only).
        taught: pairs with a teacher's output as target (train only).
        augmented: noisy copies of pairs, by kind (train only).
        changed: of the pairs that the files give and that are written, those with a text that the normal form changed, by setting.
        rows_out: pairs written.
        source_characters: lengths of the sources written, if they are texts.
        target_characters: lengths of the targets written.
        recorded_seconds: total duration of the recordings written; None if sources are none.
        has_files: whether a side names files; the lengths of the targets alone are then told.
    """

    rows_in: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    carved: dict[str, int] = field(default_factory=dict)
    exchanged: int = 0
    taught: int = 0
    augmented: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    rows_out: int = 0
    source_characters: LengthProfile = field(default_factory=LengthProfile)
    target_characters: LengthProfile = field(default_factory=LengthProfile)
    recorded_seconds: float | None = None
    has_files: bool = False

    def count_written(self, source: str, target: str) -> None:
        """Counts a pair of texts that is written."""
        self.rows_out += 1
        self.source_characters.add(source)
        self.target_characters.add(target)

    def take_back(self, source: str, target: str) -> None:
        """Undoes the count of a pair that was written and is dropped after all."""
        self.rows_out -= 1
        self.source_characters.take_back(source)
        self.target_characters.take_back(target)

    @property
    def num_dropped(self) -> int:
        """Rows that a rule dropped; a pair whose place a teacher's takes is none."""
        return sum(count for rule, count in self.dropped.items() if rule != REAL_PAIRS)

    def as_report(self) -> dict[str, object]:
        """All numbers, in a fixed order, for JSON."""
        return {
            "rows_in": self.rows_in,
            "dropped": self.dropped,
            "carved": self.carved,
            **{name: count for name, count in (("exchanged", self.exchanged), ("taught", self.taught)) if count},
            **{name: own for name, own in (("augmented", self.augmented), ("changed", self.changed)) if own},
            "rows_out": self.rows_out,
            **({} if self.recorded_seconds is None else {"recorded_seconds": round(self.recorded_seconds, 3)}),
            **{f"{name}_characters": profile.summarize() for name, profile in self.profiles().items()},
        }

    def profiles(self) -> dict[str, LengthProfile]:
        """The lengths of the texts written, by side."""
        sources = {"source": self.source_characters} if not self.has_files else {}
        return sources | {"target": self.target_characters}


class SentenceFunnel(Funnel):
    """The counts of one language's monolingual sentences in ``prepare``; both sides of a row are the same text."""

    def profiles(self) -> dict[str, LengthProfile]:
        """See :class:`Funnel`."""
        return {"text": self.source_characters}


def all_taken_away(split: str, rows_in: int, losses: Mapping[str, int]) -> RowsLost:
    """The error for an empty split; it names the settings that removed the rows.

    Args:
        split: its name.
        rows_in: the number of rows read.
        losses: the number of rows that each setting removed; at least one setting.
    """
    most = max(losses, key=lambda name: losses[name])
    counts = ", ".join(f"{name} {count}" for name, count in losses.items())
    return RowsLost(
        f"{split} is empty: of {rows_in} rows all were taken away, most by {most} ({counts}); expected some to be left; "
        "`s2s dropped` shows them"
    )


def format_funnels(funnels: Mapping[str, Funnel]) -> str:
    """A Markdown table of rows in, dropped by each rule, carved out, and out; one column per split.

    Args:
        funnels: by split.
    """
    rules = list(dict.fromkeys(rule for funnel in funnels.values() for rule in funnel.dropped))
    targets = list(dict.fromkeys(split for funnel in funnels.values() for split in funnel.carved))
    rows = [["", *funnels], ["rows in", *(str(funnel.rows_in) for funnel in funnels.values())]]
    rows += [[f"dropped by {rule}", *(_negative(funnel.dropped.get(rule)) for funnel in funnels.values())] for rule in rules]
    rows += [[f"carved out as {split}", *(_negative(funnel.carved.get(split)) for funnel in funnels.values())] for split in targets]
    for name, added in (
        ("also with sides exchanged", [funnel.exchanged for funnel in funnels.values()]),
        ("also with the teacher's target", [funnel.taught for funnel in funnels.values()]),
    ):
        rows += [[name, *(f"+{count}" if count else "" for count in added)]] if any(added) else []
    for kind in dict.fromkeys(kind for funnel in funnels.values() for kind in funnel.augmented):
        copies = [funnel.augmented.get(kind) for funnel in funnels.values()]
        rows += [[f"also with noise: {kind}", *("" if count is None else f"+{count}" for count in copies)]]
    rows += [["rows out", *(str(funnel.rows_out) for funnel in funnels.values())]]
    for name in dict.fromkeys(name for funnel in funnels.values() for name in funnel.changed):
        rows += [[f"changed by {name}", *(str(funnel.changed.get(name, "")) for funnel in funnels.values())]]
    return _format_table(rows)


def format_lengths(funnels: Mapping[str, Funnel]) -> str:
    """A Markdown table of the lengths of the texts written, in characters.

    Args:
        funnels: by split.
    """
    rows = [["characters", "mean", *QUANTILES, "max"]]
    for split, funnel in funnels.items():
        for side, profile in funnel.profiles().items():
            rows.append([f"{split} {side}", *(f"{value:g}" for value in profile.summarize().values())])
    return _format_table(rows)


def figures_of(report: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a report with their dotted names.

    Args:
        report: from :meth:`Funnel.as_report`, or several by split.
        prefix: before each name.
    """
    for name, value in report.items():
        if isinstance(value, dict):
            yield from figures_of(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", float(value)


def _negative(count: int | None) -> str:
    return "" if count is None else f"-{count}" if count else "0"


def _format_table(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(f"| {' | '.join([first, *others])} |")
    rule = "|".join([":" + "-" * (widths[0] + 1), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])
