"""Data contracts: the contracts that the settings require of each split."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from seq2seq_core.artifacts import MONOLINGUAL, SPLITS
from seq2seq_core.config.validate import (
    CountContract,
    FractionContract,
    RatioContract,
    SampledContract,
    Severity,
    UserContract,
    ValidateSection,
)


@dataclass(frozen=True)
class Contract:
    """A bound that the rows of a split must keep.

    Attributes:
        name: its field in the section ``validate``.
        split: the split that it applies to.
        severity: ``error`` or ``warning``.
        limit: the minimum number of rows (``min_rows`` and such), else the largest share of rows that may break it.
        statement: what is counted and what is accepted, as text for reports.
        is_own: whether users have written it.
        most_rows: most rows that are looked at, evenly spread; 0: all.
    """

    name: str
    split: str
    severity: Severity
    limit: float
    statement: str
    is_own: bool = False
    most_rows: int = 0

    @property
    def bounds_row_count(self) -> bool:
        """Whether the limit is a number of rows, not a share of them."""
        return self.name in ("min_rows", "min_evaluation_rows", "min_monolingual_rows")

    def checked_of(self, rows: int) -> int:
        """How many rows are looked at.

        Args:
            rows: of the split.
        """
        return -(-rows // spread_step(rows, self.most_rows))


def spread_step(rows: int, most: int) -> int:
    """The distance between rows that are looked at, so that they are evenly spread.

    Args:
        rows: all.
        most: that are looked at; 0: all.
    """
    return max(1, -(-rows // most)) if most else 1


FILES_USABLE = ("recordings", "pictures")
"""Contracts on the files that sources name, by their noun: each must be usable."""
LENGTH_RATIO, OTHER_LANGUAGE = "length_ratio", "other_language"


@dataclass(frozen=True)
class _BuiltIn:
    """A built-in contract on a share of the rows.

    Attributes:
        name: its field in the section ``validate``.
        pairs: what is counted in a split of pairs; empty: it does not apply to pairs.
        sentences: the same in monolingual sentences.
        compares_sides: whether it needs texts on both sides.
        split: the only split that it applies to; empty: all.
        other: the split that the rows are compared with; empty: none.
        needs_languages: whether it needs the language of a side.
    """

    name: str
    pairs: str = ""
    sentences: str = ""
    compares_sides: bool = False
    split: str = ""
    other: str = ""
    needs_languages: bool = False


_CONTROLS, _MOJIBAKE = "rows with control characters or U+FFFD", "rows with mojibake (UTF-8 read as Latin-1 or cp1252)"
_QUOTED = "rows with a side in quotation marks, as Excel or CSV writes a cell"
_INVISIBLE, _ESCAPED = "rows with invisible characters", "rows with escaped or tokenised text, such as &quot; or @@"
_TAGS = "rows with tags of HTML"
_SCRIPT = "rows with a side mostly in another script than train's"
_BUILT_IN = (
    _BuiltIn("empty", "rows with an empty source or target", "empty rows"),
    _BuiltIn("max_characters", "rows with more than {limit} characters on a side", "rows with more than {limit} characters"),
    _BuiltIn(LENGTH_RATIO, "rows with one side more than {limit:g} times as long as the other", compares_sides=True),
    _BuiltIn("duplicate_pairs", "rows that repeat an earlier pair", "rows that repeat an earlier one"),
    _BuiltIn("conflicting_targets", "rows whose source has another target earlier"),
    _BuiltIn("control_characters", _CONTROLS, _CONTROLS),
    _BuiltIn("mojibake", _MOJIBAKE, _MOJIBAKE),
    _BuiltIn("quoted_cells", _QUOTED, _QUOTED),
    _BuiltIn("untranslated", "rows whose target is their source", compares_sides=True),
    _BuiltIn("invisible_characters", _INVISIBLE, _INVISIBLE),
    _BuiltIn("escaped_text", _ESCAPED, _ESCAPED),
    _BuiltIn("html_tags", _TAGS, _TAGS),
    _BuiltIn("numbers_differ", "rows whose sides have different numbers", compares_sides=True),
    _BuiltIn("urls_differ", "rows whose sides have different web addresses", compares_sides=True),
    _BuiltIn("repeated_ngrams", "rows with a side that repeats most of its bigrams", "rows that repeat most of their bigrams"),
    _BuiltIn("unexpected_script", _SCRIPT, "rows mostly in another script than the others"),
    _BuiltIn(OTHER_LANGUAGE, "rows with a side in another language", "rows in another language", needs_languages=True),
    _BuiltIn("dev_leakage", "rows whose source also stands in train", split="dev", other="train"),
    _BuiltIn("test_leakage", "rows whose source also stands in train", split="test", other="train"),
    _BuiltIn("dev_test_overlap", "rows whose source also stands in test", split="dev", other="test"),
    _BuiltIn("monolingual_leakage", "", "rows that are a source or target of dev or test"),
)  # fmt: skip
"""The built-in contracts, in the order of reports. ``rows/verdicts.py`` has the SQL of each."""
COMPARED_SPLITS = {contract.name: contract.other for contract in _BUILT_IN if contract.other}
"""By contract: the split whose sources its rows must not have."""


def contracts_of(
    section: ValidateSection,
    split: str,
    file_noun: str = "",
    readable: Collection[str] = SPLITS,
    has_languages: bool = False,
) -> list[Contract]:
    """The contracts of one split that are not off.

    Args:
        section: bounds and severities.
        split: ``train``, or ``dev`` or ``test`` where files are given for them, or ``monolingual.en`` and such.
        file_noun: what the files are that the sources name, ``recordings`` or ``pictures``: each must be usable, and the sides are
            not compared; empty: the sources are texts.
        readable: the splits that can be compared with.
        has_languages: whether the language of a side is known.
    """
    is_text = is_monolingual(split)
    rows = "min_monolingual_rows" if is_text else "min_rows" if split == "train" else "min_evaluation_rows"
    least: CountContract = getattr(section, rows)
    contracts = [Contract(rows, split, least.severity, least.limit, f"rows: at least {least.limit}")]
    for one in _BUILT_IN:
        counted = one.sentences if is_text else one.pairs
        if not counted or one.split not in ("", split) or (file_noun and one.compares_sides):
            continue
        if one.needs_languages and not has_languages:
            continue
        if not one.other or one.other in readable:
            contracts.append(_state(one.name, split, section, counted))
    if file_noun:
        statement = f"rows whose {file_noun.removesuffix('s')} cannot be used: none"
        contracts.append(Contract(file_noun, split, "error", 0.0, statement))
    return [contract for contract in contracts if contract.severity != "off"]


def _state(name: str, split: str, section: ValidateSection, counted: str) -> Contract:
    """A contract with its bound, which some settings say in another way than as a share of the rows."""
    bound: FractionContract | CountContract | RatioContract = getattr(section, name)
    statement = counted.format(limit=bound.limit)
    if isinstance(bound, SampledContract) and bound.rows:
        return replace(_share(name, split, bound, f"{statement}, of {bound.rows} evenly spread ones"), most_rows=bound.rows)
    if isinstance(bound, CountContract):
        bound = FractionContract(limit=0.0, severity=bound.severity)
    elif isinstance(bound, RatioContract):
        bound = FractionContract(limit=round(1 - bound.mostly, 12), severity=bound.severity)
    return _share(name, split, bound, statement)


def is_monolingual(split: str) -> bool:
    """Whether a split is the monolingual sentences of a language: rows whose two sides are one text."""
    return split.startswith(f"{MONOLINGUAL}.")


def _share(name: str, split: str, bound: FractionContract, counted: str) -> Contract:
    accepted = f"at most {100 * bound.limit:g} %" if bound.limit else "none"
    return Contract(name, split, bound.severity, bound.limit, f"{counted}: {accepted}")


def own_contracts_of(section: ValidateSection, split: str) -> list[UserContract]:
    """The users' contracts of one split that are not off.

    Args:
        section: lists them.
        split: its name.
    """
    applies = (contract for contract in section.contracts if contract.severity != "off")
    return [contract for contract in applies if (split in contract.splits if contract.splits else not is_monolingual(split))]


def state_own_contract(contract: UserContract, split: str) -> Contract:
    """A user's contract as the report shows it.

    Args:
        contract: the contract.
        split: one of its splits.
    """
    if contract.where:
        bound = FractionContract(limit=contract.limit, severity=contract.severity)
        return replace(_share(contract.title, split, bound, f"rows where {contract.where.strip()}"), is_own=True)
    arguments = ", ".join(f"{name}={value!r}" for name, value in contract.arguments.items())
    statement = f"{contract.expectation}({arguments})"
    return Contract(contract.title, split, contract.severity, contract.limit, statement, is_own=True)
