"""``evaluate``: how the test set is decoded and scored."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.metric_names import MetricName
from seq2seq_core.config.section import Section

BleuTokenizer = Literal["none", "13a", "char", "intl", "zh"]
"""A tokeniser of sacreBLEU (``ja-mecab`` and others need extra packages)."""


class EvaluateSection(Section):
    """Decoding and scores of the frozen test set."""

    beam_size: int = Field(default=5, ge=1, le=200)
    """Hypotheses kept at each step of beam search; ``test.*`` metrics are of this search, ``greedy.*`` of greedy decoding."""
    length_penalty: float = Field(default=1.0, ge=0.0)
    """Exponent of the length penalty ((5 + length) / 6) ** exponent (Wu 2016, equation 14)."""
    max_length_ratio: float = Field(default=3.0, gt=0.0)
    """Most target tokens, as a multiple of the source's tokens ..."""
    max_length_offset: int = Field(default=20, ge=1)
    """... plus this many."""
    min_length: int = Field(default=0, ge=0, le=4096)
    """Fewest target tokens, the end mark not counted."""
    no_repeat_ngram_size: int = Field(default=0, ge=0, le=100)
    """No run of this many target tokens comes twice in a hypothesis (Paulus 2018, section 2.5); 0: any may."""
    batch_sentences: int = Field(default=64, ge=1)
    """Sentences decoded together."""
    bleu_tokenizer: BleuTokenizer = "13a"
    """sacreBLEU's tokeniser for BLEU."""
    bleu_tokenizers: dict[str, dict[str, BleuTokenizer]] = {}
    """Other tokenisers for single values of columns in ``slice_columns``, such as ``{target_language: {zh: zh, ja: char}}``: for
    BLEU of that slice."""
    metrics: list[MetricName] = Field(default=["exact_match", "bleu", "chrf", "ter", "cer", "wer"], min_length=1)
    """Scores of the test set, in this order (each a file in ``evaluation/metrics``); ``register.metric`` is one of them. TER
    takes long where segments are long, and is left out of slices and baselines. ROUGE (Lin 2004) needs the package rouge-score."""
    slice_columns: list[str] = []
    """Columns of the corpus by whose values scores are broken down (the 50 commonest values each, the rest together)."""
    worst_examples: int = Field(default=50, ge=0, le=10_000)
    """Rows of the table of worst examples."""
    test_limit: int = Field(default=0, ge=0)
    """Decode only the first rows of test; 0: all. For quick looks, never for a reported figure."""

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for name, values in (("metrics", self.metrics), ("slice_columns", self.slice_columns)):
            if len(set(values)) != len(values):
                raise ValueError(f"{name} must be different from one another, got {list(values)}")
        if others := [column for column in self.bleu_tokenizers if column not in self.slice_columns]:
            raise ValueError(f"bleu_tokenizers must be of columns in slice_columns {self.slice_columns}, got {others[0]!r}")
        return self
