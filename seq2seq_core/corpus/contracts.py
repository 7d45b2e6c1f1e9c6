"""Data contracts: the contracts that the settings require of each split, and the rows that break them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from seq2seq_core.artifacts import MONOLINGUAL
from seq2seq_core.audio.sound_file import RecordingError
from seq2seq_core.config.validate import FractionContract, Severity, ValidateSection
from seq2seq_core.corpus.file_faults.text_faults import CONTROL_CHARACTER, find_mojibake, is_quoted_cell, quote
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.normalization import digest, normalize_exactly
from seq2seq_core.corpus.recordings import Recordings


@dataclass(frozen=True)
class Contract:
    """A bound that the rows of a split must keep.

    Attributes:
        name: its field in the section ``validate``.
        split: the split that it applies to.
        severity: ``error`` or ``warning``.
        limit: the minimum number of rows (``min_rows`` and such), else the largest share of rows that may break it.
        statement: what is counted and what is accepted, as text for reports.
    """

    name: str
    split: str
    severity: Severity
    limit: float
    statement: str

    @property
    def bounds_row_count(self) -> bool:
        """Whether the limit is a number of rows, not a share of them."""
        return self.name in ("min_rows", "min_evaluation_rows", "min_monolingual_rows")


RECORDINGS, LENGTH_RATIO = "recordings", "length_ratio"


def contracts_of(section: ValidateSection, split: str, has_recordings: bool = False) -> list[Contract]:
    """The contracts of one split that are not off.

    Args:
        section: bounds and severities.
        split: ``train``, or ``dev`` or ``test`` where files are given for them, or ``monolingual.en`` and such.
        has_recordings: whether the sources name recordings. If so, each recording must be usable, and the length ratio is not
            checked.
    """
    if is_monolingual(split):
        return _contracts_of_sentences(section, split)
    row_count_name = "min_rows" if split == "train" else "min_evaluation_rows"
    row_count = section.min_rows if split == "train" else section.min_evaluation_rows
    size, ratio = section.max_characters, section.length_ratio
    contracts = [
        Contract(row_count_name, split, row_count.severity, row_count.limit, f"rows: at least {row_count.limit}"),
        _share("empty", split, section.empty, "rows with an empty source or target"),
        _share(
            "max_characters",
            split,
            FractionContract(limit=0.0, severity=size.severity),
            f"rows with more than {size.limit} characters on a side",
        ),
        _share(
            LENGTH_RATIO,
            split,
            FractionContract(limit=round(1 - ratio.mostly, 12), severity=ratio.severity),
            f"rows with one side more than {ratio.limit:g} times as long as the other",
        ),
        _share("duplicate_pairs", split, section.duplicate_pairs, "rows that repeat an earlier pair"),
        _share("conflicting_targets", split, section.conflicting_targets, "rows whose source has another target earlier"),
        _share("control_characters", split, section.control_characters, "rows with control characters or U+FFFD"),
        _share("mojibake", split, section.mojibake, "rows with mojibake (UTF-8 read as Latin-1 or cp1252)"),
        _share("quoted_cells", split, section.quoted_cells, "rows with a side in quotation marks, as Excel or CSV writes a cell"),
    ]
    if split != "train":
        leakage: FractionContract = getattr(section, f"{split}_leakage")
        contracts.append(_share(f"{split}_leakage", split, leakage, "rows whose source also stands in train"))
    if has_recordings:
        contracts = [contract for contract in contracts if contract.name != LENGTH_RATIO]
        contracts.append(Contract(RECORDINGS, split, "error", 0.0, "rows whose recording cannot be used: none"))
    return [contract for contract in contracts if contract.severity != "off"]


def _contracts_of_sentences(section: ValidateSection, split: str) -> list[Contract]:
    """The contracts of monolingual sentences that are not off: those about a single text."""
    rows, size = section.min_monolingual_rows, section.max_characters
    longest = FractionContract(limit=0.0, severity=size.severity)
    contracts = [
        Contract("min_monolingual_rows", split, rows.severity, rows.limit, f"rows: at least {rows.limit}"),
        _share("empty", split, section.empty, "empty rows"),
        _share("max_characters", split, longest, f"rows with more than {size.limit} characters"),
        _share("duplicate_pairs", split, section.duplicate_pairs, "rows that repeat an earlier one"),
        _share("control_characters", split, section.control_characters, "rows with control characters or U+FFFD"),
        _share("mojibake", split, section.mojibake, "rows with mojibake (UTF-8 read as Latin-1 or cp1252)"),
        _share("quoted_cells", split, section.quoted_cells, "rows with a side in quotation marks, as Excel or CSV writes a cell"),
        _share("monolingual_leakage", split, section.monolingual_leakage, "rows that are a source or target of dev or test"),
    ]
    return [contract for contract in contracts if contract.severity != "off"]


def is_monolingual(split: str) -> bool:
    """Whether a split is the monolingual sentences of a language: rows whose two sides are one text."""
    return split.startswith(f"{MONOLINGUAL}.")


def _share(name: str, split: str, bound: FractionContract, counted: str) -> Contract:
    accepted = f"at most {100 * bound.limit:g} %" if bound.limit else "none"
    return Contract(name, split, bound.severity, bound.limit, f"{counted}: {accepted}")


class SeenLines:
    """The first position of each text, in about a hundred bytes per text."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._names: list[str] = []
        self._places: dict[int, int] = {}

    def find(self, key: int) -> str | None:
        """``file:line`` of the first row with this digest, or None."""
        place = self._places.get(key)
        return None if place is None else f"{self._names[place & 0xFFFF]}:{place >> 16}"

    def add(self, key: int, row: Row) -> None:
        """Stores a row's position unless an earlier row has the same digest."""
        if row.file not in self._files:
            self._files[row.file] = len(self._names)
            self._names.append(row.file)
            assert len(self._names) <= 0xFFFF, "more files in one split than sixteen bits can number"
        self._places.setdefault(key, row.line << 16 | self._files[row.file])


