"""The certificate of a converted model: how its answers compare with the reference's on dev, and what it saves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.decoding.engines.engine import Engine
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.evaluation.evaluator import Decoded, decode_texts
from seq2seq_core.evaluation.scoring_options import scoring_options
from seq2seq_core.gate.bootstrap import Interval, paired_intervals
from seq2seq_core.gate.scored_rows import score_rows

MAX_SHOWN = 20
"""Rows with other texts that a certificate lists."""
TIMED_ROWS, TIMED_RUNS = 200, 3
RESAMPLES, SEED = 2000, 1


@dataclass(frozen=True)
class OtherText:
    """A row whose text differs.

    Attributes:
        row: its 1-based position in dev.
        reference: the reference engine's text.
        converted: the converted model's text.
        gap: the converted text's score less the reference's.
    """

    row: int
    reference: str
    converted: str
    gap: float


@dataclass(frozen=True)
class EngineCertificate:
    """What a converted model was measured to do.

    Attributes:
        bundle: digest of the trained bundle.
        reference: the label of the reference engine.
        engine: the label of the engine.
        stored_type: the type of the converted weights.
        compute_type: the type that this machine computes with.
        options: the decoding options.
        num_rows: rows of dev.
        num_other_texts: rows whose text differs.
        largest_gap: the largest difference between the scores of equal texts.
        other_texts: the first rows whose texts differ.
        metric: the metric of the quality.
        reference_score: the reference's score on dev.
        converted_score: the converted model's.
        gain: how much better the converted model is, with the 95 % interval of a paired bootstrap; negative: worse.
        reference_bytes: size of the weights.
        converted_bytes: size of the converted weights; the reference's where they have no file of their own.
        reference_speed: sentences a second of the reference on this machine, the best of several interleaved runs.
        converted_speed: the same of the converted model.
        threads: threads of both.
        batch_sentences: sentences decoded together.
    """

    bundle: str
    reference: str
    engine: str
    stored_type: str
    compute_type: str
    options: dict[str, Any]
    num_rows: int
    num_other_texts: int
    largest_gap: float
    other_texts: list[OtherText]
    metric: str
    reference_score: float
    converted_score: float
    gain: Interval
    reference_bytes: int
    converted_bytes: int
    reference_speed: float
    converted_speed: float
    threads: int
    batch_sentences: int

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    def to_markdown(self) -> str:
        """As a short page."""
        speedup = self.converted_speed / self.reference_speed
        size = f"{self.converted_bytes:,} bytes, {self.reference_bytes / self.converted_bytes:.2f} times smaller than "
        size += f"{self.reference_bytes:,}"
        if self.converted_bytes == self.reference_bytes:
            size = f"{self.reference_bytes:,} bytes, the reference's: the others are made of them when the model is loaded"
        rows = [
            ("texts", f"{self.num_rows - self.num_other_texts} of {self.num_rows} rows of dev have the reference's text"),
            ("scores of equal texts", f"differ by at most {self.largest_gap:.2g}"),
            (
                self.metric,
                f"{self.converted_score:.4g} (reference {self.reference_score:.4g}); gain {self.gain.value:+.4g}, "
                f"95 % interval {self.gain.low:+.4g} to {self.gain.high:+.4g} (paired bootstrap)",
            ),
            ("size", size),
            (
                "speed",
                f"{self.converted_speed:.1f} sentences/s, {speedup:.2f} times the reference's {self.reference_speed:.1f} "
                f"({self.threads} thread(s), batches of {self.batch_sentences}, best of {TIMED_RUNS})",
            ),
        ]
        return "\n".join(
            [
                f"# {self.engine}, weights in {self.stored_type}",
                "",
                f"Converted from the bundle `{self.bundle}`, computes in {self.compute_type}; compared with {self.reference}.",
                "",
                "| measured | result |",
                "|---|---|",
                *(f"| {name} | {result} |" for name, result in rows),
                "",
            ]
        )


@dataclass(frozen=True)
class Weighed:
    """The digest and the sizes of what is compared.

    Attributes:
        bundle: digest of the trained bundle.
        reference_bytes: size of its weights.
        converted_bytes: size of the converted weights.
        stored_type: their type.
    """

    bundle: str
    reference_bytes: int
    converted_bytes: int
    stored_type: str


def certify(
    predictor: Predictor,
    weighed: Weighed,
    pairs: Sequence[dict[str, str]],
    section: EvaluateSection,
    metric: str,
) -> EngineCertificate:
    """Measures a converted model against the reference.

    Args:
        predictor: decodes by the converted model; its reference decodes by the bundle's own weights.
        weighed: digest and sizes.
        pairs: dev; at least one pair.
        section: the decoding options, and the metric's.
        metric: the metric of the quality.

    Raises:
        TagError: a pair lacks a tag of the model.
    """
    options, batch_sentences = section.decoding, section.batch_sentences
    exact = Predictor(predictor.bundle, uses_engine=False)
    first, second = (decode_texts(one, pairs, options, batch_sentences) for one in (exact, predictor))
    targets = [pair[TARGET] for pair in pairs]
    reference_rows, converted_rows = (score_rows(metric, one.texts, targets, scoring_options(section)) for one in (first, second))
    intervals = paired_intervals(reference_rows, converted_rows, RESAMPLES, SEED)
    speeds = _speeds([exact, predictor], pairs, options, batch_sentences)
    others = _other_texts(first, second)
    engine: Engine = predictor.engine
    return EngineCertificate(
        bundle=weighed.bundle,
        reference=exact.engine.label,
        engine=engine.label,
        stored_type=weighed.stored_type,
        compute_type=engine.compute_type,
        options=options.model_dump(mode="json"),
        num_rows=len(pairs),
        num_other_texts=len(others),
        largest_gap=_largest_gap(first, second),
        other_texts=others[:MAX_SHOWN],
        metric=metric,
        reference_score=reference_rows.score,
        converted_score=converted_rows.score,
        gain=intervals.gain,
        reference_bytes=weighed.reference_bytes,
        converted_bytes=weighed.converted_bytes,
        reference_speed=speeds[0],
        converted_speed=speeds[1],
        threads=torch.get_num_threads(),
        batch_sentences=batch_sentences,
    )


def _other_texts(reference: Decoded, converted: Decoded) -> list[OtherText]:
    rows = enumerate(zip(reference.texts, converted.texts, reference.scores, converted.scores, strict=True), start=1)
    return [OtherText(row, ours, theirs, second - first) for row, (ours, theirs, first, second) in rows if ours != theirs]


def _largest_gap(reference: Decoded, converted: Decoded) -> float:
    rows = zip(reference.texts, converted.texts, reference.scores, converted.scores, strict=True)
    return max((abs(second - first) for ours, theirs, first, second in rows if ours == theirs), default=0.0)


def _speeds(
    predictors: Sequence[Predictor], pairs: Sequence[dict[str, str]], options: DecodingOptions, batch_sentences: int
) -> list[float]:
    """Sentences a second of each predictor, the best of interleaved runs."""
    rows = pairs[:TIMED_ROWS]
    best = [0.0] * len(predictors)
    for _ in range(TIMED_RUNS):
        for place, predictor in enumerate(predictors):
            started = time.perf_counter()
            predictor.predict([row[SOURCE] for row in rows], options, batch_sentences, tags=rows)
            best[place] = max(best[place], len(rows) / (time.perf_counter() - started))
    return best
