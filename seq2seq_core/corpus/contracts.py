"""Data contracts: the contracts that the settings require of each split."""

from __future__ import annotations

from dataclasses import dataclass, replace

from seq2seq_core.artifacts import MONOLINGUAL
from seq2seq_core.config.validate import FractionContract, Severity, UserContract, ValidateSection


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
    """

    name: str
    split: str
    severity: Severity
    limit: float
    statement: str
    is_own: bool = False

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
