"""Evaluation on the test set: scores of beam search, of greedy decoding and of baselines, and scores of slices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.edit_distance import edit_distance
from seq2seq_core.evaluation.error_rate import nearest_reference
from seq2seq_core.evaluation.error_terms import ErrorTerms
from seq2seq_core.evaluation.scores import check_installed, quick_metrics, score
from seq2seq_core.evaluation.scoring_options import scoring_options, slice_options
from seq2seq_core.evaluation.several_references import references_in
from seq2seq_core.evaluation.slices import SOURCE_LENGTH, TARGET_LENGTH, Slice, group_rare, length_buckets, score_slices
from seq2seq_core.evaluation.trivial.asked import Asked, asked
from seq2seq_core.evaluation.trivial.baselines import MEMORISE_ELSE_MODEL, find_baselines, first_known

SOURCE, TARGET = "source", "target"
BATCHES_A_CALL = 16
"""Batches per call of the predictor: enough to sort them by length, few enough to show progress."""


class TextPredictor(Protocol):
    """An engine that turns texts into texts, such as :class:`~seq2seq_core.decoding.predictor.Predictor`."""

    @property
    def asked_columns(self) -> Sequence[str]:
        """The columns of a pair that an answer depends on, besides the source."""

    def predict(
        self, sources: Sequence[str], options: DecodingOptions, batch_sentences: int, *, tags: Sequence[Mapping[str, str]]
    ) -> list[Prediction]:
        """The prediction of each source, in order; ``tags`` holds the columns of each pair, some of which may be tags."""


@dataclass(frozen=True)
class Decoded:
    """The test set as one search decoded it.

    Attributes:
        texts: the best hypothesis of each source.
        scores: the ranking score of each.
        log_probabilities: natural logarithm of the probability of each.
        is_cut: whether the length limit ended each.
        answers: the best hypotheses, with all that is known of each.
        seconds: the time of decoding.
        num_decoded: how many were decoded: of equal questions one.
    """

    texts: list[str]
    scores: list[float]
    log_probabilities: list[float]
    is_cut: list[bool]
    answers: list[TextHypothesis]
    seconds: float
    num_decoded: int


@dataclass(frozen=True)
class Example:
    """One test pair with its hypotheses.

    Attributes:
        row: its 1-based position in the test set.
        source: the source.
        reference: the correct target; of several the nearest to the hypothesis.
        hypothesis: the hypothesis of beam search.
        greedy: the hypothesis of greedy decoding.
        score: the ranking score of beam search.
        log_probability: natural logarithm of the hypothesis's probability.
        edits: fewest edits, in characters, from the hypothesis to the reference.
        is_cut: whether the length limit ended the hypothesis.
        columns: the corpus's other columns.
        confidence: the calibrated probability that the hypothesis is right; None: unknown.
        from_lexicon: whether the hypothesis is what train has; None: no lexicon was asked.
        references: all correct targets.
    """

    row: int
    source: str
    reference: str
    hypothesis: str
    greedy: str
    score: float
    log_probability: float
    edits: int
    is_cut: bool
    columns: dict[str, str]
    confidence: float | None = None
    from_lexicon: bool | None = None
    references: tuple[str, ...] = ()

    @property
    def character_error_rate(self) -> float:
        """Edits per character of the reference."""
        return self.edits / max(1, len(self.reference))


@dataclass(frozen=True)
class Evaluation:
    """All results of a model on a test set.

    Attributes:
        test: scores of beam search, by metric.
        greedy: scores of greedy decoding, by metric.
        baselines: scores by baseline and metric.
        slices: scores of parts of the test set.
        examples: every pair, in order.
        sentences_per_second: of beam search and of greedy decoding, by name; differs from run to run.
        terms: what the task calls its error rates; None: it has no names of its own.
    """

    test: dict[str, float]
    greedy: dict[str, float]
    baselines: dict[str, dict[str, float]]
    slices: list[Slice]
    examples: list[Example]
    sentences_per_second: dict[str, float]
    terms: ErrorTerms | None = None

    @property
    def num_cut(self) -> int:
        """The number of hypotheses of beam search that the length limit ended."""
        return sum(example.is_cut for example in self.examples)

    def worst(self, limit: int) -> list[Example]:
        """The examples with most edits per character of the reference, without correct ones; ties by the lowest score.

        Args:
            limit: most examples.
        """
        wrong = [example for example in self.examples if example.edits]
        return sorted(wrong, key=lambda example: (-example.character_error_rate, example.score, example.row))[:limit]


def evaluate(
    pairs: Sequence[dict[str, str]],
    train: Iterable[Mapping[str, str]],
    predictor: TextPredictor,
    search: DecodingOptions,
    settings: EvaluateSection,
    on_progress: Callable[[int, str], None] = lambda _, __: None,
    has_files: bool = False,
    further_baselines: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Evaluation:
    """A model's scores on a test set, and where it fails.

    Args:
        pairs: the test set: ``source``, ``target`` and other columns; at least one pair.
        train: the pairs of train, for the baselines; read once.
        predictor: the model.
        search: the decoding options.
        settings: the settings of the scores.
        on_progress: called with the number of sentences decoded by both searches together, and the present search's name.
        has_files: whether a side names recordings or pictures. If so, no baseline copies them, and slices go by target length.
        further_baselines: the outputs of baselines that look at these files, by name.

    Raises:
        UserError: a column to slice by is missing, a tag of the model is missing or unknown, or the package of a metric is not
            installed.
    """
    check_columns(pairs, settings.slice_columns)
    check_installed(settings.metrics)
    sources, references = [pair[SOURCE] for pair in pairs], [pair[TARGET] for pair in pairs]
    size = settings.batch_sentences
    beam = decode_texts(predictor, pairs, search, size, lambda done: on_progress(done, "beam"))
    greedy = beam
    if search.beam_size > 1:
        greedy = decode_texts(
            predictor, pairs, search.override(beam_size=1), size, lambda done: on_progress(len(pairs) + done, "greedy")
        )
    quick, options = quick_metrics(settings.metrics), scoring_options(settings)
    baselines = find_baselines(train, pairs, predictor.asked_columns, has_files)
    texts = baselines.texts | {name: list(own) for name, own in further_baselines.items()}
    if (combined := first_known(baselines.known, beam.texts)) != beam.texts:
        texts[MEMORISE_ELSE_MODEL] = combined
    lengths = {TARGET_LENGTH: length_buckets(references)} if has_files else {SOURCE_LENGTH: length_buckets(sources)}
    return Evaluation(
        test=score(beam.texts, references, settings.metrics, options),
        greedy=score(greedy.texts, references, settings.metrics, options),
        baselines={name: score(own, references, quick, options) for name, own in texts.items()},
        slices=_score_all_slices(pairs, lengths, beam.texts, references, settings, quick),
        examples=_make_examples(pairs, beam, greedy, search.lexicon),
        sentences_per_second={
            name: one.num_decoded / one.seconds for name, one in (("beam", beam), ("greedy", greedy)) if one.seconds > 0
        },
        terms=ErrorTerms.of(settings.metrics) if baselines.spells_symbols else None,
    )


def decode_texts(
    predictor: TextPredictor,
    pairs: Sequence[dict[str, str]],
    options: DecodingOptions,
    batch_sentences: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Decoded:
    """The best hypothesis of each source, in order; equal questions are decoded once.

    Args:
        predictor: the model.
        pairs: each with its ``source`` and other columns.
        options: the decoding options.
        batch_sentences: most sentences decoded together.
        on_progress: called with the number of sentences decoded.
    """
    started, predictions, chunk = time.perf_counter(), list[Prediction](), batch_sentences * BATCHES_A_CALL
    questions = [asked(pair, predictor.asked_columns) for pair in pairs]
    different = dict[Asked, dict[str, str]]()
    for question, pair in zip(questions, pairs, strict=True):
        different.setdefault(question, pair)
    places, first = {question: place for place, question in enumerate(different)}, list(different.values())
    for start in range(0, len(first), chunk):
        part = first[start : start + chunk]
        predictions += predictor.predict([pair[SOURCE] for pair in part], options, batch_sentences, tags=part)
        on_progress(len(predictions) if len(predictions) < len(first) else len(pairs))
    answers = [predictions[places[question]].hypotheses[0] for question in questions]
    return Decoded(
        texts=[answer.text for answer in answers],
        scores=[answer.score for answer in answers],
        log_probabilities=[answer.log_probability for answer in answers],
        is_cut=[answer.is_cut for answer in answers],
        answers=answers,
        seconds=time.perf_counter() - started,
        num_decoded=len(first),
    )


def check_columns(pairs: Sequence[dict[str, str]], columns: Sequence[str]) -> None:
    """Raises UserError if the test set lacks a column to slice by.

    Args:
        pairs: the test set.
        columns: to slice by.
    """
    known = {name: None for pair in pairs for name in pair}
    if missing := [column for column in columns if column not in known]:
        raise UserError(f"evaluate.slice_columns: must be columns of the test set ({', '.join(known)}), got {', '.join(missing)}")


def _score_all_slices(
    pairs: Sequence[dict[str, str]],
    lengths: dict[str, list[str]],
    hypotheses: list[str],
    references: list[str],
    settings: EvaluateSection,
    metrics: Sequence[str],
) -> list[Slice]:
    parts = lengths | {column: group_rare([pair.get(column, "") for pair in pairs]) for column in settings.slice_columns}
    return [
        part
        for column, values in parts.items()
        for part in score_slices(
            column,
            values,
            hypotheses,
            references,
            metrics,
            scoring_options(settings),
            slice_options(settings).get(column),
        )
    ]


def _make_examples(pairs: Sequence[dict[str, str]], beam: Decoded, greedy: Decoded, has_lexicon: bool) -> list[Example]:
    nearest = [nearest_reference(text, pair[TARGET]) for text, pair in zip(beam.texts, pairs, strict=True)]
    return [
        Example(
            row=place + 1,
            source=pair[SOURCE],
            reference=nearest[place],
            hypothesis=beam.texts[place],
            greedy=greedy.texts[place],
            score=beam.scores[place],
            log_probability=beam.log_probabilities[place],
            edits=edit_distance(nearest[place], beam.texts[place]),
            is_cut=beam.is_cut[place],
            columns={name: value for name, value in pair.items() if name not in (SOURCE, TARGET)},
            confidence=beam.answers[place].confidence,
            from_lexicon=beam.answers[place].from_lexicon if has_lexicon else None,
            references=references_in(pair[TARGET]),
        )
        for place, pair in enumerate(pairs)
    ]
