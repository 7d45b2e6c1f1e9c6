"""``validate``: the data contracts on the raw corpus, each with a bound and a severity."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from seq2seq_core.config.section import Section

_SPLIT = re.compile(r"train|dev|test|monolingual\..+")
_REPORTED = ("recordings", "pictures", "readable", "set_aside")
"""Built-in contracts without a setting."""
Severity = Literal["error", "warning", "off"]
"""``error`` stops the run, ``warning`` is reported, ``off`` is not checked."""


class CountContract(Section):
    """A bound on a number of rows, characters or tokens."""

    limit: int = Field(ge=0)
    """The bound; rows, or characters (Unicode code points)."""
    severity: Severity = "error"
    """Effect of a violation."""


class FractionContract(Section):
    """A bound on a share of the rows."""

    limit: float = Field(ge=0.0, le=1.0)
    """The largest share of rows that is accepted, from 0 to 1."""
    severity: Severity = "warning"
    """Effect of a violation."""


class SampledContract(FractionContract):
    """A bound on a share of the rows, of which only some are looked at."""

    rows: int = Field(default=10_000, ge=0)
    """Most rows of a split that are looked at, evenly spread; 0: all."""


class RatioContract(Section):
    """A bound on the ratio of the two lengths of a pair, and how many rows may break it."""

    limit: float = Field(ge=1.0)
    """The largest accepted ratio of the longer side's characters to the shorter side's."""
    mostly: float = Field(default=0.99, ge=0.0, le=1.0)
    """The share of rows that must keep the limit."""
    severity: Severity = "warning"
    """Effect of a violation."""


class UserContract(Section):
    """A contract of your own: a condition in SQL (``where``), or an expectation of Great Expectations (``expectation``).

    Its columns are ``file``, ``line``, ``source``, ``target`` and the other columns of the corpus.
    """

    model_config = ConfigDict(extra="allow")

    name: str = Field(default="", pattern=r"^[A-Za-z0-9_-]*$", max_length=100)
    """Its name in reports; of an expectation, its name and column by default."""
    where: str = ""
    """Condition in DuckDB's SQL that holds for the rows that break it, such as ``regexp_matches(target, '&[a-z]+;')``."""
    expectation: str = ""
    """Name of one of Great Expectations' own expectations, such as ``expect_column_values_to_be_unique``. Its arguments stand
    beside it (``column: source``)."""
    limit: float = Field(default=0.0, ge=0.0, le=1.0)
    """The largest share of rows that is accepted, from 0 to 1; for an expectation about single rows, 1 less ``mostly``."""
    severity: Severity = "warning"
    """Effect of a violation."""
    splits: list[str] = []
    """The splits that it applies to: ``train``, ``dev``, ``test``, or ``monolingual.en`` and such; empty: all of pairs."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the expectation."""
        return dict(self.model_extra or {})

    @property
    def title(self) -> str:
        """Its name, in reports and Data Docs."""
        columns = [str(value) for name, value in self.arguments.items() if name.startswith("column") and isinstance(value, str)]
        return self.name or re.sub(r"[^\w. -]", "_", ".".join([self.expectation, *columns]))  # MLflow takes no other characters

    @model_validator(mode="after")
    def _is_one_of_two_kinds(self) -> Self:
        if bool(self.where.strip()) == bool(self.expectation):
            raise ValueError("must have either where or expectation, got " + ("both" if self.expectation else "neither"))
        if self.where and not self.name:
            raise ValueError("name must be given with where, got nothing")
        if unknown := next((split for split in self.splits if not _SPLIT.fullmatch(split)), None):
            raise ValueError(f"splits must be of train, dev, test and monolingual.LANGUAGE, got {unknown!r}")
        if self.where and self.arguments:
            raise ValueError(f"must have no arguments with where, got {', '.join(self.arguments)}")
        return self


