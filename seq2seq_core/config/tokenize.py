"""``tokenize``: subword models and vocabularies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section


class SubwordSettings(Section):
    """The subword model of one side."""

    model: Literal["unigram", "bpe", "char", "symbols"] = "unigram"
    """``symbols`` takes the text as symbols separated by white space (phones, actions) and never splits one."""
    vocabulary_size: int = Field(default=8000, ge=8)
    """Number of entries, special ones included; an upper bound for ``char`` and ``symbols``. Lowered, with a warning, where the
    corpus cannot fill it."""
    character_coverage: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the characters of train that the model covers; the rest is unknown."""
    byte_fallback: bool = False
    """Whether an uncovered character is spelt in bytes instead of becoming unknown (``unigram`` and ``bpe``)."""
    decompose: bool = False
    """Whether characters are taken apart before anything else (Unicode's NFD: a Hangul syllable into its letters, a letter into
    itself and its accent), in training and prediction alike; decoded text is put together again (NFC). A text that was not in
    NFC does not come back as it was."""
    training_texts: int = Field(default=2_000_000, ge=0)
    """Texts of train, drawn with a fixed seed, that the model is made from; 0: all. It needs them in memory, with about ten times
    their size on top for ``unigram``."""

    @model_validator(mode="after")
    def _bytes_need_subwords(self) -> Self:
        if self.byte_fallback and self.model in ("char", "symbols"):
            raise ValueError(f"byte_fallback must be false with model {self.model!r}, got true")
        return self


class TokenizeSection(Section):
    """How text becomes ids."""

    joint: bool = False
    """One vocabulary for both sides, trained on both by the settings of ``source``."""
    source: SubwordSettings = SubwordSettings()
    """The source side's model (with ``joint``, both sides')."""
    target: SubwordSettings = SubwordSettings()
    """The target side's model; unused with ``joint``."""
    source_tags: list[str] = []
    """Columns of the corpus whose values come before the source's ids, each as one symbol of its own (Johnson 2017). The symbols
    are those of train, on top of ``vocabulary_size``; an empty value has none."""
    target_tags: list[str] = []
    """Columns whose values are the first symbols of the target: the decoder starts from them, and they are no part of its text."""
    tag_separator: str = Field(default=";", min_length=1)
    """What stands between the values of a column that holds several, such as the features ``V;PST;3;SG``; each has its symbol."""
    unknown_tags: Literal["error", "ignore"] = "error"
    """What a value that train does not have is, in dev, in test and in what the model is asked later: an error, or no symbol."""
    group_columns: list[str] = []
    """Columns whose values together make a group of train, such as a pair of languages; ``train.sampling_temperature`` decides how
    often the pairs of each are drawn, and dev is put in an order in which they take turns, so that those that training decodes are
    of every group."""
    max_source_tokens: int = Field(default=512, ge=1)
    """Train pairs with a longer source (its tags and end mark count) are dropped, and counted; dev and test keep theirs. See
    ``long_source``."""
    long_source: Literal["drop", "truncate", "truncate_start"] = "drop"
    """``truncate``: a source with more than ``max_source_tokens`` is cut there instead, in every split and in what the trained
    model is asked later, as for documents whose beginning says most; ``truncate_start`` keeps the end, as for conversations."""
    max_target_tokens: int = Field(default=512, ge=1)
    """Train pairs with a longer target (its end mark counts as one) are dropped, and counted; dev and test keep theirs."""

    @model_validator(mode="after")
    def _columns_are_named_once(self) -> Self:
        columns_by_name = {"source_tags": self.source_tags, "target_tags": self.target_tags, "group_columns": self.group_columns}
        for name, columns in columns_by_name.items():
            if len(set(columns)) != len(columns):
                raise ValueError(f"{name} must be different from one another, got {columns}")
            for column in columns:
                if not column or "=" in column or column in ("source", "target"):
                    raise ValueError(f"{name} must be names of columns other than source and target, without '=', got {column!r}")
        return self

    @model_validator(mode="after")
    def _target_is_default_when_joint(self) -> Self:
        if self.joint and self.target != SubwordSettings():
            raise ValueError("target must be left out when joint is true (source holds for both sides)")
        return self