@dataclass
class SplitBreaches:
    """The breaches of contracts in one split.

    Attributes:
        rows: the number of rows of the split.
        breaches: by contract: the position of each row that breaks it, with a message ``file:line: what``.
    """

    rows: int = 0
    breaches: dict[str, dict[int, str]] = field(default_factory=dict)


class RowInspector:
    """Checks the rows of a split against its contracts, one by one.

    Args:
        section: bounds and severities.
        split: the split whose rows are inspected.
        guarded: texts that must not be a source here, with their positions: the sources of train for dev and test; both sides of
            dev and test for monolingual sentences. None: leakage is not checked.
        input_columns: columns that are part of the model's input, besides the source.
        recordings: the recordings that the sources name; None if sources are texts. Recordings with equal samples are equal.

    Attributes:
        found: the breaches so far.
        sources: the position of each source so far.
        recordings_hash: SHA-256 over the digests of the recordings so far, in order of the rows.
    """

    def __init__(
        self,
        section: ValidateSection,
        split: str,
        guarded: SeenLines | None = None,
        input_columns: Sequence[str] = (),
        recordings: Recordings | None = None,
    ) -> None:
        self.section, self.split, self.input_columns, self.recordings = section, split, tuple(input_columns), recordings
        contracts = contracts_of(section, split, has_recordings=recordings is not None)
        self.contracts = [contract.name for contract in contracts if not contract.bounds_row_count]
        self.guarded = guarded
        self.sources, self._pairs = SeenLines(), SeenLines()
        self._targets: dict[int, int] = {}
        self._identity, self._source_key, self._recording_fault = "", 0, ""
        self.recordings_hash = hashlib.sha256()
        self.found = SplitBreaches(breaches={name: {} for name in self.contracts})
        prefix = f"{split.partition('.')[0]}_"
        self._checks: list[tuple[str, Callable[[Row], str | None]]] = [
            (name, getattr(self, f"_check_{name.removeprefix(prefix)}")) for name in self.contracts
        ]

    def inspect(self, row: Row) -> None:
        """Checks the next row of the split."""
        self._identify(row)
        for name, check in self._checks:
            what = check(row)
            if what is not None:
                self._note(name, row, what)
        self.sources.add(self._source_key, row)
        self.found.rows += 1

    def _identify(self, row: Row) -> None:
        """Sets the identity of the row's source: its text, or the digest of its recording's samples."""
        self._identity, self._recording_fault = row.source, ""
        if self.recordings is not None:
            try:
                self._identity = self.recordings.find(row.source).digest
                self.recordings_hash.update(self._identity.encode())
            except RecordingError as error:
                self._recording_fault = str(error)
        self._source_key = digest(normalize_exactly(self._identity), *self._inputs(row))

    def _inputs(self, row: Row) -> tuple[str, ...]:
        return tuple(row.columns.get(name, "") for name in self.input_columns)

    def _note(self, name: str, row: Row, what: str) -> None:
        breaches = self.found.breaches[name]
        place = f"{row.file}:{row.line}"
        # A report shows the first few; of the others the place is enough.
        breaches[self.found.rows] = f"{place}: {what}" if len(breaches) < self.section.examples else place

    def _check_empty(self, row: Row) -> str | None:
        if is_monolingual(self.split):
            return None if row.source.strip() else "empty"
        has_source, has_target = bool(row.source.strip()), bool(row.target.strip())
        if has_source and has_target:
            return None
        if has_source:
            return f"empty target, source {quote(row.source)}"
        return f"empty source, target {quote(row.target)}" if has_target else "empty source and target"

    def _check_max_characters(self, row: Row) -> str | None:
        for side, text in self._sides(row):
            if len(text) > self.section.max_characters.limit:
                return f"{side} of {len(text)} characters: {quote(text)}"
        return None

    def _check_length_ratio(self, row: Row) -> str | None:
        shorter, longer = sorted((len(row.source), len(row.target)))
        if shorter == 0 or longer <= self.section.length_ratio.limit * shorter:  # the contract "empty" reports an empty side
            return None
        return f"ratio {longer / shorter:.1f} ({len(row.source)} : {len(row.target)} characters): {_quote_pair(row)}"

    def _check_duplicate_pairs(self, row: Row) -> str | None:
        key = digest(self._identity, row.target, *self._inputs(row))
        earlier = self._pairs.find(key)
        if earlier is None:
            self._pairs.add(key, row)
            return None
        return f"repeats {earlier}: {quote(row.source) if is_monolingual(self.split) else _quote_pair(row)}"

    def _check_conflicting_targets(self, row: Row) -> str | None:
        target_key = digest(normalize_exactly(row.target))
        if self._targets.setdefault(self._source_key, target_key) == target_key:
            return None
        return f"another target at {self.sources.find(self._source_key)}: {_quote_pair(row)}"

    def _check_control_characters(self, row: Row) -> str | None:
        for side, text in self._sides(row):
            found = CONTROL_CHARACTER.search(text)
            if found:
                return f"U+{ord(found[0]):04X} in the {side}: {quote(text, found.start())}"
        return None

    def _check_mojibake(self, row: Row) -> str | None:
        for side, text in self._sides(row):
            position = find_mojibake(text)
            if position >= 0:
                return f"in the {side}: {quote(text, position)}"
        return None

    def _check_quoted_cells(self, row: Row) -> str | None:
        for side, text in self._sides(row):
            if is_quoted_cell(text):
                return f"the {side}: {quote(text)}"
        return None

    def _check_recordings(self, row: Row) -> str | None:
        return f"{quote(row.source)}: {self._recording_fault}" if self._recording_fault else None

    def _check_leakage(self, row: Row) -> str | None:
        place = self.guarded.find(self._source_key) if self.guarded is not None else None
        return None if place is None else f"also {place}: {quote(row.source)}"

    def _sides(self, row: Row) -> Iterator[tuple[str, str]]:
        """The texts of a row, each with the name of its side."""
        if is_monolingual(self.split):
            yield "text", row.source
            return
        yield "source", row.source
        yield "target", row.target


def _quote_pair(row: Row) -> str:
    return f"{quote(row.source, width=40)} → {quote(row.target, width=40)}"