class ValidateSection(Section):
    """Contracts on each split of the raw corpus. A corpus, recording or picture that cannot be read is always an error."""

    min_rows: CountContract = CountContract(limit=1)
    """Fewest rows of the training files."""
    min_evaluation_rows: CountContract = CountContract(limit=1)
    """Fewest rows of each dev or test file that is given."""
    min_monolingual_rows: CountContract = CountContract(limit=1)
    """Fewest rows of the files of each language in ``corpus.monolingual``."""
    empty: FractionContract = FractionContract(limit=0.0, severity="error")
    """Rows whose source or target is empty or white space."""
    max_characters: CountContract = CountContract(limit=5000, severity="warning")
    """Longest source or target, in characters."""
    length_ratio: RatioContract = RatioContract(limit=9.0)
    """Ratio of the two lengths of a pair, in characters."""
    duplicate_pairs: FractionContract = FractionContract(limit=0.05)
    """Rows that repeat an earlier pair of the same split."""
    conflicting_targets: FractionContract = FractionContract(limit=0.05)
    """Rows whose target differs from the first target of their source in the same split."""
    control_characters: FractionContract = FractionContract(limit=0.0)
    """Rows with control characters (C0, C1) other than TAB and line feed, or with U+FFFD."""
    mojibake: FractionContract = FractionContract(limit=0.001)
    """Rows that look like UTF-8 read as Latin-1 or cp1252."""
    quoted_cells: FractionContract = FractionContract(limit=0.0)
    """Rows with a side in quotation marks, those inside it doubled. Excel and CSV write a cell so, but TSV and plain text have no
    such quoting: save the sheet as CSV."""
    untranslated: FractionContract = FractionContract(limit=0.02)
    """Rows whose source and target are the same."""
    invisible_characters: FractionContract = FractionContract(limit=0.001)
    """Rows with soft hyphens, zero-width characters, marks of direction, or a byte-order mark inside the text. Joiners between
    letters that are not Latin are none of them."""
    escaped_text: FractionContract = FractionContract(limit=0.001)
    """Rows with entities of HTML (``&quot;``), or the marks of tokenisers (``@@``, ``@-@``, ``▁``)."""
    html_tags: FractionContract = FractionContract(limit=0.001)
    """Rows with tags or comments of HTML."""
    numbers_differ: FractionContract = FractionContract(limit=0.1)
    """Rows whose sides have different numbers in digits."""
    urls_differ: FractionContract = FractionContract(limit=0.001)
    """Rows whose sides have different web addresses."""
    repeated_ngrams: FractionContract = FractionContract(limit=0.01)
    """Rows with a side of at least 16 words more than half of whose bigrams repeat earlier ones; characters take the place of words
    in a text without spaces."""
    unexpected_script: FractionContract = FractionContract(limit=0.01)
    """Rows with a side most of whose letters are of other scripts than the side's usual ones, which have 5 % of its letters in
    train or more."""
    other_language: SampledContract = SampledContract(limit=0.01)
    """Rows with a side that is surely in another language than ``corpus.languages``, the columns ``source_language`` and
    ``target_language``, or the language of a monolingual file say. It does not apply where none of them does."""
    dev_test_overlap: FractionContract = FractionContract(limit=0.0)
    """Dev rows whose source, in NFC and with single spaces, also occurs in test."""
    test_leakage: FractionContract = FractionContract(limit=0.0)
    """Test rows whose source, in NFC and with single spaces, also occurs in train (``prepare.leakage`` drops those from train)."""
    dev_leakage: FractionContract = FractionContract(limit=0.0)
    """The same for dev rows."""
    monolingual_leakage: FractionContract = FractionContract(limit=0.0)
    """Rows of monolingual files that are, in NFC and with single spaces, a source or target of a dev or test file
    (``prepare.leakage`` drops those)."""
    contracts: list[UserContract] = []
    """Contracts of your own ([data](data.md#contracts-of-your-own))."""
    examples: int = Field(default=5, ge=1, le=100)
    """How many offending lines a report names for each contract."""

    @field_validator("contracts")
    @classmethod
    def _names_differ(cls, contracts: list[UserContract]) -> list[UserContract]:
        taken = {name.lower() for name in (*cls.model_fields, *_REPORTED, "file", "line", "source", "target")}
        for contract in contracts:
            if contract.title.lower() in taken:
                raise ValueError(f"must have names of their own, which no column or built-in contract has, got {contract.title!r}")
            taken.add(contract.title.lower())
        return contracts
