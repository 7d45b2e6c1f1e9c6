"""Files of an evaluation: figures, predictions, worst examples and slices. They are equal from run to run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.artifacts import SCORES_FILE
from seq2seq_core.csv_text import format_csv
from seq2seq_core.evaluation.evaluator import Evaluation, Example
from seq2seq_core.evaluation.scored import Scored
from seq2seq_core.evaluation.slices import Slice

PREDICTIONS_FILE, WORST_FILE, SLICES_FILE, SIGNATURES_FILE = "predictions.jsonl", "worst.csv", "slices.csv", "signatures.json"
METRIC_DIGITS, SCORE_DIGITS = 6, 4
"""Decimal places; scores of the model get fewer, because their last digits differ between machines."""
MAX_CELL_CHARACTERS = 120


def make_metrics(evaluation: Evaluation, scored: Scored) -> dict[str, Any]:
    """The content of ``reports/metrics.json``: the few figures to compare versions by, ``test.<metric>`` and counts.

    DVC shows each of them as a column. All others are in :func:`make_scores`. What was scored is in a list, which DVC does not
    show.

    Args:
        evaluation: of the test set.
        scored: what the scores are of.
    """
    counts = {name: count for name, count in _count(evaluation).items() if name in ("pairs", "wrong", "cut_hypotheses")}
    return {"test": _rounded(evaluation.test), "counts": counts, "scored": [scored.to_dict()]}


def make_scores(evaluation: Evaluation) -> dict[str, Any]:
    """The content of ``reports/evaluation/scores.json``: every figure, numbers only.

    Args:
        evaluation: of the test set.
    """
    slices: dict[str, dict[str, dict[str, float]]] = {}
    for part in evaluation.slices:
        slices.setdefault(part.column, {})[part.value] = {**_rounded(part.scores), "count": part.count}
    return {
        "test": _rounded(evaluation.test),
        "greedy": _rounded(evaluation.greedy),
        "baselines": {name: _rounded(scores) for name, scores in evaluation.baselines.items()},
        "slices": slices,
        "counts": _count(evaluation),
    }


def write_evaluation(folder: Path, evaluation: Evaluation, worst_examples: int, signatures: dict[str, str]) -> None:
    """Writes the files of ``reports/evaluation`` into a folder.

    Args:
        folder: an empty one.
        evaluation: of the test set.
        worst_examples: most rows of the table of worst examples.
        signatures: sacreBLEU's, by metric.
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


def scores_as_markdown(evaluation: Evaluation) -> str:
    """The model's scores beside the baselines', as a Markdown table.

    Args:
        evaluation: of the test set.
    """
    rows = {"model, beam search": evaluation.test, "model, greedy": evaluation.greedy}
    rows |= {f"baseline: {name.replace('_', ' ')}": scores for name, scores in evaluation.baselines.items()}
    body = [
        [name, *(f"{scores[metric]:.4f}" if metric in scores else "" for metric in evaluation.test)]
        for name, scores in rows.items()
    ]
    return _markdown(["", *evaluation.test], body)


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


_EXAMPLE_COLUMNS = ["row", "source", "reference", "hypothesis", "greedy", "edits", "cer", "score", "log_probability", "is_cut"]


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
        **{_corpus_name(name): value for name, value in example.columns.items()},
    }


def _prediction_row(example: Example) -> dict[str, object]:
    return {name: value for name, value in _example_row(example).items() if name not in ("row", "cer")}


def _corpus_name(column: str) -> str:
    """The name of a corpus column, with a prefix if a column of the report has the same name."""
    return f"corpus_{column}" if column in _EXAMPLE_COLUMNS else column


def _slice_row(part: Slice) -> dict[str, object]:
    return {"column": part.column, "value": part.value, "count": part.count, **_rounded(part.scores)}


def _count(evaluation: Evaluation) -> dict[str, int]:
    """The numbers of pairs and of hypotheses of some kinds."""
    return {
        "pairs": len(evaluation.examples),
        "wrong": sum(example.hypothesis != example.reference for example in evaluation.examples),
        "empty_hypotheses": sum(not example.hypothesis for example in evaluation.examples),
        "cut_hypotheses": evaluation.num_cut,
        "greedy_differs": sum(example.hypothesis != example.greedy for example in evaluation.examples),
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
