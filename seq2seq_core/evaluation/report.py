"""Files of an evaluation: figures, predictions, worst examples and slices. They are equal from run to run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.artifacts import SCORES_FILE
from seq2seq_core.csv_text import format_csv
from seq2seq_core.evaluation.confidence.confidence_check import ConfidenceCheck
from seq2seq_core.evaluation.confidence.promised_errors import KeptPromise
from seq2seq_core.evaluation.evaluator import Evaluation, Example
from seq2seq_core.evaluation.scored import Scored
from seq2seq_core.evaluation.slices import Slice

PREDICTIONS_FILE, WORST_FILE, SLICES_FILE, SIGNATURES_FILE = "predictions.jsonl", "worst.csv", "slices.csv", "signatures.json"
CONFIDENCE_FILE, PICTURE_PAGE_FILE = "confidence.json", "worst_pictures.html"
METRIC_DIGITS, SCORE_DIGITS = 6, 4
"""Decimal places; scores of the model get fewer, because their last digits differ between machines."""
MAX_CELL_CHARACTERS = 120


def make_metrics(evaluation: Evaluation, scored: Scored, confidence: ConfidenceCheck | None = None) -> dict[str, Any]:
    """The content of ``reports/metrics.json``: the few figures to compare versions by, ``test.<metric>`` and counts.

    DVC shows each of them as a column. All others are in :func:`make_scores`. What was scored is in a list, which DVC does not
    show.

    Args:
        evaluation: of the test set.
        scored: what the scores are of.
        confidence: of the test set; None: answers have no confidence.
    """
    calibration = {} if confidence is None else {"confidence": _rounded({"calibration_error": confidence.error.value})}
    counts = {name: count for name, count in _count(evaluation).items() if name in ("pairs", "wrong", "cut_hypotheses")}
    return {"test": _rounded(evaluation.test), "counts": counts, **calibration, "scored": [scored.to_dict()]}


def make_scores(evaluation: Evaluation) -> dict[str, Any]:
    """The content of ``reports/evaluation/scores.json``: every figure, numbers only.

    Args:
        evaluation: of the test set.
    """
    slices: dict[str, dict[str, dict[str, float]]] = {}
    for part in evaluation.slices:
        slices.setdefault(part.column, {})[part.value] = {**_rounded(part.scores), "count": part.count}
    terms = evaluation.terms
    return {
        "test": _rounded(evaluation.test),
        **({} if terms is None else {"task": _rounded(terms.rates(evaluation.test))}),
        "greedy": _rounded(evaluation.greedy),
        "baselines": {name: _rounded(scores) for name, scores in evaluation.baselines.items()},
        "slices": slices,
        "counts": _count(evaluation),
    }


def write_evaluation(
    folder: Path,
    evaluation: Evaluation,
    worst_examples: int,
    signatures: dict[str, str],
    confidence: ConfidenceCheck | None = None,
) -> None:
    """Writes the files of ``reports/evaluation`` into a folder.

    Args:
        folder: an empty one.
        evaluation: of the test set.
        worst_examples: most rows of the table of worst examples.
        signatures: sacreBLEU's, by metric.
        confidence: of the test set; None: answers have no confidence, and there is no file of it.
    """
    with (folder / PREDICTIONS_FILE).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(_prediction_row(example), ensure_ascii=False) + "\n" for example in evaluation.examples)
    worst = [_example_row(example) for example in evaluation.worst(worst_examples)]
    # Rows of JSON lines may have different columns.
    columns = dict.fromkeys(name for example in evaluation.examples for name in example.columns)
    _write_csv(folder / WORST_FILE, [*_EXAMPLE_COLUMNS, *map(_corpus_name, columns)], worst)
    (folder / SCORES_FILE).write_text(_json(make_scores(evaluation)), encoding="utf-8")
    metrics = list(evaluation.slices[0].scores)
    _write_csv(folder / SLICES_FILE, ["column", "value", "count", *metrics], [_slice_row(part) for part in evaluation.slices])
    (folder / SIGNATURES_FILE).write_text(_json(signatures), encoding="utf-8")
    if confidence is not None:
        (folder / CONFIDENCE_FILE).write_text(_json(confidence.to_dict()), encoding="utf-8")


def scores_as_markdown(evaluation: Evaluation) -> str:
    """The model's scores beside the baselines', as a Markdown table.

    Args:
        evaluation: of the test set.
    """
    rows = {"model, beam search": evaluation.test, "model, greedy": evaluation.greedy}
    rows |= {f"baseline: {name.replace('_', ' ')}": scores for name, scores in evaluation.baselines.items()}
    terms = evaluation.terms
    told = {name: {**scores, **(terms.rates(scores) if terms is not None else {})} for name, scores in rows.items()}
    names = [*evaluation.test, *(terms.names if terms is not None else ())]
    body = [[name, *(f"{own[one]:.4f}" if one in own else "" for one in names)] for name, own in told.items()]
    return _markdown(["", *names], body)


def slices_as_markdown(evaluation: Evaluation) -> str:
    """The scores of the slices of the test set, as a Markdown table.

    Args:
        evaluation: of the test set.
    """
    metrics = list(evaluation.slices[0].scores)
    rows = [
        [part.column, part.value, str(part.count), *(f"{part.scores[metric]:.4f}" for metric in metrics)]
        for part in evaluation.slices
    ]
    return _markdown(["column", "value", "count", *metrics], rows)


def worst_as_markdown(evaluation: Evaluation, limit: int) -> str:
    """The worst examples, as a Markdown table; long texts are cut.

    Args:
        evaluation: of the test set.
        limit: most rows.
    """
    rows = [
        [str(example.row), example.source, example.reference, example.hypothesis, str(example.edits), f"{example.score:.4f}"]
        for example in evaluation.worst(limit)
    ]
    if not rows:
        return "No hypothesis differs from its reference.\n"
    return _markdown(["row", "source", "reference", "hypothesis", "edits", "score"], rows)


def confidence_as_markdown(confidence: ConfidenceCheck) -> str:
    """The confidences of the test set: calibration error, reliability and promised errors, as Markdown tables.

    Args:
        confidence: of the test set.
    """
    error, right = confidence.error, confidence.calibrator
    event = "equals its reference" if right.event == "exact_match" else f"has a chrF of at least {right.min_chrf:g}"
    lead = (
        f"The confidence of an answer is the probability that it {event}, fitted on {right.rows} rows of dev. Expected calibration "
        f"error on {confidence.rows} rows of test, by ten bins of equal mass: {error.value:.4f} (95 % interval of the bootstrap "
        f"{error.low:.4f} to {error.high:.4f}; a perfect calibration would show {error.by_chance:.4f} by chance)."
    )
    bins = [
        [f"{one.low:.4f} to {one.high:.4f}", str(one.count), f"{one.confidence:.4f}", f"{one.right:.4f}"] for one in confidence.bins
    ]
    reliability = _markdown(["confidence", "answers", "mean", "share right"], bins)
    return "\n".join([lead, "", reliability, _markdown(PROMISE_HEADS, [promise_cells(one) for one in confidence.promises])])


PROMISE_HEADS = ["promised error", "min_confidence", "dev answered", "dev error", "test answered", "test error", "interval", "kept"]
"""Of the table of thresholds."""


def promise_cells(one: KeptPromise) -> list[str]:
    """A row of the table of thresholds.

    Args:
        one: a promise and what became of it.
    """
    promise = one.promise
    return [
        f"{promise.max_error:.1%}", f"{promise.min_confidence:g}", f"{promise.answered:.1%}", f"{promise.error:.2%}",
        f"{one.answered:.1%}", f"{one.error:.2%}", f"{one.low:.2%} to {one.high:.2%}", "yes" if one.is_kept else "no",
    ]  # fmt: skip


_EXAMPLE_COLUMNS = [
    "row", "source", "reference", "hypothesis", "greedy", "edits", "cer", "score", "log_probability", "is_cut", "confidence",
]  # fmt: skip


def _example_row(example: Example) -> dict[str, object]:
    return {
        "row": example.row,
        "source": example.source,
        "reference": example.reference,
        "hypothesis": example.hypothesis,
        "greedy": example.greedy,
        "edits": example.edits,
        "cer": round(example.character_error_rate, METRIC_DIGITS),
        "score": round(example.score, SCORE_DIGITS),
        "log_probability": round(example.log_probability, SCORE_DIGITS),
        "is_cut": example.is_cut,
        "confidence": None if example.confidence is None else round(example.confidence, SCORE_DIGITS),
        **{_corpus_name(name): value for name, value in example.columns.items()},
    }


def _prediction_row(example: Example) -> dict[str, object]:
    marks: dict[str, object] = {} if example.from_lexicon is None else {"from_lexicon": example.from_lexicon}
    if len(example.references) > 1:
        marks["references"] = example.references
    return {name: value for name, value in _example_row(example).items() if name not in ("row", "cer")} | marks


def _corpus_name(column: str) -> str:
    """The name of a corpus column, with a prefix if a column of the report has the same name."""
    return f"corpus_{column}" if column in _EXAMPLE_COLUMNS else column


def _slice_row(part: Slice) -> dict[str, object]:
    return {"column": part.column, "value": part.value, "count": part.count, **_rounded(part.scores)}


def _count(evaluation: Evaluation) -> dict[str, int]:
    """The numbers of pairs and of hypotheses of some kinds."""
    of_lexicon = [example.from_lexicon for example in evaluation.examples if example.from_lexicon is not None]
    return {
        "pairs": len(evaluation.examples),
        "wrong": sum(example.hypothesis != example.reference for example in evaluation.examples),
        "empty_hypotheses": sum(not example.hypothesis for example in evaluation.examples),
        "cut_hypotheses": evaluation.num_cut,
        "greedy_differs": sum(example.hypothesis != example.greedy for example in evaluation.examples),
        **({"lexicon_answers": sum(of_lexicon)} if of_lexicon else {}),
    }


def _json(values: object) -> str:
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: round(value, METRIC_DIGITS) for name, value in scores.items()}


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[dict[str, object]]) -> None:
    atomic.write_text(path, format_csv([names, *([row.get(name) for name in names] for row in rows)]))


def _markdown(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    """A text that cannot break a Markdown table."""
    text = text if len(text) <= MAX_CELL_CHARACTERS else text[: MAX_CELL_CHARACTERS - 1] + "…"
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
