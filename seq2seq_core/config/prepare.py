"""``prepare``: cleaning, deduplication and splits."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import OFF
from seq2seq_core.named_modules import names_of
from seq2seq_core.normal_form import NormalForm

CLEANING_RULES = "seq2seq_core.corpus.cleaning_rules"
"""The package with one module per cleaning rule, named like its field of this section."""

Deduplication = Literal["none", "pair", "source"]
"""What must be unique within train."""
LeakagePolicy = Literal["keep", "exact", "near"]
"""Which train pairs are dropped because of dev or test."""


class PrepareSection(NormalForm):
    """How raw pairs become clean ones.

    A pair is dropped by the first rule that it breaks, in the order of the fields; the funnel counts it under the field's name.
    Each rule is a file in ``corpus/cleaning_rules``.
    """

    drop_control_characters: bool = False
    """Whether a pair with control characters or U+FFFD is dropped (false: such characters are kept)."""
    drop_copies: bool = False
    """Whether a pair whose target equals its source is dropped."""
    min_characters: int = Field(default=1, ge=0)
    """Fewest characters of each side."""
    max_characters: int = Field(default=5000, ge=1)
    """Most characters of each side."""
    max_length_ratio: float = Field(default=0.0, ge=0.0)
    """Largest ratio of the longer to the shorter side in characters; 0 accepts any, as word-to-phones corpora need."""
    deduplicate: Deduplication = "pair"
    """What must be unique within train: nothing, the pair, or the source (the first one is kept)."""
    leakage: LeakagePolicy = "near"
    """Which train pairs are dropped because of dev or test: none, those with the same source (in NFC and with single spaces), or
    those whose source is the same after NFKC, case folding and removal of punctuation and white space (kept between digits)."""
    clean_evaluation_splits: bool = False
    """Whether the rules from ``drop_control_characters`` to ``deduplicate`` also apply to dev and test files; the normalisation of
    text always does."""
    dev_fraction: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the different sources of train that becomes dev where no dev file is given."""
    test_fraction: float = Field(default=0.05, ge=0.0, lt=1.0)
    """Share of the different sources of train that becomes test where no test file is given."""
    split_salt: str = ""
    """Text mixed into the hash of a source that decides its split; another text gives other splits."""

    @classmethod
    def rule_names(cls) -> list[str]:
        """The names of all cleaning rules, in the order of the fields; rules are tried in this order."""
        names = names_of(CLEANING_RULES)
        assert set(names) <= cls.model_fields.keys(), "a cleaning rule has no setting of its name"
        return [field for field in cls.model_fields if field in names]

    @property
    def normal_form(self) -> NormalForm:
        """The form of the prepared texts; every other field decides which pairs are kept, and where."""
        return NormalForm(unicode_normalization=self.unicode_normalization, whitespace=self.whitespace)

    def rules_in_use(self) -> list[str]:
        """The names of the cleaning rules that are on, in the order in which they are tried."""
        return [name for name in self.rule_names() if getattr(self, name) not in OFF]

    @model_validator(mode="after")
    def _something_is_left_to_train(self) -> Self:
        if self.dev_fraction + self.test_fraction >= 1.0:
            total = self.dev_fraction + self.test_fraction
            raise ValueError(f"dev_fraction + test_fraction must be below 1, got {total:g}")
        if self.min_characters > self.max_characters:
            raise ValueError(f"min_characters must be at most max_characters, got {self.min_characters} > {self.max_characters}")
        return self
