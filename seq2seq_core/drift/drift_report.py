"""The comparison of two corpora: the effect of each measure, and whether it is more than chance and more than little."""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict

from seq2seq_core.drift.corpus_profile import SIDES, Chance, Profile
from seq2seq_core.drift.effects import Array, effect_size
from seq2seq_core.drift.measures import Measured, measure
from seq2seq_core.drift.resampling import FEWEST_ROWS
from seq2seq_core.drift.text_counts import LENGTH_EDGES, RATIO_EDGES

FEWEST_NEW = 50
MOST_BINS, MOST_SHOWN = 12, 3
PIECES_DIFFER = "pieces are not compared: the two have different vocabularies, and their texts are not at hand"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class BinShare(_Part):
    """A bin of a measure: its share in both corpora."""

    label: str
    old: float
    new: float


class MeasureDrift(_Part):
    """One measure."""

    name: str
    effect: float
    """From 0, the same, to 1, nothing in common."""
    by_chance: float
    """What chance does not exceed in any measure, with the probability ``1 - alpha``."""
    threshold: float
    """The greater one of that and the minimal effect."""
    is_alarm: bool
    bins: list[BinShare]
    """Those that differ most; of lengths and ratios all, in wide bins."""


class DriftReport(_Part):
    """Two corpora compared."""

    old: str
    """What the newer one is compared with, such as ``version 3 of 'dates'``."""
    new: str
    alpha: float
    minimal_effect: float
    rows: tuple[int, int] = (0, 0)
    """Rows of the older and of the newer corpus."""
    measures: list[MeasureDrift] = []
    """The greatest effect first."""
    trouble: str = ""
    """Why nothing was compared; empty: it was."""
    notes: list[str] = []

    @property
    def alarms(self) -> list[MeasureDrift]:
        """The measures that have drifted."""
        return [one for one in self.measures if one.is_alarm]

    def sentence(self) -> str:
        """The result in one sentence."""
        if self.trouble:
            return f"drift: not compared with {self.old}: {self.trouble}"
        if not self.alarms:
            first = f" (greatest effect: {describe(self.measures[0])})" if self.measures else ""
            return f"drift: none against {self.old}{first}"
        return f"drift against {self.old}: {'; '.join(map(describe, self.alarms))}"

    def tag(self) -> str:
        """The result in a few words, for a list of versions."""
        if self.trouble:
            return f"not compared with {self.old}: {self.trouble}"
        return f"{', '.join(one.name for one in self.alarms) or 'none'}, against {self.old}"


def describe(one: MeasureDrift) -> str:
    """A measure with its effect, threshold and, of categories, what has changed most."""
    shown = f"{one.name} {one.effect:.2f} (limit {one.threshold:.2f})"
    if not one.is_alarm or not one.bins:
        return shown
    most = max(one.bins, key=lambda part: abs(part.new - part.old))
    return f"{shown}, {most.label}: {most.old:.1%} → {most.new:.1%}"


def to_lines(report: DriftReport) -> list[str]:
    """The report for a terminal: the result, then a line a measure.

    Args:
        report: of two corpora.
    """
    width = max((len(one.name) for one in report.measures), default=0)
    lines = [report.sentence(), *(["", f"  {'measure':{width}}  effect  limit"] if report.measures else [])]
    for one in report.measures:
        lines.append(f"  {one.name:{width}}  {one.effect:6.3f}  {one.threshold:5.3f}{'  drift' if one.is_alarm else ''}")
        changes = sorted(one.bins, key=lambda part: -abs(part.new - part.old))[:MOST_SHOWN] if one.is_alarm else []
        lines += [f"  {'':{width}}    {part.label}: {part.old:.2%} → {part.new:.2%}" for part in changes]
    rows = f"{report.rows[1]:,} rows of {report.new}, {report.rows[0]:,} of {report.old}"
    return [*lines, "", f"{rows}; a false alarm in at most {report.alpha:.0%} of comparisons", *report.notes]


