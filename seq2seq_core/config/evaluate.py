"""``evaluate``: how the test set is decoded and scored."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.decoding_options import (
    QUANTIZED_TYPES,
    ComputeType,
    DecodingOptions,
    EngineName,
    SearchOptions,
    offered_options,
)
from seq2seq_core.config.metric_names import BleuTokenizer, MetricName
from seq2seq_core.config.speech.speech_settings import SpeechEvaluation


class EvaluateSection(SearchOptions):
    """Decoding and scores of the frozen test set.

    The exported model stores the options of the search as its defaults. The metrics ``test.*`` are of this search, ``greedy.*`` (in
    ``reports/evaluation/scores.json``) of the same search with a beam of 1.
    """

    engine: EngineName = "auto"
    """What decodes with the exported model, in evaluation and wherever it is used: ``ctranslate2`` (Transformers on a CPU, by
    converted weights), ``torch`` (the reference), or ``auto``: CTranslate2 if it can hold the model, else PyTorch."""
    compute_type: ComputeType = "float32"
    """Type of the engine's weights. Below float32 decoding is faster on a CPU, and texts can differ from the reference's;
    evaluation scores what they give. CTranslate2 has all types, PyTorch ``float32`` and ``int8`` (``int8_float32`` is the same)."""
    batch_sentences: int = Field(default=64, ge=1)
    """Sentences decoded together."""
    confidence_event: Literal["exact_match", "chrf", "none"] = "exact_match"
    """Event whose probability is an answer's confidence; the export fits it on dev. ``exact_match``: the answer is the reference.
    ``chrf``: its sentence-level chrF is at least ``confidence_chrf``; for tasks with many right answers. ``none``: no event."""
    confidence_chrf: float = Field(default=60.0, gt=0.0, le=100.0)
    """Least sentence-level chrF of a right answer, from 0 to 100, where ``confidence_event`` is ``chrf``."""
    confidence_rows: int = Field(default=2000, ge=50)
    """First rows of dev that the export decodes for the confidence. With fewer than 50 rows,
    or fewer than 10 right or 10 wrong answers to them, there is none."""
    bleu_tokenizer: BleuTokenizer = "13a"
    """sacreBLEU's tokeniser for BLEU of the test set; training has its own, ``train.dev_bleu_tokenizer``."""
    bleu_tokenizers: dict[str, dict[str, BleuTokenizer]] = {}
    """Tokenisers for BLEU of single slices, by column of ``slice_columns`` and value, such as ``{target_language: {zh: zh, ja:
    char}}``."""
    metrics: list[MetricName] = Field(default=["exact_match", "bleu", "chrf", "ter", "cer", "wer"], min_length=1)
    """Scores of the test set, in this order (each a file in ``evaluation/metrics``); ``register.metric`` is one of them. TER is
    slow on long segments, and is left out of slices and baselines. ROUGE (Lin 2004) needs the package rouge-score,
    CIDEr-D (Vedantam 2015) pycocoevalcap."""
    slice_columns: list[str] = []
    """Columns of the corpus whose values define slices (the 50 most frequent values of each, the rest together)."""
    references: Literal["each", "together"] = "each"
    """Rows of dev and test that are equal but for the target, as sets with several references have them: ``each`` is scored by
    itself; ``together`` they are one row, and an answer is compared with all its references. Training's own scores are of each."""
    speech: SpeechEvaluation = SpeechEvaluation()
    """Sound and judgement of synthesised speech; read only where ``corpus.target_kind`` is ``audio``."""
    worst_examples: int = Field(default=50, ge=0, le=10_000)
    """Rows of the table of worst examples."""
    test_limit: int = Field(default=0, ge=0)
    """Decode only the first rows of test; 0: all. For quick looks, never for a reported figure."""

    @property
    def decoding(self) -> DecodingOptions:
        """The options of the search."""
        return DecodingOptions(**{name: getattr(self, name) for name in SearchOptions.model_fields})

    @model_validator(mode="after")
    def _a_request_may_ask_for_the_same(self) -> Self:
        for option in offered_options():
            if option.name in SearchOptions.model_fields and (fault := option.range_fault(getattr(self, option.name))):
                raise ValueError(f"{option.name} {fault}")
        return self

    @model_validator(mode="after")
    def _pytorch_has_the_type(self) -> Self:
        types = ("float32", *QUANTIZED_TYPES)
        if self.engine == "torch" and self.compute_type not in types:
            raise ValueError(f"compute_type must be one of {', '.join(types)} with engine torch, got {self.compute_type}")
        return self

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        for name, values in (("metrics", self.metrics), ("slice_columns", self.slice_columns)):
            if len(set(values)) != len(values):
                raise ValueError(f"{name} must be different from one another, got {list(values)}")
        if others := [column for column in self.bleu_tokenizers if column not in self.slice_columns]:
            raise ValueError(f"bleu_tokenizers must be of columns in slice_columns {self.slice_columns}, got {others[0]!r}")
        return self
