"""The shares of train that become dev and test, and the fewest test rows with which a version may become the champion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import SPLITS
from seq2seq_core.config.register import GateSection
from seq2seq_core.corpus.named_files.source_files import SourceFiles
from seq2seq_core.corpus.splitting import assign_split
from seq2seq_core.corpus_survey.choices.scoring_choice import has_several_references
from seq2seq_core.corpus_survey.choices.training_sizes import dev_fractions
from seq2seq_core.corpus_survey.evidence import CorpusEvidence
from seq2seq_core.errors import SourceFileError, UserError
from seq2seq_core.normal_form import is_blank

FEWEST_TEST_ROWS = 20
"""With fewer, a version proves nothing by any difference that is usual; a larger share of a small corpus is taken instead."""
FEWEST_PROVING_ROWS = 6
"""With fewer, not even a version that is better on each row is proved better: 2⁻⁵ is above the level of the first comparison."""
LARGER_SHARES = (0.15, 0.2, 0.3)
"""Shares that are tried where a split has too few rows."""
SURELY_DRAWN = 0.7
"""The share of the expected test rows that a split by chance nearly always has."""
SURELY_KEPT = 0.9
"""The share of carved test rows that ``prepare`` keeps, even where some break its rules; it drops none from a file of test."""
MOST_READ_FILES = 300
"""Up to so many recordings or pictures are read to count the rows of a split."""


@dataclass(frozen=True)
class SplitChoice:
    """The splits of a corpus.

    Attributes:
        fraction: share of train to carve out for dev, or for test.
        test_rows: rows of test, expected ones unless they are known.
        minimum_rows: the fewest test rows with which a version may become the champion; None: as the gate asks for by default.
        faults: why files cannot be used that were read to count the rows of a split, by name.
    """

    fraction: float
    test_rows: int
    minimum_rows: int | None
    faults: dict[str, str]

    @property
    def gate_section(self) -> dict[str, Any]:
        """The settings of ``register`` about the gate."""
        return {"gate": {"minimum_rows": self.minimum_rows}} if self.minimum_rows is not None else {}


@dataclass(frozen=True)
class _Drawn:
    """The rows that splits are drawn from.

    Attributes:
        keys: of a sample of the rows, what decides the split: a source, or the digest of a file.
        weight: rows for one of the sample.
        num_pairs: pairs that they are the rows of.
    """

    keys: list[str]
    weight: float
    num_pairs: int

    def count(self, share: float) -> dict[str, int]:
        """The rows of each split.

        Args:
            share: of dev, and of test.
        """
        counts = Counter(assign_split(key, share, share) for key in self.keys)
        return {split: int(self.weight * counts[split]) for split in SPLITS}


def choose_split(evidence: CorpusEvidence, folder: Path) -> SplitChoice:
    """The splits of a corpus: dev and test have ``FEWEST_TEST_ROWS`` rows or more, where the corpus has enough.

    Args:
        evidence: about the corpus.
        folder: its folder, for recordings and pictures.

    Raises:
        UserError: no share gives each split a row.
    """
    given = evidence.layout.num_rows
    carved = [split for split in ("dev", "test") if split not in given]
    # Rows of test with the same question are one row where several references are put together.
    questions = 1.0 - evidence.pairs.conflicting if has_several_references(evidence) else 1.0
    rows = int(questions * evidence.num_different)
    faults: dict[str, str] = {}
    drawn = _find_drawn(evidence, folder, faults) if carved else None
    fraction = _choose_fraction(drawn, rows, carved)
    known = given.get("test") or (drawn.count(fraction)["test"] if drawn is not None else None)
    rows_drawn = int(fraction * rows) if known is None else known
    minimum_rows = _minimum_rows(given.get("test"), known, int(SURELY_DRAWN * fraction * rows))
    return SplitChoice(fraction, rows_drawn, minimum_rows, faults)


def _minimum_rows(given: int | None, known: int | None, drawn: int) -> int | None:
    """As many test rows as there surely are, where that is less than the gate asks for.

    Args:
        given: rows of the files of test; None: there are none.
        known: rows of test; None: unknown.
        drawn: rows of test that a draw nearly always gives.
    """
    if (drawn if given is None else given) >= GateSection().minimum_rows:
        return None
    if known is None:
        return max(1, drawn)
    if given is not None:
        return given
    return min(max(FEWEST_TEST_ROWS, drawn), max(1, int(SURELY_KEPT * known)))


def _choose_fraction(drawn: _Drawn | None, num_rows: int, carved: Sequence[str]) -> float:
    """The smallest of some shares with which each carved split has enough rows; else the one with which they have most.

    Raises:
        UserError: with each of them a split is empty.
    """
    usual = dev_fractions(num_rows)
    if not carved:
        return usual
    fewest: dict[float, int] = {}
    for share in (usual, *(share for share in LARGER_SHARES if share > usual)):
        if drawn is None:
            fewest[share] = int(SURELY_DRAWN * share * num_rows)
        elif all((counts := drawn.count(share))[split] for split in ("train", *carved)):
            fewest[share] = min(counts[split] for split in carved)
        if fewest.get(share, 0) >= FEWEST_TEST_ROWS:
            return share
    if drawn is not None and not fewest:
        raise UserError(
            f"{drawn.num_pairs} pairs of {len(set(drawn.keys))} different sources cannot be split into train, dev and test, which "
            "share no source; expected more different sources, or files for dev and test"
        )
    return max(fewest, key=lambda share: fewest[share])


def _find_drawn(evidence: CorpusEvidence, folder: Path, faults: dict[str, str]) -> _Drawn | None:
    """The rows that ``prepare`` keeps; None: what decides their splits is not known.

    Args:
        evidence: about the corpus.
        folder: its folder.
        faults: receives why files cannot be used, by name.
    """
    layout = evidence.layout
    if layout.turns is not None or not layout.is_whole:
        return None
    pairs = [pair for pair in layout.pairs if not any(map(is_blank, pair))]
    if evidence.has_files:
        if len(pairs) > MOST_READ_FILES:
            return None
        digests = _digests(_files_of(evidence, folder), dict.fromkeys(source for source, _ in pairs), faults)
        pairs = [(digests[source], target) for source, target in pairs if source in digests]
    keys = [source for source, _ in (pairs if evidence.is_repetition_data else dict.fromkeys(pairs))]
    num_pairs = len(keys)
    if has_several_references(evidence):
        keys = list(dict.fromkeys(keys))
    return _Drawn(keys, max(1.0, layout.num_rows["train"] / len(layout.pairs)), num_pairs)


def _files_of(evidence: CorpusEvidence, folder: Path) -> SourceFiles:
    if evidence.recordings is not None:
        from seq2seq_core.corpus.recordings import Recordings

        return Recordings(folder, evidence.recordings.sample_rate)
    from seq2seq_core.corpus.named_files.picture_files import Pictures

    return Pictures(folder)


def _digests(files: SourceFiles, names: Iterable[str], faults: dict[str, str]) -> dict[str, str]:
    """The digests of the files that can be read, by name."""
    found = {}
    for name in names:
        try:
            found[name] = files.find(name).digest
        except SourceFileError as error:
            faults[name] = str(error)
    return found