def compare_profiles(old: Profile, new: Profile, labels: tuple[str, str], alpha: float, minimal_effect: float) -> DriftReport:
    """How a corpus differs from an older one.

    Args:
        old: of the older corpus; holds what chance does to parts of it.
        new: of the other one.
        labels: the names of both.
        alpha: the chance of a false alarm in any measure.
        minimal_effect: a smaller effect is no alarm, however sure it is.
    """
    report = DriftReport(old=labels[0], new=labels[1], alpha=alpha, minimal_effect=minimal_effect, rows=(old.rows, new.rows))
    if old.chance is None:
        few = f"its corpus has {old.rows} rows, and chance needs {FEWEST_ROWS} to be known"
        return report.model_copy(update={"trouble": few})
    if new.rows < FEWEST_NEW:
        return report.model_copy(update={"trouble": f"{labels[1]} has {new.rows} rows, and less than {FEWEST_NEW} tell nothing"})
    measures = [_judge(one, old.chance, alpha, minimal_effect) for one in measure(old, new) if one.name in old.chance.names]
    measures.sort(key=lambda one: (not one.is_alarm, -one.effect / max(one.threshold, 1e-9)))
    return report.model_copy(update={"measures": measures, "notes": _notes(old, new)})


def _judge(one: Measured, chance: Chance, alpha: float, minimal_effect: float) -> MeasureDrift:
    effect = float(effect_size(one.kind, one.old, one.new))
    size = one.rows[0] * one.rows[1] / (one.rows[0] + one.rows[1])
    by_chance = min(1.0, chance.threshold(one.name, size, alpha))
    threshold = max(by_chance, minimal_effect)
    return MeasureDrift(
        name=one.name,
        effect=_rounded(effect),
        by_chance=_rounded(by_chance),
        threshold=_rounded(threshold),
        is_alarm=effect > threshold,
        bins=_bins(one),
    )


def _rounded(value: float) -> float:
    return round(value, 4)


def _notes(old: Profile, new: Profile) -> list[str]:
    """The sides whose pieces cannot be compared."""
    notes = []
    for name in SIDES:
        one, other = old.side(name), new.side(name)
        if one is None or other is None or one.pieces is None:
            continue
        if other.pieces is None or other.pieces.vocabulary != one.pieces.vocabulary:
            notes.append(f"{name} {PIECES_DIFFER}")
    return notes


def _bins(one: Measured) -> list[BinShare]:
    """The shares of the bins that differ most, or of wide bins of lengths and ratios."""
    old, new = (counts / max(1.0, counts.sum()) for counts in (one.old, one.new))
    if one.kind == "numbers":
        return _wide_bins(old, new, LENGTH_EDGES if len(old) == len(LENGTH_EDGES) + 1 else RATIO_EDGES)
    order = sorted(range(len(old)), key=lambda place: -abs(new[place] - old[place]))[:MOST_BINS]
    labels = [_shown(label) for label in one.labels]
    kept = [place for place in order if old[place] or new[place]]
    return [BinShare(label=labels[place], old=_rounded(old[place]), new=_rounded(new[place])) for place in kept]


def _shown(label: str) -> str:
    return f"“{label}” (U+{ord(label):04X})" if len(label) == 1 else label


def _wide_bins(old: Array, new: Array, edges: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[BinShare]:
    """Bins that are joined, so that each holds about a tenth of both corpora together."""
    found: list[BinShare] = []
    start, together = 0, (old + new) / 2.0
    for end in range(1, len(old) + 1):
        is_last = end == len(old) or not together[end:].any()
        if together[start:end].sum() >= 1.0 / (MOST_BINS - 2) or is_last:
            low, high = 0.0 if start == 0 else edges[start - 1], math.inf if end == len(old) else edges[end - 1]
            parts = (_rounded(float(shares[start:end].sum())) for shares in (old, new))
            found.append(
                BinShare(label=_range(low, math.inf if is_last else high), **dict(zip(("old", "new"), parts, strict=True)))
            )
            start = end
        if is_last:
            break
    return found


def _range(low: float, high: float) -> str:
    if high == math.inf:
        return f"{low:.3g} or more"
    return f"below {high:.3g}" if low == 0.0 else f"{low:.3g} to below {high:.3g}"
